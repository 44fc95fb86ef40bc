"""Kernels of the sparse decoder: one function of the latents, computed in several ways."""
