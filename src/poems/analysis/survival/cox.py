r"""Cox models of subtypes and factors: hazard ratios, tests, and whether hazards stay proportional.

.. math::
    h(t \mid x) = h_0(t) \exp(\beta^T x)

(Cox 1972), ties by Efron's method. With fewer than 10 events for every coefficient, or a group
without any event, the coefficients are shrunken by a ridge penalty of 0.1 (on standardised terms,
beside the mean log partial likelihood): then hazard ratios are drawn to 1, and tests are Wald's
with the penalised information, which errs towards large p-values. Without it tests are likelihood
ratios. The penalty also answers a likelihood without a maximum.

Every model is checked to be at the maximum of its likelihood, see
:mod:`poems.analysis.survival.checked_fit`; what is not is not fitted, and said so. The likelihood
ratio and Wald's test of the same terms contradict each other where one has p below 0.01 and the
other above 0.5. (A single coefficient at the maximum has the right sign: the likelihood is concave,
and rises all the way from no effect.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.survival.checked_fit import (
    ROUNDING,
    CheckedFit,
    NoMaximumError,
    checked_fit,
    standardised,
)
from poems.analysis.survival.covariates import Term
from poems.wording import p_text

# Events for every coefficient below which estimates are unreliable (Peduzzi et al. 1995).
EVENTS_PER_TERM: Final = 10
RIDGE: Final = 0.1
COLUMNS: Final = [
    "model", "adjusted_for", "term", "level", "reference", "role", "hazard_ratio", "lower",
    "upper", "p", "test", "df", "n_samples", "n_events", "penalty",
]  # fmt: skip
NOT_FITTED: Final = "not fitted"
# Where exp of the coefficient of a unit is 0 or infinite.
UNTOLD: Final = "the ratio of one unit is beyond what a number holds"
PH_COLUMNS: Final = ["model", "adjusted_for", "term", "level", "statistic", "p", "note"]

_Bools = npt.NDArray[np.bool_]
_Floats = npt.NDArray[np.float64]
Why = Literal["fitted", "smaller steps", "few events", "no maximum", "constant", "failed"]


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
        Of the test of the terms of interest; ``NaN`` if the model could not be fitted.
    penalty
        The ridge penalty.
    why
        What is to be said of how the model was fitted.
    contradiction
        What is to be said where its two tests contradict each other, else ``""``.
    """

    rows: list[dict[str, Any]]
    proportional: list[dict[str, Any]]
    p: float
    penalty: float
    why: Why = "fitted"
    contradiction: str = ""


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
    # What is constant among these samples has no coefficient.
    interest = [term for term in terms if np.ptp(term.values) > 0]
    beside = [term for term in covariates if np.ptp(term.values) > 0]
    adjusted = ", ".join(dict.fromkeys(term.name for term in beside))
    head = {
        "model": model, "adjusted_for": adjusted, "n_samples": len(time),
        "n_events": int(event.sum()),
    }  # fmt: skip
    if not interest:
        return _not_fitted(head, terms, 0.0, "constant")
    n_terms = len(interest) + len(beside)
    scarce = event.sum() < EVENTS_PER_TERM * n_terms or _eventless(interest + beside, event)
    why: Why = "few events" if scarce else "fitted"
    table = _table([*interest, *beside], time, event)
    for penalty in (RIDGE,) if scarce else (0.0, RIDGE):
        try:
            fit = checked_fit(table, penalty)
            test = _test(fit, len(interest), len(beside), penalty)
        except (NoMaximumError, np.linalg.LinAlgError):
            why = why if scarce else "no maximum"
            continue
        rows = [{**head, **_overall(interest), **test, "penalty": penalty}]
        rows += _coefficients(fit, interest, beside, head, penalty)
        check = _proportional(fit, [*interest, *beside], model, adjusted)
        sentence = "" if penalty else _contradiction(fit, test["p"], interest, beside, time, event)
        if why == "fitted" and fit.smaller_steps:
            why = "smaller steps"
        return CoxFit(rows, check, float(test["p"]), penalty, why, sentence)
    return _not_fitted(head, terms, RIDGE, "failed")


def _not_fitted(head: dict[str, Any], terms: Sequence[Term], penalty: float, why: Why) -> CoxFit:
    """Return a model without results, each of whose rows says so."""
    name = terms[0].name if terms else ""
    row = {
        **head, "term": name, "level": "", "reference": "", "role": "test", "hazard_ratio": np.nan,
        "lower": np.nan, "upper": np.nan, "p": np.nan, "test": NOT_FITTED, "df": 0,
        "penalty": penalty,
    }  # fmt: skip
    check = {key: row[key] for key in ("model", "adjusted_for", "term", "level", "p")}
    return CoxFit([row], [{**check, "statistic": np.nan, "note": NOT_FITTED}], np.nan, penalty, why)


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


def _test(fit: CheckedFit, n_interest: int, n_beside: int, penalty: float) -> dict[str, Any]:
    """Test the first ``n_interest`` coefficients together."""
    from scipy.stats import chi2

    if penalty:
        statistic = _wald(fit, n_interest)
    else:
        statistic = fit.statistic
        if n_beside:
            columns = [f"x{n_interest + at}" for at in range(n_beside)]
            statistic -= checked_fit(fit.table[[*columns, "time", "event"]], penalty).statistic
        if statistic < -2 * ROUNDING * max(1.0, fit.statistic):
            raise NoMaximumError("the model is less likely than one without its terms")
    return {
        # Both likelihoods are at their maxima, so that what is below 0 is rounding, checked above.
        "p": float(chi2.sf(max(statistic, 0.0), n_interest)),
        "test": "Wald (ridge)" if penalty else "likelihood ratio",
        "df": n_interest,
    }


def _wald(fit: CheckedFit, n_interest: int) -> float:
    b, v = fit.beta[:n_interest], fit.variance[:n_interest, :n_interest]
    return float(b @ np.linalg.solve(v, b))


def _contradiction(
    fit: CheckedFit,
    p: float,
    interest: Sequence[Term],
    beside: Sequence[Term],
    time: _Floats,
    event: _Bools,
) -> str:
    """Compare the likelihood ratio with Wald's test; look into what makes them differ."""
    from scipy.stats import chi2

    wald = float(chi2.sf(_wald(fit, len(interest)), len(interest)))
    if not (min(p, wald) < 0.01 and max(p, wald) > 0.5):
        return ""
    sentence = f"likelihood ratio {p_text(p)}, Wald {p_text(wald)}"
    away = np.abs(standardised(np.stack([term.values for term in interest], axis=1)).values)
    furthest = int(away.max(axis=1).argmax())
    # A sample is looked into only this many standard deviations of its covariate away.
    if interest[0].level or away[furthest].max() < 5.0:
        return f"{sentence}; the likelihood is far from a parabola"
    rest = np.arange(len(time)) != furthest
    far = f"the sample furthest away lies {away[furthest].max():.0f} standard deviations off"
    terms = [*interest, *beside]
    if any(np.ptp(term.values[rest]) == 0 for term in terms) or not event[rest].any():
        return f"{sentence}; {far}, and without it nothing is left to test"
    try:
        table = _table(terms, time, event)[rest].reset_index(drop=True)
        other = _test(checked_fit(table, 0.0), len(interest), len(beside), 0.0)["p"]
    except (NoMaximumError, np.linalg.LinAlgError):
        return f"{sentence}; {far}, and without it the likelihood has no maximum"
    return f"{sentence}; {far}, and without it the likelihood ratio has {p_text(other)}"


def _overall(terms: Sequence[Term]) -> dict[str, Any]:
    names = list(dict.fromkeys(term.name for term in terms))
    return {
        "term": names[0] if len(names) == 1 else "all", "level": "",
        "reference": terms[0].reference, "role": "test", "hazard_ratio": np.nan,
        "lower": np.nan, "upper": np.nan,
    }  # fmt: skip


def _coefficients(
    fit: CheckedFit,
    interest: Sequence[Term],
    beside: Sequence[Term],
    head: dict[str, Any],
    penalty: float,
) -> list[dict[str, Any]]:
    """Return a row for every coefficient, with limits of 95 % and Wald's test."""
    from scipy.stats import chi2, norm

    error = np.sqrt(np.diag(fit.variance))
    p = chi2.sf((fit.beta / error) ** 2, 1)
    # A unit so far off that its ratio is no number is pointed out below, by `finite`.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        beta, reach = fit.beta / fit.scale, norm.ppf(0.975) * error / fit.scale
        ratio = np.exp(beta)
        lower, upper = ratio * np.exp(-reach), ratio * np.exp(reach)
    rows = []
    test = "Wald (ridge)" if penalty else "Wald"
    for at, term in enumerate([*interest, *beside]):
        finite = bool(0 < ratio[at] < np.inf)
        rows.append(
            {
                **head,
                "term": term.name,
                "level": term.level,
                "reference": term.reference,
                "role": "term" if at < len(interest) else "covariate",
                "hazard_ratio": float(ratio[at]) if finite else np.nan,
                "lower": float(lower[at]) if finite else np.nan,
                "upper": float(upper[at]) if finite else np.nan,
                "p": float(p[at]),
                "test": test if finite else f"{test}; {UNTOLD}",
                "df": 1,
                "penalty": penalty,
            }
        )
    return rows


def _proportional(
    fit: CheckedFit, terms: Sequence[Term], model: str, adjusted: str
) -> list[dict[str, Any]]:
    """Test each coefficient's scaled Schoenfeld residuals against ranked time."""
    from lifelines.statistics import proportional_hazard_test

    head = {"model": model, "adjusted_for": adjusted}
    missing = {"statistic": np.nan, "p": np.nan, "note": "not computed: hazards overflow"}
    if fit.fitted is None:
        return [{**head, "term": t.name, "level": t.level, **missing} for t in terms]
    summary = proportional_hazard_test(fit.fitted, fit.table, time_transform="rank").summary
    return [
        {
            **head,
            "term": term.name,
            "level": term.level,
            "statistic": float(summary.loc[f"x{at}", "test_statistic"]),
            "p": float(summary.loc[f"x{at}", "p"]),
            "note": "",
        }
        for at, term in enumerate(terms)
    ]
