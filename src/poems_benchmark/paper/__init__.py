"""The experiments of the POEMS paper for several methods, and what is written of them."""
