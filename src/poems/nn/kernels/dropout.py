"""Rectified and dropped hidden units on the processor, compiled by numba."""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, compiled


@compiled
def rectify(h: Array, drawn: Array, limit: int, scale: float, kept: Array) -> None:
    """Keep ``scale * max(h, 0)`` where a number of 16 bits reaches the limit, and 0 elsewhere.

    h and kept: (n,); drawn: integers of 64 random bits, at least n / 4 of them.
    """
    draws, factor, zero = drawn.view(np.uint16), h.dtype.type(scale), h.dtype.type(0)
    least = np.uint16(limit)
    for i in range(len(h)):
        # In two choices without a branch, and so that what is not a number stays so.
        weight = factor if draws[i] >= least else zero
        kept[i] = weight * (zero if h[i] < zero else h[i])


@compiled
def rectify_backward(gradient: Array, kept: Array, scale: float, result: Array) -> None:
    """Pass the gradient on where a unit was kept; all of shape (n,)."""
    factor, zero = gradient.dtype.type(scale), gradient.dtype.type(0)
    for i in range(len(kept)):
        result[i] = gradient[i] * (factor if kept[i] > zero else zero)
