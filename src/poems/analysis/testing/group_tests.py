"""Tests of groups of samples that take no ``scipy.stats``, which takes half a second to load."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

_Floats = npt.NDArray[np.float64]


def kruskal_wallis(groups: Sequence[_Floats]) -> tuple[float, float]:
    """Test by ranks whether groups are alike (Kruskal & Wallis 1952).

        H = (12 / (N (N + 1)) sum_i R_i² / n_i - 3 (N + 1)) / (1 - sum_t (t³ - t) / (N³ - N))

    with R_i the sum of a group's ranks and t the sizes of ties.

    Parameters
    ----------
    groups
        Values of each of at least two groups, none empty, not all of them equal.

    Returns
    -------
    H, and p by the chi-squared distribution of one degree of freedom less than there are groups.

    Examples
    --------
    >>> [round(each, 4) for each in kruskal_wallis([np.array([1.0, 2.0]), np.array([3.0, 4.0])])]
    [2.4, 0.1213]
    """
    from scipy.special import chdtrc

    sizes = [len(group) for group in groups]
    values = np.concatenate(groups)
    n = len(values)
    ranks = pd.Series(values).rank().to_numpy()
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    parts = np.split(ranks, np.cumsum(sizes)[:-1])
    squares = sum(float(part.sum()) ** 2 / size for part, size in zip(parts, sizes, strict=True))
    h = 12.0 / (n * (n + 1)) * squares - 3 * (n + 1)
    h /= 1.0 - float((ties**3 - ties).sum()) / (n**3 - n)
    return h, float(chdtrc(len(groups) - 1, h))


def chi_squared(counts: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Test whether the rows and columns of a table of counts are independent (Pearson 1900).

    Parameters
    ----------
    counts
        Of shape (n_rows, n_columns), no row and no column all 0.

    Returns
    -------
    p, without a correction for continuity, and the smallest count that is expected.

    Examples
    --------
    >>> [round(each, 4) for each in chi_squared(np.array([[10, 20], [20, 10]]))]
    [0.0098, 15.0]
    """
    from scipy.special import chdtrc

    observed = counts.astype(np.float64)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    free = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    statistic = float(((observed - expected) ** 2 / expected).sum())
    # Of a single row or column nothing can differ.
    return float(chdtrc(free, statistic)) if free else 1.0, float(expected.min())
