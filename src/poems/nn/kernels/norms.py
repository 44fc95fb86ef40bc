"""Vectors brought to a norm on the processor, compiled by numba."""

from __future__ import annotations

import math

from poems.nn.kernels.compiling import Array, compiled


@compiled
def to_norm(x: Array, norm: float, y: Array, scale: Array) -> None:
    """Bring the rows of x to a norm, and keep what they are multiplied by.

    x and y: (n_rows, length); scale: (n_rows,).
    """
    number = x.dtype.type
    for i in range(x.shape[0]):
        row, into, squares = x[i], y[i], number(0)
        for j in range(x.shape[1]):
            squares += row[j] * row[j]
        scale[i] = number(norm) / math.sqrt(squares)
        for j in range(x.shape[1]):
            into[j] = row[j] * scale[i]


@compiled
def to_norm_backward(g: Array, y: Array, scale: Array) -> None:
    """Bring the gradient of y, in place, to that of x: ``scale (g - y (y . g) / (y . y))``."""
    number = y.dtype.type
    for i in range(y.shape[0]):
        gradient, row, along, squares = g[i], y[i], number(0), number(0)
        for j in range(y.shape[1]):
            along += gradient[j] * row[j]
            squares += row[j] * row[j]
        for j in range(y.shape[1]):
            gradient[j] = scale[i] * (gradient[j] - row[j] * along / squares)
