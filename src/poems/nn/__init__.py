"""Network parts: encoders, gates, decoders."""
