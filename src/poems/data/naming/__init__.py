"""Names of samples and features: cleaned, compared, and questioned."""
