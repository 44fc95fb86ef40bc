"""The model's scale: learned on training samples, applied to any, in memory or from disk."""
