"""The methods of the benchmark: a cohort and a seed in, an embedding out."""
