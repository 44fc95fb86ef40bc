"""Subtypes: found, assessed, marked by features, and assigned to new samples."""
