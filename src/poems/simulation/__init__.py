"""Simulated cohorts of known truth."""
