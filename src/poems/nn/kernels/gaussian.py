"""The Gaussian likelihood on the processor, in one pass over the data, compiled by numba."""

from __future__ import annotations

import math

import numpy as np

from poems.nn.kernels.compiling import Array, compiled

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@compiled
def gaussian_terms(
    x: Array,
    eta: Array,
    log_scale: Array,
    variance: Array,
    measured: Array,
    observed: Array,
    sizes: Array,
    noise: tuple[float, float],
    slope: Array,
    excess: Array,
    of_prior: Array,
    nll: Array,
    prior: Array,
) -> None:
    """Compute the negative log-likelihood of each feature and that of its noise prior.

    With r = (x - eta) / sigma where a value is there and 0 elsewhere: r / sigma into slope, the
    sum over samples of 1 - r^2 into excess, which begins as zeros, and the derivative of the
    noise prior for log sigma into of_prior.

    x, eta and slope: (n_samples, n_features), the views' features one after the other; log_scale,
    variance, excess, of_prior, nll and prior: (n_features,); sizes, of the views: (n_views,).
    measured: booleans of shape (n_samples, n_views); observed: like x, or of shape (1, 1) if all
    are. noise: degrees of freedom of its prior, and its scale's share of a feature's variance.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    precision = np.exp(-log_scale)
    squares, count = np.zeros_like(log_scale), excess
    everywhere = observed.shape[0] < x.shape[0] or observed.shape[1] < x.shape[1]
    for n in range(x.shape[0]):
        values, predicted, into, first = x[n], eta[n], slope[n], 0
        for v in range(len(sizes)):
            last = first + sizes[v]
            if not measured[n, v]:
                into[first:last] = zero
            elif everywhere:
                for j in range(first, last):
                    r = (values[j] - predicted[j]) * precision[j]
                    into[j] = r * precision[j]
                    squares[j] += r * r
            else:
                present = observed[n]
                for j in range(first, last):
                    # Two choices without a branch: what is not there may be no number at all.
                    r = (values[j] - predicted[j]) * precision[j] if present[j] else zero
                    into[j] = r * precision[j]
                    squares[j] += r * r
                    count[j] += one if present[j] else zero
            first = last
    first = 0
    for v in range(len(sizes)):
        if everywhere:
            count[first : first + sizes[v]] = measured[:, v].sum()
        for j in range(first, first + sizes[v]):
            nll[j] = 0.5 * squares[j] + count[j] * (log_scale[j] + _HALF_LOG_2PI)
            excess[j] = count[j] - squares[j]
            ratio = 0.5 * noise[0] * noise[1] * variance[j] * precision[j] ** 2
            prior[j] = ratio + (noise[0] + 2) * log_scale[j]
            of_prior[j] = noise[0] + 2 - 2 * ratio
        first += sizes[v]
