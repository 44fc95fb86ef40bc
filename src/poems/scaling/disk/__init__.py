"""Cohorts larger than memory on the model's scale: scaled views, and batches in shuffled blocks."""
