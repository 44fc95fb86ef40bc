"""Sizes of samples: how much of each was counted, beside what a sample of size 1 has.

A rule is a function of counts (n_samples, n_features), ``NaN`` where missing, and of what a
sample of size 1 has of each feature, (n_features,). It returns sizes, (n_samples,): 1 for a sample
without a measured feature, 0 for one of which nothing was counted. It is registered in
:data:`poems.settings.parts.SIZES`. What a sample of size 1 has is stored with a model, so that
new samples are sized beside the training samples, each by itself.

``obs:COLUMN`` names no rule, but a column of the table of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.numeric import shorten
from poems.errors import DataError
from poems.files.text_numbers import to_numbers
from poems.findings import name_some

Array = npt.NDArray[np.float64]
SizeRule = Callable[[Array, Array], Array]

#: How the name of a column of obs begins where it stands in place of a rule's.
COLUMN: Final = "obs:"
# Features are pooled until so many counts are expected of them: by chance none is then seen in
# one pool of 150.
POOLED: Final = 5.0
# Entries that are pooled at once: some 60 bytes each.
_AT_ONCE: Final = 1 << 20


def totals(x: Array, mean: Array) -> Array:
    """Divide the total of a sample's counts by what a sample of size 1 has in the same features.

    >>> totals(np.array([[2.0, 4.0], [np.nan, 9.0]]), np.array([1.0, 2.0]))
    array([2. , 4.5])
    """
    there = ~np.isnan(x)
    expected = there @ mean
    total = np.where(there, x, 0.0).sum(axis=1)
    # A sample without the view: of size 1, for nothing of it is read.
    found: Array = np.where(expected > 0, total, 1.0) / np.where(expected > 0, expected, 1.0)
    return found


def pooled(x: Array, mean: Array) -> Array:
    r"""Take the median of the ratios of pooled counts to those of a sample of size 1.

    With s the size by totals, features are put into pools g, from the most to the least frequent,
    each as soon as it expects 5 counts, and

    .. math:: \mathrm{size}_n = \mathrm{median}_g \; \sum_{j \in g} x_{nj} / \sum_{j \in g} m_j

    over the pools of which anything was counted. Frequent features are pools of their own, and
    this is the median of ratios (Anders & Huber 2010, Genome Biol 11:R106): few features that
    change, however large, leave it alone. Ratios of rare features, most of which are 0 or nearly
    1 whatever the depth, are pooled against that, as Lun, Bach & Marioni (2016, Genome Biol 17:75)
    pool cells; pools of features need no other sample. A pool without a count, of which 5
    are expected, is no matter of depth, and is passed over, as zeros are by Chen et al. (2018,
    PeerJ 6:e4600). Of a sample of few counts there is one pool, and the size is that by totals.

    >>> counts = np.array([[20.0, 40.0, 60.0], [20.0, 40.0, 6000.0]])
    >>> pooled(counts, np.array([20.0, 40.0, 60.0]))
    array([1., 1.])
    """
    order = np.argsort(-mean, kind="stable")
    step = max(1, _AT_ONCE // max(1, len(mean)))
    parts = [
        _pooled(x[start : start + step, order], mean[order]) for start in range(0, len(x), step)
    ]
    return np.concatenate([np.zeros(0), *parts])


def alike(x: Array, mean: Array) -> Array:
    """Return 1 for every sample."""
    return np.ones(len(x))


def _pooled(x: Array, mean: Array) -> Array:
    """Sizes of some samples, their features from the most to the least frequent."""
    rough, there = totals(x, mean), ~np.isnan(x)
    expected = np.where(there, rough[:, None] * mean, 0.0)
    # Sums are whole numbers of pools at times, but for rounding.
    full = np.floor(np.cumsum(expected, axis=1) / POOLED + 1e-9)
    pool = np.zeros(x.shape)
    # What is left over at the end joins the last full pool: the one before the last limit.
    pool[:, 1:] = np.minimum(full[:, :-1], np.maximum(full[:, -1:] - 1.0, 0.0))
    opens = np.ones(x.shape, dtype=bool)
    opens[:, 1:] = pool[:, 1:] > pool[:, :-1]
    first = np.flatnonzero(opens)
    counted = np.add.reduceat(np.where(there, x, 0.0).ravel(), first)
    due = np.add.reduceat(expected.ravel(), first)
    # Also leaves out samples of which nothing was counted or measured, whose size is rough.
    used = (counted > 0) & (due > 0)
    return rough * _medians(counted[used] / due[used], first[used] // x.shape[1], len(x))


def _medians(values: Array, row: npt.NDArray[np.intp], n_rows: int) -> Array:
    """Median of the values of each row, 1 where it has none."""
    values = values[np.lexsort((values, row))]
    n = np.bincount(row, minlength=n_rows)
    last = np.cumsum(n) - 1
    found = np.ones(n_rows)
    some = n > 0
    low, high = last - n // 2, last - (n - 1) // 2
    found[some] = 0.5 * (values[low[some]] + values[high[some]])
    return found


def column_of(rule: str) -> str | None:
    """Return the column of obs that a rule's name says, ``None`` if it says none.

    >>> column_of("obs:depth"), column_of("totals")
    ('depth', None)
    """
    return rule.removeprefix(COLUMN) if rule.startswith(COLUMN) else None


def from_counts(rule: str) -> bool:
    """Return whether samples have sizes that follow from their counts.

    >>> [from_counts(rule) for rule in ("totals", "none", "obs:depth")]
    [True, False, False]
    """
    return rule != "none" and column_of(rule) is None


def size_columns(rules: Iterable[str], obs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of obs that rules take sizes from, of those that it has."""
    wanted = {column_of(rule) for rule in rules}
    return obs[[column for column in obs.columns if column in wanted]]


def sizes_in(obs: pd.DataFrame, column: str, view: str, measured: npt.NDArray[np.bool_]) -> Array:
    """Return sizes as a column of obs has them, (n_samples,); 1 where the view was not measured.

    Raises
    ------
    DataError
        If there is no such column, or a size that is not positive and finite.
    """
    setting = f"size_factors='{COLUMN}{column}'"
    if column not in obs.columns:
        held = f"has {name_some(obs.columns, 8)}" if len(obs.columns) else "has no column"
        raise DataError(
            f"view '{view}': the sizes of its samples are the column {shorten(column)} of obs "
            f"({setting}), and obs {held}. Give the table of the samples with it (obs=, --obs); if "
            "these samples have none, fit with size_factors='pooled', which takes sizes from "
            "the counts"
        )
    given = obs[column]
    size = to_numbers(given).values
    wrong = np.flatnonzero(measured & ~((size > 0) & np.isfinite(size)))
    if len(wrong):
        raise DataError(
            f"column {shorten(column)} of obs holds {shorten(given.iloc[wrong[0]])} for sample "
            f"{shorten(obs.index[wrong[0]])}, and a size is a number above 0 ({setting}, view "
            f"'{view}'). Write in how much of such samples was counted, leave them out of the "
            "view, or take sizes from the counts (size_factors='pooled')"
        )
    return np.where(measured, size, 1.0)
