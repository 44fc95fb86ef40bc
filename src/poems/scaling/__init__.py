"""Values on the model's scale, learned on training samples, in memory or from disk; batches."""
