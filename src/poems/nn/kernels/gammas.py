"""Logarithms of gamma functions with their derivatives, in double precision, compiled by numba."""

from __future__ import annotations

import math

from poems.nn.kernels.compiling import compiled

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
# From here on Stirling's series of four terms is right to double precision.
LARGE = 12.0


@compiled
def softplus_and_sigmoid(t: float) -> tuple[float, float]:
    """Compute log(1 + e^t) and its derivative without overflow."""
    small = math.exp(-abs(t))
    soft = math.log1p(small)
    if t > 0:
        return soft + t, 1.0 / (1.0 + small)
    return soft, small / (1.0 + small)


@compiled
def stirling(a: float) -> tuple[float, float]:
    """Compute log G(a) beyond (a - 1/2) log a - a, and digamma(a) beyond log a, for large a."""
    inverse = 1.0 / a
    square = inverse * inverse
    rest = 1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))
    slope = 1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0))
    return _HALF_LOG_2PI + inverse * rest, -0.5 * inverse - square * slope


@compiled
def gamma_logs(a: float) -> tuple[float, float]:
    """Compute log G(a) and digamma(a) for a > 0."""
    below, slope = 0.0, 0.0
    if a < LARGE:
        product = 1.0
        while a < LARGE:
            slope = slope * a + product
            product *= a
            a += 1.0
        below, slope = math.log(product), slope / product
    rest, of_slope = stirling(a)
    log_a = math.log(a)
    return (a - 0.5) * log_a - a + rest - below, log_a + of_slope - slope


@compiled
def rising_logs(x: float, theta: float) -> tuple[float, float]:
    """Compute log G(x + theta) - log G(theta), and its derivative for theta."""
    if theta < LARGE:
        above, of_above = gamma_logs(x + theta)
        below, of_below = gamma_logs(theta)
        return above - below, of_above - of_below
    # As a difference of series, which loses no digits where theta is large.
    lifted = math.log1p(x / theta)
    rest, slope = stirling(x + theta)
    rest_below, slope_below = stirling(theta)
    found = (theta - 0.5) * lifted + x * math.log(x + theta) - x + rest - rest_below
    return found, lifted + slope - slope_below
