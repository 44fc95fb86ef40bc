"""Kaplan-Meier curves of groups, how many remain at risk, medians and restricted means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from poems.analysis.testing.obs_columns import FEWEST_IN_GROUP
from poems.clustering.names import natural_order

# Intervals between the times of the table of numbers at risk, at most.
_MOST_STEPS = 7


@dataclass(frozen=True, eq=False)
class Curves:
    """Survival of groups over time.

    Parameters
    ----------
    km
        One row per group and time at which something happened: ``subtype``, ``time``, ``at_risk``
        (just before), ``events``, ``censored``, ``survival`` and its 95 % limits ``lower`` and
        ``upper``.
    at_risk
        One row per group and round time: ``subtype``, ``time``, ``at_risk`` (still followed at that
        time), and ``events`` and ``censored`` before it.
    summary
        One row per group: ``subtype``, ``n_samples``, ``n_events``, ``median`` survival with its
        95 % limits ``median_lower`` and ``median_upper`` (infinite where the curve does not fall
        that low), ``restricted_mean`` with its standard error ``restricted_mean_se`` up to the
        time ``until``, and ``last_time``, the longest follow-up.
    """

    km: pd.DataFrame
    at_risk: pd.DataFrame
    summary: pd.DataFrame


def survival_curves(time: pd.Series, event: pd.Series, groups: pd.Series) -> Curves:
    """Estimate the survival of each group by Kaplan and Meier (1958).

    Limits are Greenwood's on the scale of log(-log S). The restricted mean is the area under the
    curve up to ``until``, the time to which every group of at least 5 samples was followed (the
    least of their longest follow-ups), so that it compares between groups; ``NaN`` for a smaller
    one whose curve ends above 0 before.

    Parameters
    ----------
    time, event
        Follow-up and whether the event was seen, by sample; no value is missing.
    groups
        Group of each sample.

    Examples
    --------
    >>> time, event = pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([True, True, False, True])
    >>> curves = survival_curves(time, event, pd.Series(["S1"] * 4))
    >>> curves.km["survival"].round(6).tolist()
    [1.0, 0.75, 0.5, 0.5, 0.0]
    >>> curves.summary[["median", "restricted_mean"]].to_dict("records")
    [{'median': 2.0, 'restricted_mean': 2.75}]
    """
    from lifelines import KaplanMeierFitter

    names = group_names(groups)
    sizes = groups.value_counts()
    large = [name for name in names if sizes[name] >= FEWEST_IN_GROUP] or names
    until = min(float(time[groups == name].max()) for name in large)
    grid = round_times(float(time.max()))
    km, at_risk, summary = [], [], []
    for name in names:
        rows = (groups == name).to_numpy()
        t, e = time[rows].to_numpy(dtype=float), event[rows].to_numpy(dtype=bool)
        fitted = KaplanMeierFitter().fit(t, e)
        km.append(_curve(name, fitted, t, e))
        counts = {
            "time": grid,
            "at_risk": [int((t >= at).sum()) for at in grid],
            "events": [int(e[t < at].sum()) for at in grid],
            "censored": [int((~e[t < at]).sum()) for at in grid],
        }
        at_risk.append(pd.DataFrame({"subtype": name, **counts}))
        summary.append({"subtype": name, "n_samples": len(t), "n_events": int(e.sum())})
        summary[-1] |= _averages(fitted, km[-1], until)
        summary[-1]["last_time"] = float(t.max())
    return Curves(
        pd.concat(km, ignore_index=True),
        pd.concat(at_risk, ignore_index=True),
        pd.DataFrame(summary),
    )


def group_names(groups: pd.Series) -> list[str]:
    """Return the names of groups in the order S1, S2, …, S10.

    >>> group_names(pd.Series(["S10", "S2", "S1", "S2"]))
    ['S1', 'S2', 'S10']
    """
    names = {str(name) for name in groups.dropna()}
    return sorted(names, key=natural_order)


def round_times(longest: float) -> list[float]:
    """Return round times from 0 up to the longest follow-up, eight at most.

    >>> round_times(4537.0)
    [0.0, 1000.0, 2000.0, 3000.0, 4000.0]
    """
    if longest <= 0:
        return [0.0]
    base = 10.0 ** np.floor(np.log10(longest / _MOST_STEPS))
    step = next(base * by for by in (1, 2, 2.5, 5, 10, 20) if longest / (base * by) <= _MOST_STEPS)
    return [float(at * step) for at in range(int(longest / step) + 1)]


def _curve(name: str, fitted: Any, time: Any, event: Any) -> pd.DataFrame:
    """Return the rows of one group."""
    limits = fitted.confidence_interval_
    at = fitted.survival_function_.index.to_numpy(dtype=float)
    order = np.sort(time)
    events = pd.Series(event).groupby(time).sum().reindex(at, fill_value=0).to_numpy()
    ended = pd.Series(~event).groupby(time).sum().reindex(at, fill_value=0).to_numpy()
    return pd.DataFrame(
        {
            "subtype": name,
            "time": at,
            "at_risk": len(time) - np.searchsorted(order, at, side="left"),
            "events": events.astype(int),
            "censored": ended.astype(int),
            "survival": fitted.survival_function_.iloc[:, 0].to_numpy(),
            "lower": limits.iloc[:, 0].to_numpy(),
            "upper": limits.iloc[:, 1].to_numpy(),
        }
    )


def _averages(fitted: Any, curve: pd.DataFrame, until: float) -> dict[str, float]:
    """Return the median, and the restricted mean with the variance of its estimate.

    Var = sum over event times t_i of (area under S from t_i to the end)² d_i / (n_i (n_i - d_i))
    (Klein and Moeschberger 2003, section 4.5).
    """
    from lifelines.utils import median_survival_times

    limits = median_survival_times(fitted.confidence_interval_).to_numpy(dtype=float).ravel()
    inside = curve[curve["time"] < until]
    times = np.append(inside["time"].to_numpy(dtype=float), until)
    areas = inside["survival"].to_numpy(dtype=float) * np.diff(times)
    beyond = areas[::-1].cumsum()[::-1]
    n, d = inside["at_risk"].to_numpy(dtype=float), inside["events"].to_numpy(dtype=float)
    # Where the last die the curve is 0, and no area is left to be uncertain of.
    terms = np.where(n > d, beyond**2 * d / np.where(n > d, n * (n - d), 1.0), 0.0)
    if float(curve["time"].max()) < until and float(curve["survival"].iloc[-1]) > 0:
        areas, terms = np.array([np.nan]), np.array([np.nan])
    return {
        "median": float(fitted.median_survival_time_),
        "median_lower": float(limits[0]),
        "median_upper": float(limits[1]),
        "restricted_mean": float(areas.sum()),
        "restricted_mean_se": float(np.sqrt(terms.sum())),
        "until": until,
    }
