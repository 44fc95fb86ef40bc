"""Ordered levels on the processor: cumulative logits of both cuts around a value."""

from __future__ import annotations

import math

import numpy as np
import torch

from poems.nn.kernels.compiling import Array, compiled


def level_terms(
    x: Array,
    eta: Array,
    cuts: Array,
    gaps: Array,
    there: Array,
    slope: Array,
    of_cuts: Array,
    of_gaps: Array,
    nll: Array,
) -> None:
    """Compute negative log-likelihoods and derivatives.

    x, eta and slope: (n_samples, n_features), of which slope receives the derivatives for eta.
    cuts: (n_features, n_levels - 1); gaps, their distances: (n_features, n_levels - 2).
    there: booleans like x, or of shape (1, 1) if all values are. of_cuts and of_gaps, like cuts
    and gaps, and nll (n_features,) begin as zeros, in double precision, and receive sums over
    samples.
    """
    outside = np.empty((2, *eta.shape), eta.dtype)
    # Features side by side, as the values have them.
    by_level = np.ascontiguousarray(cuts.T)
    levels = np.zeros((len(by_level) + 1, x.shape[1]), dtype=np.int32)
    if not _place(x, eta, by_level, there, outside, levels):
        raise ValueError(f"a value is none of the levels from 0 to {len(by_level)}")
    # PyTorch takes exponentials in vectors, as numba does not.
    small = torch.from_numpy(outside).abs().neg_().exp_()
    soft = torch.log1p(small)
    sums = np.zeros(by_level.shape)
    _sum(x, outside, small.numpy(), soft.numpy(), there, slope, sums, nll)
    of_cuts += sums.T
    _between(levels, gaps, of_gaps, nll)


@compiled
def _place(x: Array, eta: Array, cuts: Array, there: Array, outside: Array, levels: Array) -> bool:
    """How far eta is beyond the upper and the lower cut of each value; minus infinity without.

    Returns whether every value is a level.
    """
    everywhere, last = there.shape != x.shape, cuts.shape[0]
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            outside[0, n, j] = outside[1, n, j] = -np.inf
            if everywhere or there[n, j]:
                if not 0 <= x[n, j] <= last:
                    return False
                level = int(x[n, j])
                levels[level, j] += 1
                if level < last:
                    outside[0, n, j] = eta[n, j] - cuts[level, j]
                if level > 0:
                    outside[1, n, j] = cuts[level - 1, j] - eta[n, j]
    return True


@compiled
def _sum(
    x: Array,
    outside: Array,
    small: Array,
    soft: Array,
    there: Array,
    slope: Array,
    of_cuts: Array,
    nll: Array,
) -> None:
    """Sum log(1 + e^t) and derivatives; ``small`` is e^-|t|, ``soft`` log(1 + that)."""
    everywhere, last = there.shape != x.shape, of_cuts.shape[0]
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            above, below = outside[0, n, j], outside[1, n, j]
            far, near = 1.0 / (1.0 + small[0, n, j]), 1.0 / (1.0 + small[1, n, j])
            over = far if above > 0 else small[0, n, j] * far
            under = near if below > 0 else small[1, n, j] * near
            slope[n, j] = over - under
            # log(1 + e^t) is log(1 + e^-|t|) and t where that is above 0.
            nll[j] += soft[0, n, j] + soft[1, n, j] + max(above, 0.0) + max(below, 0.0)
            if everywhere or there[n, j]:
                level = int(x[n, j])
                if level < last:
                    of_cuts[level, j] -= over
                if level > 0:
                    of_cuts[level - 1, j] += under


@compiled
def _between(levels: Array, gaps: Array, of_gaps: Array, nll: Array) -> None:
    """Subtract log(1 - e^-gap) for each value with a cut on either side."""
    for j in range(gaps.shape[0]):
        for k in range(gaps.shape[1]):
            if levels[k + 1, j]:
                nll[j] -= levels[k + 1, j] * math.log(-math.expm1(-gaps[j, k]))
                of_gaps[j, k] -= levels[k + 1, j] / math.expm1(gaps[j, k])
