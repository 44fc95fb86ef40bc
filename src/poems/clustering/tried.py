"""A number of clusters that was tried: what speaks for it, and what against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from poems.clustering.kmeans import FEWEST_SAMPLES

# Mean Jaccard index from which on a large cluster is found again: valid and stable from 0.75 on,
# highly stable from 0.85 (Hennig 2007). k-means from many starts, as here, finds clusters of few
# samples again by 0.05 to 0.1 better than from few.
_STABLE: Final = 0.8
# Samples more in a cluster, or missing from it, that do not count against it: a few of ten are
# much, and planted clusters of ten samples have an index of 0.55 to 0.6.
_SPARED: Final = 3
# Clusters hold if chance sets them as far apart in fewer cohorts without groups than this.
# For each number of clusters, and not for all of them together: the shape in which chance
# does most counts, and few cuts of a continuum are found again as well.
MOST_CHANCE: Final = 0.05
# Below that chance clusters are nearly, though not quite, apart.
NEARLY: Final = 0.15


def needed_jaccard(size: int) -> float:
    """Return the mean Jaccard index from which on a cluster of that size is found again.

    0.8 m / (m + 3): near 0.8 for a large cluster, less for one of a few samples.

    Examples
    --------
    >>> round(needed_jaccard(10), 2), round(needed_jaccard(100), 2)
    (0.62, 0.78)
    """
    return _STABLE * size / (size + _SPARED)


@dataclass(frozen=True)
class NumberTried:
    """What speaks for a number of clusters, and what against it.

    Parameters
    ----------
    n_clusters
        The number.
    sizes
        Samples of each cluster, of those that were drawn from.
    jaccard
        Of each cluster, how well it is found again when samples are drawn anew: the mean
        over subsamples of its best Jaccard index (Hennig 2007).
    separation
        How far the nearest two clusters are apart
        (:func:`poems.clustering.separation.least_separation`); ``None`` for one cluster.
    without_groups
        What they must exceed: how far they are by chance, in a few of the cohorts that have the
        same covariances and no groups (:func:`poems.clustering.chance.against_chance`);
        ``None`` for one.
    chance
        In what share of such cohorts they are as far apart; ``None`` if that is not known.
    along
        Factors by which the clusters differ most, by their place, from 1; none where they
        are not known.
    again_without_groups
        What the mean of the Jaccard indices must exceed: what parts of cohorts without groups
        reach (:func:`poems.clustering.found_again.beyond_chance`); ``None`` where that was not
        asked, for a number has a gap or these clusters are not found again.
    clearest
        Whether no number has a gap, but these clusters are found again better than that, and
        by more than those of any other number.

    Examples
    --------
    >>> NumberTried(2, (40, 30), (0.95, 0.91), 5.1, 3.9).holds
    True
    >>> NumberTried(3, (40, 20, 9), (0.9, 0.4, 0.5), 4.0, 3.6).holds
    False
    >>> NumberTried(2, (40, 30), (0.95, 0.91), 3.5, 3.9, clearest=True).holds
    True
    """

    n_clusters: int
    sizes: tuple[int, ...]
    jaccard: tuple[float, ...]
    separation: float | None
    without_groups: float | None
    chance: float | None = None
    along: tuple[int, ...] = ()
    again_without_groups: float | None = None
    clearest: bool = False

    @property
    def smallest(self) -> int:
        """Samples of the smallest cluster."""
        return min(self.sizes)

    @property
    def not_found_again(self) -> tuple[int, ...]:
        """Which clusters are not found again, by their place."""
        each = enumerate(zip(self.jaccard, self.sizes, strict=True))
        return tuple(at for at, (value, size) in each if value < needed_jaccard(size))

    @property
    def _weakest(self) -> tuple[float, float]:
        pairs = zip(self.jaccard, map(needed_jaccard, self.sizes), strict=True)
        return min(pairs, key=lambda pair: pair[0] - pair[1])

    @property
    def least_jaccard(self) -> float:
        """Jaccard index of the cluster that is found again least, for its size."""
        return self._weakest[0]

    @property
    def needed(self) -> float:
        """What that cluster would need, see :func:`needed_jaccard`."""
        return self._weakest[1]

    @property
    def mean_jaccard(self) -> float:
        """Mean of the clusters' Jaccard indices."""
        return sum(self.jaccard) / len(self.jaccard)

    @property
    def found_again(self) -> bool:
        """Whether each of the clusters is found again."""
        return not self.not_found_again

    @property
    def apart(self) -> bool:
        """Whether the clusters are farther apart than in data without groups."""
        if self.separation is None or self.without_groups is None:
            return self.n_clusters == 1
        return self.separation > self.without_groups

    @property
    def holds(self) -> bool:
        """Whether the clusters are found again, none is a few outliers, and this is not chance.

        They are farther apart than in data without groups, or found again better than parts of it.
        """
        return self.sound and (self.apart or self.clearest)

    @property
    def sound(self) -> bool:
        """Whether the clusters are found again, by chance or not, and none is a few outliers."""
        return self.found_again and self.smallest >= FEWEST_SAMPLES


def number_to_report(tried: Sequence[NumberTried]) -> int:
    """Return the number of clusters that the numbers tried speak for; 1 if none holds.

    That is the largest whose gap is not chance for all numbers together, each of them taking an
    equal share of :data:`MOST_CHANCE`. Where there is none it is the one whose gap is chance
    least; and where none has a gap, the one that is clearest without. For against data without
    groups a cluster too many may hold as well, where there are others.

    Examples
    --------
    >>> two = NumberTried(2, (30, 20), (0.9, 0.9), 5.0, 3.6, 0.0001)
    >>> number_to_report([two, NumberTried(3, (25, 16, 9), (0.9, 0.7, 0.8), 3.0, 3.6, 0.7)])
    2
    >>> number_to_report([two, NumberTried(3, (25, 16, 9), (0.9, 0.7, 0.8), 3.7, 3.6, 0.04)])
    2
    """
    several = [each for each in tried if each.n_clusters > 1]
    apart = [each for each in several if each.sound and each.apart]
    # Of older fits the chance is not known.
    sure = [each for each in apart if (each.chance or 0.0) < MOST_CHANCE / len(several)]
    if sure:
        return max(each.n_clusters for each in sure)
    if apart:
        return min(apart, key=lambda each: each.chance or 0.0).n_clusters
    return max((each.n_clusters for each in several if each.holds), default=1)
