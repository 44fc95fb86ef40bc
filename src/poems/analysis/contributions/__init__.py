"""How much each omic counted: gates, and what changes when one is withheld."""
