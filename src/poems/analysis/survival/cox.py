r"""Cox models of subtypes and factors: hazard ratios, tests, and whether hazards stay proportional.

.. math::
    h(t \mid x) = h_0(t) \exp(\beta^T x)

(Cox 1972), ties by Efron's method. With fewer than 10 events for every coefficient, or a group
without any event, the coefficients are shrunken by a ridge penalty of 0.1 (on standardised terms,
beside the mean log partial likelihood): then hazard ratios are drawn to 1, and tests are Wald's
with the penalised information, which errs towards large p-values. Without it tests are likelihood
ratios.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.survival.covariates import Term

# Events for every coefficient below which estimates are unreliable (Peduzzi et al. 1995).
EVENTS_PER_TERM: Final = 10
RIDGE: Final = 0.1
COLUMNS: Final = [
    "model", "adjusted_for", "term", "level", "reference", "role", "hazard_ratio", "lower",
    "upper", "p", "test", "df", "n_samples", "n_events", "penalty",
]  # fmt: skip
PH_COLUMNS: Final = ["model", "adjusted_for", "term", "level", "statistic", "p"]

_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CoxFit:
    """Rows of one model.

    Parameters
    ----------
    rows
        Of the table of hazard ratios, columns ``COLUMNS``. The row of role ``"test"`` is that of
        all terms of interest together; ``"term"`` and ``"covariate"`` are single coefficients.
    proportional
        Of the table of the check of proportional hazards, columns ``PH_COLUMNS``.
    p
        Of the test of the terms of interest; ``NaN`` if the model did not converge.
    penalty
        The ridge penalty.
    """

    rows: list[dict[str, Any]]
    proportional: list[dict[str, Any]]
    p: float
    penalty: float


def fit_cox(
    model: str,
    terms: Sequence[Term],
    covariates: Sequence[Term],
    time: npt.NDArray[np.float64],
    event: _Bools,
) -> CoxFit:
    """Fit a Cox model and test its terms of interest beside the covariates.

    Parameters
    ----------
    model
        What the model is called.
    terms
        Terms of interest, of which none is missing.
    covariates
        What it is adjusted for, of which none is missing.
    time, event
        Follow-up of each sample and whether the event was seen.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal(100)
    >>> term = Term("factor_1", "", "", x)
    >>> found = fit_cox("factor_1", [term], [], rng.exponential(np.exp(-x)), np.ones(100, bool))
    >>> found.p < 1e-6, found.penalty
    (True, 0.0)
    """
    from lifelines.exceptions import ConvergenceError

    # What is constant among these samples has no coefficient.
    interest = [term for term in terms if np.ptp(term.values) > 0]
    beside = [term for term in covariates if np.ptp(term.values) > 0]
    adjusted = ", ".join(dict.fromkeys(term.name for term in beside))
    head = {
        "model": model, "adjusted_for": adjusted, "n_samples": len(time),
        "n_events": int(event.sum()),
    }  # fmt: skip
    if not interest:
        return CoxFit([{**head, **_empty(terms), "penalty": 0.0}], [], np.nan, 0.0)
    n_terms = len(interest) + len(beside)
    scarce = event.sum() < EVENTS_PER_TERM * n_terms or _eventless(interest + beside, event)
    for penalty in (RIDGE,) if scarce else (0.0, RIDGE):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = _table([*interest, *beside], time, event)
                fitted = _fit(table, penalty)
                test = _test(fitted, table, len(interest), len(beside), penalty)
                rows = [{**head, **_overall(interest), **test, "penalty": penalty}]
                rows += _coefficients(fitted, interest, beside, head, penalty)
                check = _proportional(fitted, table, [*interest, *beside], model, adjusted)
        except (ConvergenceError, ZeroDivisionError, np.linalg.LinAlgError):
            continue
        if np.isfinite([row["hazard_ratio"] for row in rows[1:]]).all():
            return CoxFit(rows, check, float(test["p"]), penalty)
    return CoxFit([{**head, **_empty(terms), "penalty": RIDGE}], [], np.nan, RIDGE)


def _eventless(terms: Sequence[Term], event: _Bools) -> bool:
    """Is there a group, a reference among them, in which no event was seen?"""
    by_name: dict[str, list[Term]] = {}
    for term in terms:
        if term.level:
            by_name.setdefault(term.name, []).append(term)
    for group in by_name.values():
        rest = ~np.any([term.values > 0 for term in group], axis=0)
        if not event[rest].any() or any(not event[term.values > 0].any() for term in group):
            return True
    return False


def _table(terms: Sequence[Term], time: Any, event: _Bools) -> pd.DataFrame:
    # Positions for names: lifelines reads its column names as formulas.
    table = pd.DataFrame({f"x{at}": term.values for at, term in enumerate(terms)})
    table["time"], table["event"] = time, event
    return table


def _fit(table: pd.DataFrame, penalty: float) -> Any:
    from lifelines import CoxPHFitter

    return CoxPHFitter(penalizer=penalty).fit(table, "time", "event")


def _test(
    fitted: Any, table: pd.DataFrame, n_interest: int, n_beside: int, penalty: float
) -> dict[str, Any]:
    """Test the first ``n_interest`` coefficients together."""
    from scipy.stats import chi2

    if penalty:
        b = fitted.params_.to_numpy()[:n_interest]
        v = fitted.variance_matrix_.to_numpy()[:n_interest, :n_interest]
        statistic = float(b @ np.linalg.solve(v, b))
    else:
        statistic = float(fitted.log_likelihood_ratio_test().test_statistic)
        if n_beside:
            columns = [f"x{n_interest + at}" for at in range(n_beside)]
            without = _fit(table[[*columns, "time", "event"]], penalty)
            statistic -= float(without.log_likelihood_ratio_test().test_statistic)
    return {
        "p": float(chi2.sf(max(statistic, 0.0), n_interest)),
        "test": "Wald (ridge)" if penalty else "likelihood ratio",
        "df": n_interest,
    }


def _overall(terms: Sequence[Term]) -> dict[str, Any]:
    names = list(dict.fromkeys(term.name for term in terms))
    return {
        "term": names[0] if len(names) == 1 else "all", "level": "",
        "reference": terms[0].reference, "role": "test", "hazard_ratio": np.nan,
        "lower": np.nan, "upper": np.nan,
    }  # fmt: skip


def _empty(terms: Sequence[Term]) -> dict[str, Any]:
    """Return the row of a model that could not be fitted."""
    name = terms[0].name if terms else ""
    return {
        "term": name, "level": "", "reference": "", "role": "test", "hazard_ratio": np.nan,
        "lower": np.nan, "upper": np.nan, "p": np.nan, "test": "none: not fitted", "df": 0,
    }  # fmt: skip


def _coefficients(
    fitted: Any,
    interest: Sequence[Term],
    beside: Sequence[Term],
    head: dict[str, Any],
    penalty: float,
) -> list[dict[str, Any]]:
    """Return a row for every coefficient, with limits of 95 % and Wald's test."""
    summary = fitted.summary
    rows = []
    for at, term in enumerate([*interest, *beside]):
        row = summary.loc[f"x{at}"]
        rows.append(
            {
                **head,
                "term": term.name,
                "level": term.level,
                "reference": term.reference,
                "role": "term" if at < len(interest) else "covariate",
                "hazard_ratio": float(row["exp(coef)"]),
                "lower": float(row["exp(coef) lower 95%"]),
                "upper": float(row["exp(coef) upper 95%"]),
                "p": float(row["p"]),
                "test": "Wald (ridge)" if penalty else "Wald",
                "df": 1,
                "penalty": penalty,
            }
        )
    return rows


def _proportional(
    fitted: Any, table: pd.DataFrame, terms: Sequence[Term], model: str, adjusted: str
) -> list[dict[str, Any]]:
    """Test each coefficient's scaled Schoenfeld residuals against ranked time."""
    from lifelines.statistics import proportional_hazard_test

    summary = proportional_hazard_test(fitted, table, time_transform="rank").summary
    return [
        {
            "model": model,
            "adjusted_for": adjusted,
            "term": term.name,
            "level": term.level,
            "statistic": float(summary.loc[f"x{at}", "test_statistic"]),
            "p": float(summary.loc[f"x{at}", "p"]),
        }
        for at, term in enumerate(terms)
    ]
