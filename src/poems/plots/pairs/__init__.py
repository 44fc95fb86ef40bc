"""Pictures of cross-omic pairs."""
