"""The Gaussian likelihood on the processor, in one pass over the data, compiled by numba."""

from __future__ import annotations

import math

import numpy as np

from poems.nn.kernels.compiling import Array, compiled

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@compiled
def view_sums(
    x: Array,
    eta: Array,
    log_scale: Array,
    there: Array,
    sizes: Array,
    slope: Array,
    excess: Array,
    nll: Array,
) -> None:
    """Compute the negative log-likelihood of each view, and its derivatives but for their sign.

    With r = (x - eta) / sigma where a value is there and 0 elsewhere: r / sigma into slope,
    the sum over samples of 1 - r^2 into excess, which begins as zeros.

    x, eta and slope: (n_samples, n_features), the views' features one after the other; log_scale
    and excess: (n_features,); sizes, of the views, and nll: (n_views,). there: booleans like x, or
    of shape (1, 1) if all are.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    precision = np.exp(-log_scale)
    squares, count = np.zeros_like(log_scale), np.zeros_like(log_scale)
    everywhere = there.shape[0] < x.shape[0] or there.shape[1] < x.shape[1]
    for n in range(x.shape[0]):
        values, predicted, into = x[n], eta[n], slope[n]
        if everywhere:
            for j in range(x.shape[1]):
                r = (values[j] - predicted[j]) * precision[j]
                into[j] = r * precision[j]
                squares[j] += r * r
        else:
            present = there[n]
            for j in range(x.shape[1]):
                # Two choices without a branch: what is not there may be no number at all.
                r = (values[j] - predicted[j]) * precision[j] if present[j] else zero
                into[j] = r * precision[j]
                squares[j] += r * r
                count[j] += one if present[j] else zero
    if everywhere:
        count[:] = len(x)
    first = 0
    for v in range(len(sizes)):
        total = 0.0
        for j in range(first, first + sizes[v]):
            excess[j] = count[j] - squares[j]
            total += 0.5 * squares[j] + count[j] * (log_scale[j] + _HALF_LOG_2PI)
        nll[v] = total
        first += sizes[v]
