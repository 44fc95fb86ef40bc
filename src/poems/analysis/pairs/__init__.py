"""Cross-omic pairs: features of different omics that share factors."""
