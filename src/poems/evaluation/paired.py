"""Paired comparisons: methods measured on the same splits of the same cohorts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

_KEYS = ["cohort", "split"]


def paired_differences(
    table: pd.DataFrame,
    reference: str,
    *,
    studies: Mapping[str, str] | None = None,
    held_out: float = 0.2,
) -> pd.DataFrame:
    r"""Compute by how much each method is above a reference, on the splits that both have.

    Differences are taken within a cohort and split, averaged over a cohort's
    splits, then over cohorts. There are two standard errors of that mean. For
    other cohorts than these, from the spread between cohorts d_c about the mean,
    those of one study counting as one,

    .. math::
        \mathrm{se}^2 = \frac{G}{G - 1} \frac{1}{C^2}
        \sum_g \Bigl(\sum_{c \in g} (d_c - \bar d)\Bigr)^2,

    of C cohorts in G studies. For these cohorts, from the spread between the J
    splits of each, corrected for training samples that splits share (Nadeau and
    Bengio, 2003),

    .. math::
        \mathrm{se\_splits}^2 = \frac{1}{C^2} \sum_c
        \Bigl(\frac{1}{J} + \frac{h}{1 - h}\Bigr) s_c^2 .

    Parameters
    ----------
    table
        A row per cohort, split, method and metric: columns ``cohort``, ``split``,
        ``method``, ``metric`` and ``value``.
    reference
        The method that the others are compared with.
    studies
        Cohort to study, where several are of the same samples; by default each
        is its own.
    held_out
        h, the share of the samples that is held out in a split.

    Returns
    -------
    DataFrame by ``method`` and ``metric``: ``mean``, ``se``, ``se_splits``,
    ``n_better``, cohorts on which the mean is above 0, ``n_cohorts`` and
    ``n_pairs``. Standard errors are ``NaN`` with one study, and with a cohort of
    a single split.

    Examples
    --------
    >>> rows = [("x", 0, "a", 0.1), ("x", 0, "b", 0.3), ("y", 0, "a", 0.5), ("y", 0, "b", 0.6)]
    >>> table = pd.DataFrame(rows, columns=["cohort", "split", "method", "value"])
    >>> found = paired_differences(table.assign(metric="R²"), "a")
    >>> found.loc[("b", "R²"), ["mean", "se"]].round(3).to_dict()
    {'mean': 0.15, 'se': 0.05}
    """
    wide = table.pivot(index=["metric", *_KEYS], columns="method", values="value")
    rows = {}
    for method in dict.fromkeys(table["method"]):
        if method == reference or reference not in wide:
            continue
        differences = (wide[method] - wide[reference]).dropna()
        for metric in dict.fromkeys(table["metric"]):
            if metric in differences.index.get_level_values("metric"):
                rows[method, metric] = _summary(differences.loc[metric], studies or {}, held_out)
    columns = ["mean", "se", "se_splits", "n_better", "n_cohorts", "n_pairs"]
    index = pd.MultiIndex.from_tuples(list(rows), names=["method", "metric"]) if rows else None
    return pd.DataFrame(list(rows.values()), columns=columns, index=index)


def _summary(
    differences: pd.Series, studies: Mapping[str, str], held_out: float
) -> dict[str, float | int]:
    """Summarise differences that are indexed by cohort and split."""
    by_cohort = differences.groupby(level="cohort")
    means, n_cohorts = by_cohort.mean(), by_cohort.ngroups
    mean = means.mean()
    study = [studies.get(str(cohort), str(cohort)) for cohort in means.index]
    sums = (means - mean).groupby(np.asarray(study, dtype=object)).sum()
    n_studies = len(sums)
    se = np.nan
    if n_studies > 1:
        se = np.sqrt(n_studies / (n_studies - 1) * (sums**2).sum()) / n_cohorts
    variance = by_cohort.var(ddof=1) * (1.0 / by_cohort.size() + held_out / (1.0 - held_out))
    return {
        "mean": float(mean),
        "se": float(se),
        "se_splits": float(np.sqrt(variance.sum(skipna=False)) / n_cohorts),
        "n_better": int((means > 0).sum()),
        "n_cohorts": int(n_cohorts),
        "n_pairs": len(differences),
    }
