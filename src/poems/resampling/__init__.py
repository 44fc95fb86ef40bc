"""Refits over seeds, resamples and decoys: what of a fit would be found again."""
