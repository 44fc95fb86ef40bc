"""How well clusters are found again when samples are drawn anew, also where there are no groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from poems.clustering.groupless import ORDER, GrouplessCohorts
from poems.clustering.lloyd import kmeans_of_each
from poems.clustering.redraws import Groupless
from poems.clustering.tried import MOST_CHANCE

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Rng = np.random.Generator

_SHARE: Final = 0.8
# Starts of k-means in subsamples: as many as the fit's own clusters have, or small ones are missed.
STARTS: Final = 20
# Cohorts without groups of each shape: so many first, and as many again of numbers that are not
# below the limit by more standard errors.
_GROUPLESS: Final = (0, 4, 8)
_SURE: Final = 1.5
# Subsamples of each of them.
_SUBSAMPLES: Final = 3
# Angles of mean indices vary by so much at least, however little they do in a few cohorts.
_LEAST_SPREAD: Final = 0.03


class OfSome(Protocol):
    """What embeds some samples as if there were no others."""

    def of_some(self, rows: Codes) -> Floats:
        """Return the points of some samples, (n_rows, n_dimensions)."""
        ...


@dataclass(frozen=True)
class Again:
    """How well clusters are found again, beside parts of cohorts without groups.

    Parameters
    ----------
    jaccard
        Mean of the clusters' Jaccard indices.
    limit
        What it must exceed: what that of any of the numbers asked of would be in
        :data:`MOST_CHANCE` of cohorts without groups.
    surplus
        How many standard deviations its angle is above the mean of these.
    """

    jaccard: float
    limit: float
    surplus: float

    @property
    def beyond(self) -> bool:
        """Whether it exceeds the limit."""
        return self.jaccard > self.limit

    def limit_of(self, jaccard: float) -> float:
        """Return the limit beside the index of more samples, which is as far beyond it by angle."""
        angle = _angle(jaccard) - _angle(self.jaccard) + _angle(self.limit)
        # An index has no angle outside: a limit beyond 1 is never exceeded, one below 0 always.
        return float(np.sin(np.clip(angle, 0.0, np.pi / 2)) ** 2)


def subsamples(n_samples: int, n_draws: int, rng: Rng) -> Codes:
    """Draw four fifths of the samples so many times: rows, (n_draws, n_drawn)."""
    size = max(2, round(_SHARE * n_samples))
    return np.stack([np.sort(rng.permutation(n_samples)[:size]) for _ in range(n_draws)])


def embedded(redraws: OfSome, rows: Codes) -> Floats:
    """Embed each subsample anew, (n_draws, n_drawn, n_dimensions)."""
    return np.stack([redraws.of_some(each) for each in rows])


def jaccard_indices(labels: Codes, n_clusters: int, rows: Codes, clusters: Codes) -> Floats:
    """Compute how well each cluster is found again: its best Jaccard index, mean over subsamples.

    Parameters
    ----------
    labels
        Cluster of each sample, from 0.
    n_clusters
        Number of clusters.
    rows, clusters
        Samples of each subsample, and their clusters in it, (n_draws, n_drawn).

    Returns
    -------
    Indices from 0 to 1, (n_clusters,) (Hennig 2007).

    Examples
    --------
    >>> rows = np.array([[0, 1, 2, 3]])
    >>> jaccard_indices(np.array([0, 0, 1, 1, 1]), 2, rows, np.array([[1, 1, 0, 1]])).round(2)
    array([0.67, 0.5 ])
    """
    own = (labels[rows][:, :, None] == np.arange(n_clusters)).astype(np.float64)
    other = (clusters[:, :, None] == np.arange(n_clusters)).astype(np.float64)
    common = own.transpose(0, 2, 1) @ other
    sizes = own.sum(axis=1)
    either = sizes[:, :, None] + other.sum(axis=1)[:, None, :] - common
    # Of two empty clusters nothing is common: 0, not of 0 samples.
    best = (common / np.maximum(either, 1.0)).max(axis=2)
    drawn = sizes > 0
    # A cluster of which no subsample has a sample was found again in none: 0 of 1.
    mean: Floats = np.where(drawn, best, 0.0).sum(axis=0) / np.maximum(drawn.sum(axis=0), 1)
    return mean


def beyond_chance(
    cohorts: GrouplessCohorts, own: Mapping[int, float], rng: Rng
) -> dict[int, Again]:
    """Compare how well clusters are found again with cohorts that have no groups.

    Parts of a continuum are found again as well, two or three of them nearly always. Indices
    are compared as angles, arcsin √J, for they lie between 0 and 1: those without groups
    are taken as normal, with the mean of each shape and number, and the standard deviation over
    that number and those next to it. Of the shapes that counts in which they are highest; a
    number that does not exceed one need not be tried with the others. The numbers asked of share
    the chance, for the best of them will be taken.

    Parameters
    ----------
    cohorts
        Cohorts without groups.
    own
        Mean Jaccard index by number of clusters.
    rng
        Of all draws.

    Returns
    -------
    One entry per number.
    """
    found: dict[int, Again] = {}
    least = -float(ndtri(MOST_CHANCE / max(1, len(own))))
    for shape in ORDER:
        left = [k for k in own if k not in found or found[k].beyond]
        beside: dict[int, Again] = {}
        angles: dict[int, Floats] = {}
        for start, stop in itertools.pairwise(_GROUPLESS):
            if not left:
                break
            tried = sorted({each for k in left for each in (k - 1, k, k + 1) if each > 1})
            more = _without_groups(cohorts.of(shape, start, stop), tried, rng)
            angles = {k: np.append(angles.get(k, ()), _angle(more[k])) for k in tried}
            beside |= {k: _beside(own[k], k, angles, least) for k in left}
            left = [k for k in left if beside[k].surplus > least - _SURE * _error(least, stop)]
        found |= {
            k: each
            for k, each in beside.items()
            if k not in found or each.surplus < found[k].surplus
        }
    return found


def _beside(own: float, k: int, angles: Mapping[int, Floats], least: float) -> Again:
    near = [angles[each].var(ddof=1) for each in (k - 1, k, k + 1) if each in angles]
    spread = max(float(np.sqrt(np.mean(near))), _LEAST_SPREAD)
    mean = float(angles[k].mean())
    limit = float(np.sin(min(mean + least * spread, np.pi / 2)) ** 2)
    return Again(own, limit, (float(_angle(own)) - mean) / spread)


def _error(least: float, n_cohorts: int) -> float:
    """Standard error of a surplus that is about what is asked."""
    # Spreads are pooled over three numbers.
    return float(np.sqrt(1.0 / n_cohorts + least**2 / (6.0 * (n_cohorts - 1))))


def _angle(index: float | Floats) -> Floats:
    """Map shares so that they vary alike whether near the middle or near 0 or 1."""
    # A mean of ones may exceed 1 by rounding.
    angle: Floats = np.arcsin(np.sqrt(np.minimum(index, 1.0)))
    return angle


def _without_groups(
    none: Sequence[Groupless], numbers: Iterable[int], rng: Rng
) -> dict[int, Floats]:
    """Mean Jaccard index in each of some cohorts without groups, by number of clusters."""
    drawn = [_drawn(each, rng) for each in none]
    found = {}
    for k in numbers:
        labels = kmeans_of_each(np.stack([each.points for each in none]), k, rng, n_starts=STARTS)
        found[k] = np.array(
            [
                jaccard_indices(
                    own, k, rows, kmeans_of_each(points, k, rng, n_starts=STARTS)
                ).mean()
                for own, (rows, points) in zip(labels, drawn, strict=True)
            ]
        )
    return found


def _drawn(cohort: Groupless, rng: Rng) -> tuple[Codes, Floats]:
    rows = subsamples(len(cohort.points), _SUBSAMPLES, rng)
    return rows, embedded(cohort, rows)
