"""What fits are scored by, and what is said of the scores."""
