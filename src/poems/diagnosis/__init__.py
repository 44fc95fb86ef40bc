"""Failure signatures: what is known to go wrong with a fit, measured and judged."""
