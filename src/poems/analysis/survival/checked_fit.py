"""A Cox model whose maximum is checked by a likelihood of our own, whatever the fitter says of it.

lifelines takes full Newton steps. Where a covariate has a few far values the first of them can go
beyond where the likelihood can be told from a flat one; what it then returns may have the wrong
sign, and its convergence is a warning or no word at all. Here its answer is taken where gradient
and curvature show a maximum, and else sought by steps that only climb.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.survival.likelihood import PartialLikelihood, climb, is_maximum

_Floats = npt.NDArray[np.float64]
_AFTER = ["time", "event"]
# Twice the log-likelihood that a maximum may seem to lack to rounding and to where steps end.
ROUNDING = 1e-4


class NoMaximumError(ArithmeticError):
    """The partial likelihood has no maximum, or none was found; the text says of what."""


@dataclass(frozen=True, eq=False)
class CheckedFit:
    """A model at the maximum of its likelihood.

    Parameters
    ----------
    beta, variance
        Coefficients and the inverse of their information, of the columns of ``table``.
    scale
        What these columns were divided by, (n_terms,): a coefficient divided by it is that of a
        unit. Ones but where smaller steps were needed.
    statistic
        Twice the gain in log-likelihood over no covariates at all; of a penalised model the
        penalty is subtracted.
    smaller_steps
        Was the maximum found by smaller steps, after lifelines had missed it?
    table
        Columns ``x0``, ``x1``, … and ``time``, ``event``.
    fitted
        The fitter of lifelines at this maximum; ``None`` where hazards overflow in it.
    """

    beta: _Floats
    variance: _Floats
    scale: _Floats
    statistic: float
    smaller_steps: bool
    table: pd.DataFrame
    fitted: Any


def checked_fit(table: pd.DataFrame, penalty: float) -> CheckedFit:
    """Fit a Cox model, ties by Efron's method, and check that it is at the maximum.

    Parameters
    ----------
    table
        Columns ``x0``, ``x1``, … of the covariates, then ``time`` and ``event``.
    penalty
        Of the squared coefficients of standardised covariates.

    Raises
    ------
    NoMaximumError
        If neither lifelines nor smaller steps end in a maximum.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"x0": rng.standard_normal(50), "time": rng.random(50), "event": True})
    >>> checked_fit(table, 0.0).smaller_steps
    False
    """
    x = standardised(table.drop(columns=_AFTER).to_numpy(dtype=np.float64))
    time, event = table["time"].to_numpy(np.float64), table["event"].to_numpy(bool)
    likelihood = PartialLikelihood(x.values, time, event, penalty)
    null = likelihood.value(np.zeros(x.values.shape[1]))
    fitted = _lifelines(table, penalty)
    if fitted is not None:
        beta = fitted.params_.to_numpy(dtype=np.float64) * x.spread
        if _is_answer(likelihood, beta, null):
            own = float(fitted.log_likelihood_ratio_test().test_statistic)
            # A maximum by our likelihood, but lifelines' own value of it is another: cancelled.
            if abs(own - 2 * (likelihood.value(beta) - null)) <= ROUNDING * max(1.0, abs(own)):
                params = fitted.params_.to_numpy(dtype=np.float64)
                variance = fitted.variance_matrix_.to_numpy(dtype=np.float64)
                return CheckedFit(params, variance, np.ones(len(beta)), own, False, table, fitted)
    best = climb(likelihood, len(x.spread))
    if best is None or not _is_answer(likelihood, best, null):
        raise NoMaximumError("the partial likelihood has no maximum")
    inverse = np.linalg.inv(likelihood.slope(best).information)
    variance = np.asarray(inverse, dtype=np.float64)
    statistic = 2 * (likelihood.value(best) - null)
    columns = dict(zip(table.columns.drop(_AFTER), x.values.T, strict=True))
    scaled = table.assign(**columns)
    # Started at the maximum it stays there, if it can follow: for residuals, nothing else.
    fitted = _lifelines(scaled, penalty, best)
    if fitted is not None and not np.allclose(fitted.params_, best, rtol=1e-6, atol=1e-6):
        fitted = None
    return CheckedFit(best, variance, x.spread, statistic, True, scaled, fitted)


@dataclass(frozen=True, eq=False)
class Standardised:
    """Columns of mean 0 and standard deviation 1, and the deviations they had."""

    values: _Floats
    spread: _Floats


def standardised(x: _Floats) -> Standardised:
    """Bring columns that vary to mean 0 and standard deviation 1, whatever their size.

    Examples
    --------
    >>> standardised(np.array([[1e300], [-1e300]])).values.round(3).tolist()
    [[0.707], [-0.707]]
    """
    largest = np.abs(x).max(axis=0)
    # Halved and divided by the largest first: the square of neither can overflow or vanish.
    unit = x / 2 / np.where(largest > 0, largest / 2, 1.0)
    unit = unit - unit.mean(axis=0)
    further = np.abs(unit).max(axis=0)
    further = np.where(further > 0, further, 1.0)
    spread = (unit / further).std(axis=0, ddof=1)
    spread = np.where(spread > 0, spread, 1.0)
    return Standardised(unit / further / spread, largest * further * spread)


def _is_answer(likelihood: PartialLikelihood, beta: _Floats, null: float) -> bool:
    """Is it a maximum, and not below the likelihood of no effect, which it includes?"""
    if not np.isfinite(beta).all():
        return False
    slope = likelihood.slope(beta)
    return bool(2 * (slope.value - null) >= -ROUNDING and is_maximum(slope, beta))


def _lifelines(table: pd.DataFrame, penalty: float, start: _Floats | None = None) -> Any:
    """Fit by lifelines, from no effect or a start; ``None`` where it gives up."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    begin = None if start is None else start.copy()
    try:
        with warnings.catch_warnings():
            # Whether it converged, and whether a sum overflowed on the way, is not taken from
            # its warnings, which are not raised at each wrong answer: the caller checks it.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            fitter = CoxPHFitter(penalizer=penalty)
            return fitter.fit(table, "time", "event", initial_point=begin)
    except (ConvergenceError, ArithmeticError, ValueError, np.linalg.LinAlgError):
        # Smaller steps are tried next, and what they do not reach is said.
        return None
