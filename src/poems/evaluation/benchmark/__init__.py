"""The benchmark: methods x cohorts x seeds, in parallel processes, resumable."""
