"""The model: encoders, gates, decoders, likelihoods, priors, and the objective."""
