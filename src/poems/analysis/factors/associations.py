"""Which factors go with which columns of the obs table, and with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.testing.group_tests import kruskal_wallis
from poems.analysis.testing.obs_columns import ObsColumn, testable_columns
from poems.analysis.testing.repeated import repeated_samples
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.notebook import Shown

COLUMNS: Final = [
    "factor",
    "column",
    "test",
    "n_samples",
    "n_missing",
    "n_rare",
    "measure",
    "effect",
    "highest",
    "lowest",
    "p",
    "q",
]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Associations(Shown):
    """Tests of each factor against each column.

    Parameters
    ----------
    table
        One row per factor and column, by factor, then p-value. Columns:

        ``factor``, ``column``, ``test``
            ``"Spearman"`` for numbers, ``"Mann-Whitney"`` for two groups,
            ``"Kruskal-Wallis"`` for several.
        ``n_samples``, ``n_missing``, ``n_rare``
            Samples tested; those without a value; those of groups of fewer than
            5, which are left out.
        ``measure``, ``effect``
            ``"rho"``, from -1 to 1; ``"rank-biserial"``, from 0 to 1: the
            probability that a sample of the higher group has the higher value,
            less that of the reverse; ``"epsilon squared"``, H / (n - 1), from 0
            to 1: the share of the ranks' variance that lies between groups.
        ``highest``, ``lowest``
            The groups with the highest and the lowest mean rank.
        ``p``, ``q``
            The p-value, two-sided, and the false discovery rate at which it is
            significant, by Benjamini and Hochberg (1995) over all rows. ``NaN``
            for a factor that is constant over the samples.
    findings
        The columns that were left out, and why.
    """

    table: pd.DataFrame
    findings: tuple[Finding, ...] = ()


def associate(factors: pd.DataFrame, obs: pd.DataFrame) -> Associations:
    """Test each factor against each column of the obs table, by a test that fits the column.

    The p-values hold for columns that played no part in the fit, and they are
    those of each factor as it stands: they know nothing of how uncertain it is.

    Parameters
    ----------
    factors
        Values of shape (n_samples, n_factors), such as ``model.latent``.
    obs
        One row per sample, matched by name; samples without a row have no values.
        Which columns are left out, see
        :func:`poems.analysis.testing.obs_columns.testable_columns`.

    Raises
    ------
    DataError
        If no sample has a row in ``obs``, or one has several.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> grade = np.repeat([1.0, 2.0, 3.0], 20)
    >>> factors = pd.DataFrame({"factor_1": grade + rng.normal(size=60)})
    >>> associate(factors, pd.DataFrame({"grade": grade})).table["test"].tolist()
    ['Spearman']
    """
    own = matched(obs, factors.index)
    columns, findings = testable_columns(own)
    values = factors.to_numpy(dtype=np.float64)
    records = [
        {"factor": factor, "column": column.name, "n_rare": column.n_rare, **test}
        for column in columns
        for factor, test in zip(factors.columns, compare(column, values), strict=True)
    ]
    table = pd.DataFrame(records, columns=COLUMNS)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    place = pd.Categorical(table["factor"], factors.columns).codes
    order = np.lexsort((table["p"].to_numpy(dtype=np.float64), place))
    repeated = repeated_samples(own) if len(table) else ()
    return Associations(table.iloc[order].reset_index(drop=True), (*repeated, *findings))


def matched(obs: pd.DataFrame, samples: pd.Index) -> pd.DataFrame:
    """Return the rows of an obs table that belong to samples, in their order.

    Raises
    ------
    DataError
        If no sample has a row in ``obs``, or one has several.
    """
    if obs.index.has_duplicates:
        twice = obs.index[obs.index.duplicated()].unique()
        raise DataError(f"the obs table has several rows for {name_some(twice)}; keep one of them")
    if len(samples) and not samples.isin(obs.index).any():
        raise DataError(
            f"no sample has a row in the obs table: it has {name_some(obs.index)}, the cohort "
            f"{name_some(samples)}"
        )
    return obs.reindex(samples)


def false_discovery_rates(p: _Floats) -> _Floats:
    """Compute q-values by Benjamini and Hochberg; ``NaN`` where p is, which is not counted.

    q_(i) = min over j >= i of n p_(j) / j, p in increasing order.

    >>> false_discovery_rates(np.array([0.01, np.nan, 0.5])).tolist()
    [0.02, nan, 0.5]
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    each = p[order] * (len(order) / np.arange(1, len(order) + 1))
    # No q is above 1: the last of them is the largest p, times 1.
    q[order] = np.minimum.accumulate(each[::-1])[::-1]
    return q


def factor_correlations(factors: pd.DataFrame) -> pd.DataFrame:
    """Correlate every two factors over the samples.

    Parameters
    ----------
    factors
        Values of shape (n_samples, n_factors).

    Returns
    -------
    DataFrame
        One row per pair, the closest first: columns ``factor``, ``other``,
        ``pearson`` and ``spearman``; ``NaN`` for a constant factor.

    Examples
    --------
    >>> factors = pd.DataFrame({"factor_1": [1.0, 2.0, 3.0], "factor_2": [1.0, 4.0, 9.0]})
    >>> factor_correlations(factors).round(2).to_dict("records")
    [{'factor': 'factor_1', 'other': 'factor_2', 'pearson': 0.99, 'spearman': 1.0}]
    """
    pearson, spearman = factors.corr().to_numpy(), factors.rank().corr().to_numpy()
    first, second = np.triu_indices(factors.shape[1], k=1)
    table = pd.DataFrame(
        {
            "factor": factors.columns[first],
            "other": factors.columns[second],
            "pearson": pearson[first, second],
            "spearman": spearman[first, second],
        }
    )
    order = np.argsort(-table["spearman"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def compare(column: ObsColumn, values: _Floats) -> list[dict[str, Any]]:
    """Test one column against every column of ``values``, (n_samples, n_columns), all finite.

    Returns the fields of a row of :class:`Associations` from ``test`` to ``p``, but ``n_rare``.
    """
    known = column.values.notna().to_numpy()
    n_missing = int((~known).sum()) - column.n_rare
    counts = {"n_samples": int(known.sum()), "n_missing": n_missing}
    y = column.values[known].to_numpy()
    return [{**counts, **_one(column.kind, x, y)} for x in values[known].T]


def _one(kind: str, x: _Floats, y: npt.NDArray[Any]) -> dict[str, Any]:
    names = np.unique(y) if kind == "groups" else y[:0]
    test, measure = "Spearman", "rho"
    if kind == "groups":
        two = len(names) == 2
        test = "Mann-Whitney" if two else "Kruskal-Wallis"
        measure = "rank-biserial" if two else "epsilon squared"
    nothing = {"test": test, "measure": measure, "effect": np.nan, "p": np.nan}
    if np.ptp(x) == 0:
        return nothing
    if kind == "numeric":
        from scipy.stats import spearmanr

        found = spearmanr(x, y)
        return {**nothing, "effect": float(found.statistic), "p": float(found.pvalue)}
    ranks = pd.Series(x).rank().groupby(y).mean().sort_values(kind="stable")
    lowest, highest = ranks.index[0], ranks.index[-1]
    if len(names) == 2:
        from scipy.stats import mannwhitneyu

        upper, lower = x[y == highest], x[y == lowest]
        found = mannwhitneyu(upper, lower, alternative="two-sided", method="asymptotic")
        effect, p = 2 * found.statistic / (len(upper) * len(lower)) - 1, found.pvalue
    else:
        h, p = kruskal_wallis([x[y == name] for name in names])
        effect = h / (len(x) - 1)
    return {
        **nothing,
        "effect": float(effect),
        "p": float(p),
        "highest": highest,
        "lowest": lowest,
    }
