"""Starts: effects and noise from which training begins."""
