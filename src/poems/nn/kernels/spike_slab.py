"""The prior on the loadings on the processor, in one pass over them, compiled by numba.

The formulas are those of :mod:`poems.nn.distributions.spike_slab`, with odds in place of their
logarithms: most loadings are zero, and theirs need no exponential. What overflows or underflows
are odds that are beyond all doubt.
"""

from __future__ import annotations

import math

import numpy as np

from poems.nn.kernels.compiling import Array, compiled


@compiled
def _include(w: Array, against: Array, spike: float, slab: float, ratio: float, p: Array) -> None:
    """Compute the probability p that each of a feature's loadings w comes from the slab.

    ``against`` are a factor's odds against it, ``ratio`` that of the densities of spike and slab
    at zero.
    """
    one = w.dtype.type(1)
    for k in range(len(w)):
        p[k] = one / (one + against[k] * ratio)
    for k in range(len(w)):
        if w[k] != 0:
            p[k] = one / (one + against[k] * ratio * math.exp((slab - spike) * abs(w[k])))


@compiled
def penalty_rates(
    W: Array,
    theta_logit: Array,
    spike: Array,
    view: Array,
    rates: Array,
    slab: float,
    density_ratio: bool,
    divisor: float,
) -> None:
    """Compute the L1 rate of each loading, divided by a number.

    W and rates: (n_features, n_latent); theta_logit: (n_views, n_latent); spike and view (of each
    feature): (n_features,).
    """
    one, low, against = W.dtype.type(1), W.dtype.type(slab), np.exp(-theta_logit)
    share = W.dtype.type(1 / divisor)
    for j in range(W.shape[0]):
        high, row = spike[j], rates[j]
        _include(W[j], against[view[j]], high, low, high / low if density_ratio else one, row)
        for k in range(W.shape[1]):
            row[k] = share * (high + row[k] * (low - high))


@compiled
def update_theta(
    W: Array,
    theta_logit: Array,
    spike: Array,
    view: Array,
    counts: Array,
    slab: float,
    density_ratio: bool,
    b: float,
) -> None:
    """Bring ``theta_logit`` to its EM update.

    The prior is Beta(1, b n) in a view of n features. counts, of a view's features: (n_views,);
    the rest as above.
    """
    one, low, against = W.dtype.type(1), W.dtype.type(slab), np.exp(-theta_logit)
    p, included = np.empty(W.shape[1], W.dtype), np.zeros(theta_logit.shape)
    for j in range(W.shape[0]):
        high, total = spike[j], included[view[j]]
        _include(W[j], against[view[j]], high, low, high / low if density_ratio else one, p)
        for k in range(W.shape[1]):
            total[k] += p[k]
    for v in range(theta_logit.shape[0]):
        for k in range(theta_logit.shape[1]):
            # As in `distributions.spike_slab`, of which this is the fast form.
            excluded = max((1 + b) * counts[v] - 1 - included[v, k], 0.0)
            theta_logit[v, k] = math.log(included[v, k] + 0.5) - math.log(excluded + 0.5)
