"""Rank tests of many features at once: each group of samples against all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

# Where most values of a feature are alike, its rank sums are nearly counts. They are taken for
# normal only if so many of the other values are to be expected on either side.
_FEWEST_EXPECTED: Final = 10.0


@dataclass(frozen=True, eq=False)
class RankedFeatures:
    """Features ranked over the samples that have them; made by :func:`rank_features`.

    Parameters
    ----------
    ranks
        Mid-ranks, (n_samples, n_features); 0 where there is no value.
    n
        Values of each feature, (n_features,).
    squares
        Sum of the squared differences of a feature's ranks from their mean, (n_features,).
    there
        Where there is a value, (n_samples, n_features).
    above, below
        Where a value lies above, and below, the one that more than half of the
        feature's values equal; ``False`` throughout for a feature without such
        a value. (n_samples, n_features).
    """

    ranks: Floats
    n: Floats
    squares: Floats
    there: Bools
    above: Bools
    below: Bools


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """Tests of each feature in each group against all other samples, (n_features, n_groups).

    Parameters
    ----------
    auc
        Probability that a sample of the group has a higher value than one
        outside it, ties counted half.
    p
        Two-sided p-value; ``NaN`` for a feature that does not vary, or has no
        value in the group or none outside it.
    """

    auc: Floats
    p: Floats


def rank_features(values: Floats, there: Bools) -> RankedFeatures:
    """Rank the values of each feature.

    Parameters
    ----------
    values, there
        Of shape (n_samples, n_features); entries not there are not read.
    """
    from scipy.stats import rankdata

    # What is missing ranks last, so that the others are ranked among themselves.
    filled = np.where(there, values, np.inf)
    ranks = np.where(there, rankdata(filled, axis=0), 0.0)
    n = there.sum(axis=0).astype(np.float64)
    squares = np.where(there, (ranks - (n + 1.0) / 2.0) ** 2, 0.0).sum(axis=0)
    ordered = np.sort(filled, axis=0)
    # An index for a feature without values, whose tests are NaN below.
    lower = np.maximum((n.astype(np.intp) - 1) // 2, 0)
    # A value that more than half of all equal is their median.
    usual = ordered[lower, np.arange(values.shape[1])] if len(values) else np.zeros(0)
    mostly = ((filled == usual) & there).sum(axis=0) > n / 2.0
    return RankedFeatures(
        ranks=ranks,
        n=n,
        squares=squares,
        there=there,
        above=there & mostly & (filled > usual),
        below=there & mostly & (filled < usual),
    )


def one_vs_rest(features: RankedFeatures, codes: Codes, n_groups: int) -> OneVsRest:
    """Test each group of samples against all other samples, feature by feature.

    Mann and Whitney's test, normal approximation with corrections for ties and
    continuity. Of a feature of which more than half of the values are alike
    (mutations, counts that are mostly 0), and too few of the others are to be
    expected in the group or outside it, the numbers of values above and of values
    below are tested, by Fisher's exact test; with both, the smaller p counts
    twice.

    Parameters
    ----------
    features
        Ranked features.
    codes
        Group of each sample, from 0; -1 for a sample of no group, which is among
        the others for every group.
    n_groups
        Number of groups.

    Examples
    --------
    >>> x = np.arange(10.0)[:, None]
    >>> ranked = rank_features(x, np.ones(x.shape, dtype=bool))
    >>> tests = one_vs_rest(ranked, np.repeat([0, 1], 5), 2)
    >>> tests.auc.tolist(), tests.p.round(3).tolist()
    ([[0.0, 1.0]], [[0.012, 0.012]])
    """
    from scipy.special import ndtr

    member = (codes[:, None] == np.arange(n_groups)).astype(np.float64)
    inside = features.there.T.astype(np.float64) @ member
    total = features.n[:, None]
    outside = total - inside
    off = features.ranks.T @ member - inside * (total + 1.0) / 2.0
    # What divides by 0 is not `possible` below, and its p is NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = inside * outside / (total * (total - 1.0)) * features.squares[:, None]
        # The correction for continuity goes no further than to no difference.
        z = np.maximum(np.abs(off) - 0.5, 0.0) / np.sqrt(variance)
        auc = off / (inside * outside) + 0.5
    possible = (inside > 0) & (outside > 0) & (features.squares[:, None] > 0)
    p = np.where(possible, np.minimum(2.0 * ndtr(-z), 1.0), np.nan)
    off_usual = (features.above | features.below).sum(axis=0)
    # Without any value: not `possible` above, and so not counted.
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = off_usual[:, None] * np.minimum(inside, outside) / total
    counted = possible & (off_usual > 0)[:, None] & (expected < _FEWEST_EXPECTED)
    if counted.any():
        p[counted] = _exact(features, member, inside, counted)
    return OneVsRest(np.where(possible, auc, np.nan), p)


def _exact(features: RankedFeatures, member: Floats, inside: Floats, counted: Bools) -> Floats:
    """Compute exact p-values of the counts above and below, at the entries ``counted``."""
    which, group = np.nonzero(counted)
    sides = []
    for side in (features.above, features.below):
        in_group = (side.T.astype(np.float64) @ member)[counted]
        sides.append(_fisher(in_group, features.n, side.sum(axis=0), inside, which, group))
    both = np.asarray(features.above.any(axis=0) & features.below.any(axis=0))[which]
    p: Floats = np.minimum(np.where(both, 2.0, 1.0) * np.minimum(*sides), 1.0)
    return p


def _fisher(
    found: Floats,
    n: Floats,
    n_marked: npt.NDArray[np.integer],
    inside: Floats,
    which: Codes,
    group: Codes,
) -> Floats:
    """Twice the smaller tail of the hypergeometric distribution; 1 where nothing is marked."""
    from scipy.stats import hypergeom

    population, marked, drawn = n[which], n_marked[which], inside[which, group]
    lower = hypergeom.cdf(found, population, marked, drawn)
    upper = hypergeom.sf(found - 1, population, marked, drawn)
    tail: Floats = np.minimum(2.0 * np.minimum(lower, upper), 1.0)
    return tail
