"""Views that stay on disk: opening them, reading their rows and columns, their statistics."""
