"""Units of a benchmark computed in parallel processes, each finished one a file of its own."""
