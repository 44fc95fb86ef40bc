r"""Cox's partial likelihood with Efron's ties, its slope, and its maximum by steps that only climb.

With the sum :math:`R` of hazards over those still followed who do not die at a time, and the sum
:math:`D` over the :math:`d` who die then,

.. math::
    \ell(\beta) = \sum_{\text{deaths } i} \beta^T x_i
    - \sum_{\text{times}} \sum_{l=0}^{d-1} \log\left(R + (1 - l/d) D\right)

(Efron 1977). Hazards are held as logarithms and nothing is subtracted, so that no coefficient,
however far off, overflows or cancels: what another program found can be judged by this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

# Numbers held at a time: rows of weights are made in blocks of about 32 MB.
_BLOCK: Final = 4_000_000
_STEPS: Final = 200
# At a maximum what a Newton step would still gain in log-likelihood, and how far it would go: in
# standard deviations of a covariate, or in parts of a coefficient beyond 1. A likelihood that rises
# for ever, as where the events can be told from a covariate without fail, gains less and less by
# steps that do not become shorter.
MOST_GAIN: Final = 1e-5
LONGEST_STEP: Final = 1e-3
# Of the information matrix, scaled to a unit diagonal. Beyond, its inverse has lost ten digits,
# and the terms follow from one another as far as can be told.
_MOST_CONDITION: Final = 1e10


@dataclass(frozen=True, eq=False)
class Slope:
    """The log-likelihood at a point, its gradient (n_terms,) and information (n_terms, n_terms).

    ``rounding``, (n_terms,), is what the gradient may be off by.
    """

    value: float
    gradient: _Floats
    information: _Floats
    rounding: _Floats


class PartialLikelihood:
    """Efron's partial likelihood of a table of covariates, less a ridge penalty.

    Parameters
    ----------
    x
        Covariates, (n_samples, n_terms), near mean 0 and standard deviation 1.
    time, event
        Follow-up of each sample and whether the event was seen.
    penalty
        ``penalty * n_samples / 2`` times the sum of squared coefficients is subtracted.

    Examples
    --------
    >>> x, time, event = np.array([[1.0], [0.0]]), np.array([1.0, 2.0]), np.array([True, True])
    >>> found = PartialLikelihood(x, time, event)
    >>> bool(np.isclose(found.value(np.zeros(1)), np.log(0.5)))
    True
    """

    def __init__(self, x: _Floats, time: _Floats, event: _Bools, penalty: float = 0.0) -> None:
        # The longest followed first, and who dies at a time after who is censored then.
        order = np.lexsort((event, -time))
        self.x, self.event, time = x[order], event[order], time[order]
        self.ridge = penalty * len(x)
        dies = self.event.nonzero()[0]
        _, first, n_tied = np.unique(-time[dies], return_index=True, return_counts=True)
        # Of each death: where those of its time start and end, and 1 - l/d.
        self.start = np.repeat(dies[first], n_tied)
        self.stop = self.start + np.repeat(n_tied, n_tied)
        rank = np.arange(len(dies)) - np.repeat(first, n_tied)
        self.share = 1.0 - rank / np.repeat(n_tied, n_tied)

    def value(self, beta: _Floats) -> float:
        """Return the penalised log-likelihood."""
        eta = self.x @ beta
        fitted = eta[self.event].sum() - self._log_sums(eta).sum()
        return float(fitted - self.ridge / 2 * beta @ beta)

    def slope(self, beta: _Floats) -> Slope:
        """Return the log-likelihood with its first two derivatives."""
        eta = self.x @ beta
        sums = self._log_sums(eta)
        (n, d), at = self.x.shape, np.arange(len(eta))
        information, gradient = np.zeros((d, d)), self.x[self.event].sum(axis=0)
        summed = np.abs(self.x[self.event]).sum(axis=0)
        size = max(1, _BLOCK // max(1, n * d))
        for some in (slice(left, left + size) for left in range(0, len(sums), size)):
            share = np.where(at < self.start[some, None], 1.0, self.share[some, None])
            there = at < self.stop[some, None]
            # Of who is not followed any more the hazard may exceed the sum: left out before exp.
            weights = share * np.exp(np.where(there, eta - sums[some, None], -np.inf))
            mean = weights @ self.x
            gradient = gradient - mean.sum(axis=0)
            summed += np.abs(mean).sum(axis=0)
            # Centred before it is squared: far values would cancel all digits otherwise.
            away = (np.sqrt(weights)[..., None] * (self.x - mean[:, None])).reshape(-1, d)
            information += away.T @ away
        value = float(eta[self.event].sum() - sums.sum() - self.ridge / 2 * beta @ beta)
        ridge = self.ridge * np.eye(len(beta))
        rounding = np.finfo(np.float64).eps * (summed + self.ridge * np.abs(beta))
        return Slope(value, gradient - self.ridge * beta, information + ridge, rounding)

    def _log_sums(self, eta: _Floats) -> _Floats:
        """Log of the sum of hazards that each death is compared with."""
        if not len(self.start):
            return np.zeros(0)
        before = np.logaddexp.accumulate(eta)
        others = np.where(self.start > 0, before[self.start - 1], -np.inf)
        starts = np.unique(self.start)
        # Every second sum is that of the deaths of one time, the others lie between them.
        bounds = np.stack([starts, np.unique(self.stop)], axis=1).ravel()
        padded = np.append(eta, -np.inf)
        tied = np.logaddexp.reduceat(padded, bounds)[::2]
        of_death = tied[np.searchsorted(starts, self.start)]
        return np.asarray(np.logaddexp(others, np.log(self.share) + of_death))


def newton_step(slope: Slope) -> _Floats | None:
    """Return the step to the top of the parabola that fits here; ``None`` if there is none.

    Examples
    --------
    >>> newton_step(Slope(0.0, np.array([2.0]), np.array([[4.0]]), np.zeros(1)))
    array([0.5])
    """
    diagonal = np.diag(slope.information)
    if not (np.isfinite(slope.information).all() and (diagonal > 0).all()):
        return None
    scale = np.sqrt(diagonal)
    unit = slope.information / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(unit)
    if values[0] * _MOST_CONDITION < values[-1]:
        return None
    step: _Floats = vectors @ ((vectors.T @ (slope.gradient / scale)) / values) / scale
    return step


def is_maximum(slope: Slope, beta: _Floats, part: float = 1.0) -> bool:
    """Say whether the likelihood has its maximum here, within a part of what is allowed.

    Examples
    --------
    >>> slope, exact = np.array([1e-6]), np.zeros(1)
    >>> is_maximum(Slope(0.0, slope, np.array([[4.0]]), exact), np.ones(1))
    True
    >>> is_maximum(Slope(0.0, slope, np.array([[1e-6]]), exact), np.ones(1))  # it goes on rising
    False
    """
    step = newton_step(slope)
    if step is None:
        return False
    # Relative for large coefficients only, which are known to as many digits as others.
    longest = LONGEST_STEP * np.maximum(1.0, np.abs(beta))
    gain = slope.gradient @ step / 2
    # Where all is flat to rounding a gradient of 0 means nothing.
    if (slope.rounding > longest * np.diag(slope.information)).any():
        return False
    return bool(gain <= part * MOST_GAIN and (np.abs(step) <= part * longest).all())


def climb(likelihood: PartialLikelihood, n_terms: int) -> _Floats | None:
    """Maximise the likelihood by Newton steps, each cut until the likelihood rises.

    The likelihood is concave, so that what climbs arrives, if there is a maximum.

    Returns
    -------
    The coefficients, (n_terms,), or ``None`` if there is no maximum, or none that can be made out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((100, 1))
    >>> time, event = rng.exponential(np.exp(-x[:, 0])), np.ones(100, dtype=bool)
    >>> found = climb(PartialLikelihood(x, time, event), 1)
    >>> bool(0.5 < found[0] < 1.5)
    True
    """
    beta = np.zeros(n_terms)
    for _ in range(_STEPS):
        slope = likelihood.slope(beta)
        step = newton_step(slope)
        if step is None:
            return None
        gain = float(slope.gradient @ step)
        if is_maximum(slope, beta, 1e-6):
            return beta
        size = 1.0
        # Written so that what is not a number is no climb either.
        while not likelihood.value(beta + size * step) >= slope.value + 1e-4 * size * gain:
            size /= 2
            if size < 1e-6 and is_maximum(slope, beta, 0.1):
                # Rounding hides what is left to gain.
                return beta
            if size < 1e-12:
                return None
        beta = beta + size * step
    return None
