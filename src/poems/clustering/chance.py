"""How far apart clusters must be for it not to be chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Floats = npt.NDArray[np.float64]

# Nine numbers are tried, 2 to 10, and any of them may hold by chance in 5 % of cohorts at most.
MOST_CHANCE: Final = 0.05 / 9
# Halves of an even spread are the square root of 12 standard deviations apart, those of one that
# has a peak are less: without a gap between them two clusters are no farther.
EVEN_HALVES: Final = float(np.sqrt(12.0))
# By so much halves vary in cohorts of a hundred samples.
_VARIES: Final = 1.1


def needed_separation(smallest: int) -> float:
    """Return how far clusters must be apart at least, the smallest of so many samples.

    1.1 √12 (1 + 1 / 2m): a tenth above the halves of an even spread, and more where a few
    samples make a cluster, for the farthest of a larger one may look like that.

    Examples
    --------
    >>> round(needed_separation(5), 2), round(needed_separation(100), 2)
    (4.19, 3.83)
    """
    return _VARIES * EVEN_HALVES * (1.0 + 0.5 / max(1, smallest))


@dataclass(frozen=True)
class Apart:
    """How far clusters are apart, beside cohorts without groups.

    Parameters
    ----------
    separation
        How far the nearest two are apart, in standard deviations within them.
    limit
        What they must exceed: how far they would be in :data:`MOST_CHANCE` of cohorts without
        groups, and no less than :func:`needed_separation`.
    chance
        In what share of cohorts without groups they are as far or farther.
    """

    separation: float
    limit: float
    chance: float


def against_chance(
    own: Floats, none: Mapping[int, Floats], n_clusters: int, smallest: int
) -> Apart:
    """Compare separations with those in cohorts without groups.

    Separations without groups are taken as normal, their mean and variance by shape and
    space; the variance is the mean over this number and those next to it, for a few draws
    tell little of a variance. Of the shapes that one counts in which chance does most, and of the
    spaces that in which it does least.

    Parameters
    ----------
    own
        The separation in each space, (n_spaces,).
    none
        Number of clusters to separations of cohorts without groups, of shape
        (n_shapes, n_draws, n_spaces).
    n_clusters
        The number.
    smallest
        Samples of the smallest cluster.

    Examples
    --------
    >>> none = {2: np.random.default_rng(0).normal(3.0, 0.2, (3, 9, 1))}
    >>> found = against_chance(np.array([4.5]), none, 2, 40)
    >>> found.limit < found.separation, found.chance < MOST_CHANCE
    (True, True)
    """
    near = [none[k] for k in (n_clusters - 1, n_clusters, n_clusters + 1) if k in none]
    spread = np.sqrt(np.mean([each.var(axis=1, ddof=1) for each in near], axis=0))
    means = none[n_clusters].mean(axis=1)
    # Where nothing varies, what is farther at all is so for sure.
    spread = np.maximum(spread, 1e-12)
    beyond = ((own - means) / spread).min(axis=0)
    limits = (means + norm.isf(MOST_CHANCE) * spread).max(axis=0)
    limits = np.maximum(limits, needed_separation(smallest))
    # A space in which clusters are far enough, if there is one; then by how sure that is.
    best = max(range(len(own)), key=lambda at: (own[at] > limits[at], beyond[at]))
    return Apart(float(own[best]), float(limits[best]), float(norm.sf(beyond[best])))
