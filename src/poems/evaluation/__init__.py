"""How good a fit is: held-out samples, likelihood, baselines, agreement with labels."""
