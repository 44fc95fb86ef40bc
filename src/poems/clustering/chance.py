"""How far apart clusters must be for it not to be chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from poems.clustering.redraws import Shape
from poems.clustering.tried import MOST_CHANCE

Floats = npt.NDArray[np.float64]
# Separations in cohorts without groups, (n_draws, n_spaces), by their shape and number of clusters.
Separations = Mapping[Shape, Mapping[int, Floats]]

# Halves of an even spread are the square root of 12 standard deviations apart, those of one that
# has a peak are less: without a gap between them two clusters are no farther.
EVEN_HALVES: Final = float(np.sqrt(12.0))
# Standard errors from what is asked beyond which a chance counts as known.
_SURE: Final = 1.5
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
    shape
        The shape of those in which they are so most often.
    n_draws
        Cohorts of that shape.
    beyond, error
        How many of their standard deviations above their mean, and its standard error.
    possible
        Whether the separation exceeds :func:`needed_separation`.
    """

    separation: float
    limit: float
    chance: float
    shape: Shape
    n_draws: int
    beyond: float
    error: float
    possible: bool

    @property
    def apart(self) -> bool:
        """Whether they are farther apart than the limit."""
        return self.separation > self.limit

    def settled(self, chance: float) -> bool:
        """Whether it is known that clusters are apart at that chance, or too near anyway."""
        return not self.possible or self.known(chance)

    def known(self, chance: float) -> bool:
        """Whether the chance is more than 1.5 standard errors from that one."""
        return abs(self.beyond + float(ndtri(chance))) > _SURE * self.error


def against_chance(own: Floats, none: Separations, n_clusters: int, smallest: int) -> Apart:
    """Compare separations with those in cohorts without groups.

    Separations without groups are taken as normal, with the mean of each shape and space. Their
    standard deviation is taken in shares of the mean, over this number and those next to it, for
    a few draws tell little of a variance. Of the shapes that one counts in which chance does
    most, and of the spaces that in which it does least.

    Parameters
    ----------
    own
        The separation in each space, (n_spaces,).
    none
        Separations of cohorts without groups.
    n_clusters
        The number.
    smallest
        Samples of the smallest cluster.

    Examples
    --------
    >>> none = {"even": {2: np.random.default_rng(0).normal(3.0, 0.2, (9, 1))}}
    >>> found = against_chance(np.array([4.5]), none, 2, 40)
    >>> found.limit < found.separation, found.chance < MOST_CHANCE
    (True, True)
    """
    shapes = list(none)
    means = np.stack([none[shape][n_clusters].mean(axis=0) for shape in shapes])
    spread = means * np.stack([_spread(none[shape], n_clusters) for shape in shapes])
    # Where nothing varies, what is farther at all is so for sure.
    by_shape = (own - means) / np.maximum(spread, 1e-12)
    beyond = by_shape.min(axis=0)
    limits = (means - ndtri(MOST_CHANCE) * spread).max(axis=0)
    limits = np.maximum(limits, needed_separation(smallest))
    # A space in which clusters are far enough, if there is one; then by how sure that is.
    best = max(range(len(own)), key=lambda at: (own[at] > limits[at], beyond[at]))
    shape = shapes[int(by_shape[:, best].argmin())]
    n_draws = len(none[shape][n_clusters])
    n_free = sum(len(each) - 1 for each in _near(none[shape], n_clusters))
    return Apart(
        float(own[best]),
        float(limits[best]),
        float(ndtr(-beyond[best])),
        shape,
        n_draws,
        float(beyond[best]),
        # Of a mean, and of a quantile with its standard deviation estimated.
        float(np.sqrt(1.0 / n_draws + beyond[best] ** 2 / (2.0 * n_free))),
        bool(own[best] > needed_separation(smallest)),
    )


def _near(draws: Mapping[int, Floats], n_clusters: int) -> list[Floats]:
    return [draws[k] for k in (n_clusters - 1, n_clusters, n_clusters + 1) if k in draws]


def _spread(draws: Mapping[int, Floats], n_clusters: int) -> Floats:
    """Standard deviation of separations in shares of their mean, in each space."""
    near = _near(draws, n_clusters)
    means = [each.mean(axis=0) for each in near]
    # Separations of clusters that were empty in every draw are 0, and so is their spread.
    shares = [
        np.divide(each.var(axis=0, ddof=1), mean**2, out=np.zeros_like(mean), where=mean > 0)
        for each, mean in zip(near, means, strict=True)
    ]
    spread: Floats = np.sqrt(np.average(shares, axis=0, weights=[len(each) - 1 for each in near]))
    return spread
