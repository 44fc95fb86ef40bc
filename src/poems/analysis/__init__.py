"""Tables computed from a fitted model; nothing here trains."""
