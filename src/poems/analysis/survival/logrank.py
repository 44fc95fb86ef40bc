"""Log-rank tests: do groups survive alike, all together and two by two?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.survival.curves import group_names

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LogRank:
    """Result of one test: chi-squared ``statistic``, its degrees of freedom and ``p``."""

    statistic: float
    df: int
    p: float


def logrank(time: _Floats, event: _Bools, groups: npt.NDArray[Any]) -> LogRank:
    """Test whether all groups survive alike (Mantel 1966).

    Parameters
    ----------
    time, event, groups
        One entry per sample, none missing; ``event`` is true where it was seen. Groups whose
        follow-up ends before the first event are left out.

    Examples
    --------
    >>> groups = np.array([0, 0, 0, 1, 1, 1])
    >>> logrank(np.array([1.0, 2, 3, 9, 9, 9]), groups == 0, groups).p < 0.05
    True
    """
    from lifelines.statistics import multivariate_logrank_test

    # A group none of which is followed up to the first event tells nothing, and is no degree of
    # freedom; without an event that is so of all.
    first = time[event].min() if event.any() else np.inf
    telling = np.isin(groups, np.unique(groups[time >= first]))
    time, event, groups = time[telling], event[telling], groups[telling]
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        return LogRank(0.0, 0, 1.0)
    test = multivariate_logrank_test(time, groups, event)
    return LogRank(float(test.test_statistic), n_groups - 1, float(test.p_value))


def stratified_logrank(
    time: _Floats, event: _Bools, groups: npt.NDArray[Any], strata: npt.NDArray[Any]
) -> LogRank:
    """Test whether groups survive alike within strata: nothing is compared between these.

    Observed less expected events and their covariances are summed over the strata (Mantel 1966).

    Parameters
    ----------
    time, event, groups, strata
        One entry per sample, none missing; ``event`` is true where it was seen.

    Examples
    --------
    >>> groups = np.array([0, 0, 0, 1, 1, 1])
    >>> time, event = np.array([1.0, 2, 3, 9, 9, 9]), groups == 0
    >>> stratified_logrank(time, event, groups, groups).p
    1.0
    >>> alone = stratified_logrank(time, event, groups, np.zeros(6))
    >>> bool(np.isclose(alone.p, logrank(time, event, groups).p))
    True
    """
    from scipy.stats import chi2

    member = (groups[:, None] == np.unique(groups)).astype(np.float64)
    excess, covariance = np.zeros(member.shape[1]), np.zeros((member.shape[1],) * 2)
    for stratum in np.unique(strata):
        own = strata == stratum
        for at in np.unique(time[own & event]):
            at_risk = member[own & (time >= at)].sum(axis=0)
            seen = member[own & event & (time == at)].sum(axis=0)
            n, n_events = at_risk.sum(), seen.sum()
            share = at_risk / n
            excess += seen - n_events * share
            # One sample at risk has no variance: 0 events of 0 others.
            varies = n_events * (n - n_events) / max(n - 1, 1)
            covariance += varies * (np.diag(share) - np.outer(share, share))
    df = int(np.linalg.matrix_rank(covariance, hermitian=True)) if covariance.any() else 0
    if not df:
        return LogRank(0.0, 0, 1.0)
    statistic = float(excess @ np.linalg.pinv(covariance, hermitian=True) @ excess)
    return LogRank(statistic, df, float(chi2.sf(statistic, df)))


def logrank_table(time: pd.Series, event: pd.Series, groups: pd.Series) -> pd.DataFrame:
    """Test all groups together and every two.

    Parameters
    ----------
    time, event, groups
        By sample, none missing.

    Returns
    -------
    DataFrame
        The overall test first, then a row per pair. Columns: ``comparison`` (``"overall"`` or
        ``"S1 vs S2"``), ``group_a``, ``group_b``, ``n_samples``, ``n_events``, ``statistic``,
        ``df``, ``p``, ``p_corrected`` and ``correction``: pairs are corrected by Benjamini and
        Hochberg (1995) over all pairs. They are to be read where the overall test says that there
        is a difference at all. Empty with fewer than two groups.

    Examples
    --------
    >>> groups = pd.Series(["a", "a", "a", "b", "b", "b"])
    >>> time = pd.Series([1.0, 2, 3, 9, 9, 9])
    >>> logrank_table(time, groups == "a", groups)["comparison"].tolist()
    ['overall', 'a vs b']
    """
    columns = [
        "comparison", "group_a", "group_b", "n_samples", "n_events", "statistic", "df", "p",
        "p_corrected", "correction",
    ]  # fmt: skip
    names = group_names(groups)
    if len(names) < 2:
        return pd.DataFrame(columns=columns)
    t, e = time.to_numpy(dtype=np.float64), event.to_numpy(dtype=bool)
    g = groups.astype(str).to_numpy()
    everything = np.ones(len(g), dtype=bool)
    rows = [_row("overall", "", "", t, e, g, everything)]
    rows += [
        _row(f"{a} vs {b}", a, b, t, e, g, np.isin(g, (a, b))) for a, b in combinations(names, 2)
    ]
    table = pd.DataFrame(rows)
    table["p_corrected"] = [
        rows[0]["p"],
        *false_discovery_rates(np.array([row["p"] for row in rows[1:]], dtype=np.float64)),
    ]
    table["correction"] = ["none: one test", *["Benjamini-Hochberg over pairs"] * (len(rows) - 1)]
    return table[columns]


def _row(
    name: str, a: str, b: str, t: _Floats, e: _Bools, g: npt.NDArray[Any], kept: _Bools
) -> dict[str, Any]:
    head = {"comparison": name, "group_a": a, "group_b": b}
    counts = {"n_samples": int(kept.sum()), "n_events": int(e[kept].sum())}
    if not e[kept].any():
        # Without an event between them there is nothing to compare.
        return {**head, **counts, "statistic": 0.0, "df": 1, "p": 1.0}
    found = logrank(t[kept], e[kept], g[kept])
    return {**head, **counts, "statistic": found.statistic, "df": found.df, "p": found.p}
