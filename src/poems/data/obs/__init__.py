"""Cells of clinical tables: which are missing, which columns are numbers."""
