"""Pure tensor maths: fusion, spike-and-slab lasso, likelihoods, priors."""
