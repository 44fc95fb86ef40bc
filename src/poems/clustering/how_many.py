"""How many clusters: as many as are all found again, and apart or found again beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from poems.clustering.found_again import (
    STARTS,
    beyond_chance,
    embedded,
    jaccard_indices,
    subsamples,
)
from poems.clustering.groupless import GrouplessCohorts, separated
from poems.clustering.lloyd import kmeans_of_each
from poems.clustering.redraws import Redraws
from poems.clustering.separation import told_apart_by
from poems.clustering.tried import NumberTried

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Rng = np.random.Generator

# Of fewer samples nothing can be drawn that would tell: no number above 1 holds.
FEWEST_JUDGED: Final = 10
# Of more samples, that many are drawn from: of a subtype of 5 % are 25.
MOST_SAMPLES: Final = 500
_SUBSAMPLES: Final = 12
# Cohorts without groups have that many samples at most.
_MOST_GROUPLESS: Final = 250
# Of how many factors it is said that clusters differ by them, and from which share of the first.
_FACTORS_NAMED: Final = 2
_AS_MUCH: Final = 0.5


def try_numbers(
    redraws: Redraws, partitions: Mapping[int, Codes], *, seed: int = 0
) -> tuple[NumberTried, ...]:
    """Judge numbers of clusters by what happens when samples are drawn anew.

    Random subsamples of 80 % are embedded anew and clustered: how well is each cluster
    found again? And cohorts without groups, which have the same covariances, are embedded
    and clustered: how far apart are their clusters? Where clusters are found again but no
    farther apart, how well are those without groups found again?

    Parameters
    ----------
    redraws
        What embeds samples anew; more than 500 samples are too many, see :func:`drawn_rows`.
    partitions
        Number of clusters to the cluster of each of these samples, from 0.
    seed
        Of all draws.

    Returns
    -------
    One entry a number, in increasing order.

    Examples
    --------
    >>> from poems.clustering.redraws import PointRedraws
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat(9.0 * np.eye(3), 20, axis=0) + rng.normal(size=(60, 3))
    >>> thirds = np.repeat([0, 1, 2], 20)
    >>> two, three = try_numbers(PointRedraws(points, points), {2: thirds % 2, 3: thirds})
    >>> two.holds, three.holds
    (False, True)
    """
    rng = np.random.default_rng([seed, 18])
    n_samples = len(redraws.latents)
    rows = subsamples(n_samples, _SUBSAMPLES, rng)
    possible = {k: partitions[k] for k in sorted(partitions)}
    several = [k for k in possible if 1 < k < rows.shape[1] and n_samples >= FEWEST_JUDGED]
    drawn = {k: possible[k] for k in several}
    points = embedded(redraws, rows) if several else np.empty(0)
    sizes = {k: tuple(map(int, np.bincount(labels, minlength=k))) for k, labels in possible.items()}
    jaccard = {
        k: tuple(map(float, _found_again(points, labels, k, rows, rng)))
        for k, labels in drawn.items()
    }
    again = [k for k in several if NumberTried(k, sizes[k], jaccard[k], None, None).found_again]
    fewer = _fewer_rows(n_samples, rng)
    few, of_few = redraws.some(fewer), {k: labels[fewer] for k, labels in drawn.items()}
    cohorts = GrouplessCohorts(few, rng)
    apart = separated(few, of_few, again, cohorts, rng)
    found = []
    for k, labels in possible.items():
        if k == 1:
            found.append(NumberTried(1, (n_samples,), (1.0,), None, None))
        elif k in several:
            along = _factors(told_apart_by(redraws.latents, labels, k))
            own = apart[k]
            found.append(
                NumberTried(k, sizes[k], jaccard[k], own.separation, own.limit, own.chance, along)
            )
        else:
            found.append(NumberTried(k, sizes[k], (0.0,) * k, 0.0, 0.0))
    return _clearest_named(found, cohorts, few if len(fewer) < n_samples else None, of_few, rng)


def _found_again(points: Floats, labels: Codes, k: int, rows: Codes, rng: Rng) -> Floats:
    clusters = kmeans_of_each(points, k, rng, n_starts=STARTS)
    return jaccard_indices(labels, k, rows, clusters)


def _fewer_rows(n_samples: int, rng: Rng) -> Codes:
    """Rows of those samples that cohorts without groups are made of."""
    return np.sort(rng.permutation(n_samples)[:_MOST_GROUPLESS])


def _clearest_named(
    tried: Sequence[NumberTried],
    cohorts: GrouplessCohorts,
    fewer: Redraws | None,
    partitions: Mapping[int, Codes],
    rng: Rng,
) -> tuple[NumberTried, ...]:
    """Where no number has a gap, name that which is found again farthest beyond chance.

    ``fewer``: those of the samples that cohorts without groups are made of, and their clusters;
    more are found again better. ``None`` if they are all.
    """
    sound = {each.n_clusters: each for each in tried if each.n_clusters > 1 and each.sound}
    if not sound or any(each.apart for each in sound.values()):
        return tuple(tried)
    own = {k: each.mean_jaccard for k, each in sound.items()}
    if fewer is not None:
        rows = subsamples(len(fewer.latents), _SUBSAMPLES, rng)
        points = embedded(fewer, rows)
        own = {k: float(_found_again(points, partitions[k], k, rows, rng).mean()) for k in sound}
    found = beyond_chance(cohorts, own, rng)
    best = max(found, key=lambda k: found[k].surplus)
    clearest = best if found[best].beyond else None
    return tuple(
        replace(
            each,
            again_without_groups=beside.limit_of(each.mean_jaccard),
            clearest=each.n_clusters == clearest,
        )
        if (beside := found.get(each.n_clusters))
        else each
        for each in tried
    )


def drawn_rows(n_samples: int, seed: int) -> Codes:
    """Return the rows of the samples that are drawn from: all, or a random 500.

    Examples
    --------
    >>> drawn_rows(3, seed=0).tolist(), len(drawn_rows(5000, seed=0))
    ([0, 1, 2], 500)
    """
    if n_samples <= MOST_SAMPLES:
        return np.arange(n_samples, dtype=np.intp)
    drawn = np.random.default_rng(seed).choice(n_samples, MOST_SAMPLES, replace=False)
    return np.sort(drawn).astype(np.intp)


def _factors(shares: Floats) -> tuple[int, ...]:
    """Which factors tell clusters apart, from 1: one, or two of which the second does it, too."""
    most = np.argsort(-shares, kind="stable")[:_FACTORS_NAMED]
    return tuple(int(at) + 1 for at in most if 0 < shares[at] >= _AS_MUCH * shares[most[0]])
