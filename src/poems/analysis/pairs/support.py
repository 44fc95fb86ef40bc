"""How often refits find the pairs of features of a table on one factor."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from poems.resampling.result import Stability


def pair_support(stability: Stability, pairs: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Compute the share of refits in which one matched factor drives both features of each pair.

    Parameters
    ----------
    stability
        The refits. A factor of a refit counts if it is matched to one of the reference.
    pairs
        With the columns ``view_a``, ``feature_a``, ``view_b`` and ``feature_b``.

    Returns
    -------
    Array of shape (n_pairs,); ``NaN`` for features that the refits did not
    have, and throughout for a result that does not say what each refit selected.
    """
    support = np.full(len(pairs), np.nan)
    if stability.selected is None:
        return support
    views = [str(view) for view in dict.fromkeys([*pairs["view_a"], *pairs["view_b"]])]
    for a, b in product(views, views):
        rows = np.flatnonzero((pairs["view_a"] == a) & (pairs["view_b"] == b))
        if not len(rows) or a not in stability.selected or b not in stability.selected:
            continue
        first, second = pairs["feature_a"].iloc[rows], pairs["feature_b"].iloc[rows]
        j = stability.mean_loadings[a].index.get_indexer(pd.Index(first))
        k = stability.mean_loadings[b].index.get_indexer(pd.Index(second))
        known = (j >= 0) & (k >= 0)
        both = stability.selected[a][:, j[known]] & stability.selected[b][:, k[known]]
        support[rows[known]] = both.any(axis=2).mean(axis=0)
    return support
