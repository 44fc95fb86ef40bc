"""Negative binomial counts on the processor, in few passes over the data.

The dear part, log G(x + theta) - log G(theta) - log x! and its derivative for theta, is no matter
of eta, and only its sum over samples is asked for: the sum over i of log(theta + i) times the
number of samples whose count is above i. So counts are counted, and few logarithms taken.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from poems.nn.kernels.compiling import Array, compiled
from poems.nn.kernels.gammas import gamma_logs, rising_logs, softplus_and_sigmoid

# Whole numbers below this are counted; of others each has logarithms of its own.
_COUNTED = 64


def count_terms(
    x: Array,
    eta: Array,
    log_dispersion: Array,
    log_odds: Array,
    there: Array,
    slope: Array,
    of_dispersion: Array,
    of_odds: Array,
    nll: Array,
) -> None:
    """Compute negative log-likelihoods and derivatives, with zeros of their own or without.

    x, eta and slope: (n_samples, n_features), of which slope receives the derivatives for eta.
    log_dispersion and log_odds: (n_features,), the latter of shape (0,) for the negative binomial.
    there: booleans like x, or of shape (1, 1) if all values are. of_dispersion, of_odds and nll
    begin as zeros, in double precision, and receive sums over samples, of_odds like log_odds.
    """
    odds = torch.from_numpy(log_odds)
    shift = torch.from_numpy(log_dispersion)
    if len(odds):
        shift = shift + torch.nn.functional.softplus(odds)
    # PyTorch takes exponentials in vectors, as numba does not.
    t = torch.from_numpy(eta) + shift
    small = t.abs().neg_().exp_()
    soft = torch.log1p(small)
    theta = np.exp(-log_dispersion.astype(np.float64))
    given = (x, t.numpy(), small.numpy(), soft.numpy(), theta)
    if len(odds):
        _inflated(*given, log_odds, there, slope, of_dispersion, of_odds, nll)
    else:
        _plain(*given, there, slope, of_dispersion, nll)
    _ways(x, there, theta, of_dispersion, nll)


@compiled
def _plain(
    x: Array,
    t: Array,
    small: Array,
    soft: Array,
    theta: Array,
    there: Array,
    slope: Array,
    of_dispersion: Array,
    nll: Array,
) -> None:
    """All but the ways to a count; ``small`` is e^-|t|, ``soft`` log(1 + that)."""
    zero = x.dtype.type(0)
    everywhere = there.shape != x.shape
    for n in range(x.shape[0]):
        if everywhere:
            for j in range(x.shape[1]):
                loss, of_eta, of_size = _lost(x[n, j], t[n, j], small[n, j], soft[n, j], theta[j])
                slope[n, j] = of_eta
                nll[j] += loss
                of_dispersion[j] += of_eta - theta[j] * of_size
        else:
            for j in range(x.shape[1]):
                # Choices without a branch: what is not there may be no number at all.
                here = there[n, j]
                value = x[n, j] if here else zero
                loss, of_eta, of_size = _lost(value, t[n, j], small[n, j], soft[n, j], theta[j])
                slope[n, j] = of_eta if here else 0.0
                nll[j] += loss if here else 0.0
                of_dispersion[j] += of_eta - theta[j] * of_size if here else 0.0


@compiled
def _inflated(
    x: Array,
    t: Array,
    small: Array,
    soft: Array,
    theta: Array,
    log_odds: Array,
    there: Array,
    slope: Array,
    of_dispersion: Array,
    of_odds: Array,
    nll: Array,
) -> None:
    """The same with zeros of their own."""
    everywhere = there.shape != x.shape
    lift, share = np.empty((2, x.shape[1]))
    for j in range(x.shape[1]):
        lift[j], share[j] = softplus_and_sigmoid(log_odds[j])
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            if not (everywhere or there[n, j]):
                slope[n, j] = 0.0
                continue
            loss, of_eta, of_size = _lost(x[n, j], t[n, j], small[n, j], soft[n, j], theta[j])
            own = 0.0
            if x[n, j] == 0:
                # -log(e^o + e^-loss), e^-loss being the probability of a zero by chance.
                extra, own = softplus_and_sigmoid(log_odds[j] + loss)
                loss -= extra
                of_eta *= 1.0 - own
                of_size *= 1.0 - own
            slope[n, j] = of_eta
            nll[j] += loss + lift[j]
            of_dispersion[j] += of_eta - theta[j] * of_size
            of_odds[j] += share[j] * (1.0 + of_eta) - own


@compiled
def _lost(
    x: float, t: float, small: float, soft: float, theta: float
) -> tuple[float, float, float]:
    """Compute theta log(1 + e^t) + x log(1 + e^-t), its derivative for t, and for theta."""
    far = 1.0 / (1.0 + small)
    near = small * far
    rises = t > 0
    up, down = (t, 0.0) if rises else (0.0, -t)
    above, below = (far, near) if rises else (near, far)
    return theta * (soft + up) + x * (soft + down), theta * above - x * below, soft + up


@compiled
def _ways(x: Array, there: Array, theta: Array, of_dispersion: Array, nll: Array) -> None:
    """Subtract the logarithms of the ways to the counts."""
    everywhere = there.shape != x.shape
    tally = np.zeros((_COUNTED, x.shape[1]), dtype=np.int32)
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            if not (everywhere or there[n, j]):
                continue
            value = x[n, j]
            whole = int(value) if 0 <= value < _COUNTED else -1
            if value < 0:
                nll[j] = np.nan
            elif whole == value:
                tally[whole, j] += 1
            else:
                ways, slope = rising_logs(value, theta[j])
                nll[j] += gamma_logs(value + 1.0)[0] - ways
                of_dispersion[j] += theta[j] * slope
    for j in range(x.shape[1]):
        above, ways, slope = 0, 0.0, 0.0
        for i in range(_COUNTED - 2, -1, -1):
            # Of the counts above i each has a factor (theta + i) / (i + 1).
            above += tally[i + 1, j]
            if above:
                ways += above * math.log((theta[j] + i) / (i + 1.0))
                slope += above / (theta[j] + i)
        nll[j] -= ways
        of_dispersion[j] += theta[j] * slope
