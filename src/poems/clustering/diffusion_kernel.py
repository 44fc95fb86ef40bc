"""One round of diffusion in a network, compiled: each sample has few neighbours."""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, exactly_compiled


@exactly_compiled
def diffused(starts: Array, columns: Array, weights: Array, state: Array) -> Array:
    """Compute S P S' + its transpose + 2 I, rows scaled to sum to 1.

    starts, columns, weights: S as a compressed sparse array of rows, in single precision; state:
    P, (n_samples, n_samples), in single precision.
    """
    once = _along(starts, columns, weights, state)
    spread = _along(starts, columns, weights, np.ascontiguousarray(once.T))
    found = np.empty_like(spread)
    # An element at a time: for whole arrays numba also compiles what to say if they differ in
    # shape, which takes it seconds.
    for i in range(len(found)):
        for j in range(len(found)):
            found[i, j] = spread[i, j] + spread[j, i]
        found[i, i] += np.float32(2.0)
        total = np.float32(0.0)
        for value in found[i]:
            total += value
        for j in range(len(found)):
            found[i, j] /= total
    return found


@exactly_compiled
def _along(starts: Array, columns: Array, weights: Array, state: Array) -> Array:
    """S P."""
    found = np.zeros_like(state)
    for i in range(len(state)):
        row = found[i]
        for at in range(starts[i], starts[i + 1]):
            other, weight = state[columns[at]], weights[at]
            for j in range(len(row)):
                row[j] += weight * other[j]
    return found
