"""Settings of a fit: their schema, the parts that they name, and TOML."""
