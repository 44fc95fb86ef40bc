"""Cohorts without groups, drawn when they are needed, and how far apart their clusters are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from poems.clustering.chance import Apart, against_chance
from poems.clustering.lloyd import kmeans_of_each
from poems.clustering.redraws import SHAPES, Groupless, Redraws, Shape
from poems.clustering.separation import least_separation
from poems.clustering.tried import MOST_CHANCE, NEARLY

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Rng = np.random.Generator

# Clusters of bent continua lie farthest apart in most numbers, and are found again best: what is
# so in them need not be tried further.
ORDER: Final[tuple[Shape, ...]] = tuple(reversed(SHAPES))
# Cohorts of each shape to begin with, and most of one where the chance of a number is close to
# what is asked; each step doubles them. Of 64 the standard error is a sixth of their standard
# deviation; between fits that differ in the seed alone a separation varies by 0.6 of one
# (docs/benchmarks.md), which no number of draws makes less.
_FIRST: Final = 4
_MOST: Final = 64
# Most of one where it is only about the words: whether clusters are nearly apart.
_MOST_FOR_WORDS: Final = 16
# Starts of k-means in each of them.
_STARTS: Final = 5


class GrouplessCohorts:
    """Cohorts without groups like a given one, each drawn once.

    Parameters
    ----------
    redraws
        What draws them.
    rng
        Of all draws.
    """

    # Of each shape so many are kept, for what is asked of them next.
    _KEPT: Final = 8

    def __init__(self, redraws: Redraws, rng: Rng) -> None:
        self._redraws = redraws
        self._rng = rng
        self._drawn: dict[Shape, list[Groupless]] = {shape: [] for shape in SHAPES}

    def of(self, shape: Shape, start: int, stop: int) -> list[Groupless]:
        """Return those of one shape from number ``start`` to before ``stop``."""
        kept = self._drawn[shape]
        found = kept[start:stop]
        for at in range(start + len(found), stop):
            found.append(self._redraws.without_groups(self._rng, shape))
            if at == len(kept) < self._KEPT:
                kept.append(found[-1])
        return found


def separated(
    redraws: Redraws,
    partitions: Mapping[int, Codes],
    again: Sequence[int],
    cohorts: GrouplessCohorts,
    rng: Rng,
) -> dict[int, Apart]:
    """Compute how far clusters are apart, beside cohorts without groups.

    As many of these are drawn as it takes for each answer not to hang on the draws: four of
    each shape, and as long as the chance is within 1.5 standard errors of what is asked
    (:meth:`poems.clustering.chance.Apart.settled`) twice as many of the shape that decides, up to
    64. What is not apart for sure beside one shape is not tried with the others.

    Parameters
    ----------
    redraws
        The cohort.
    partitions
        Number of clusters to the cluster of each sample.
    again
        Numbers whose clusters are found again; only of these may one hold, so that these alone
        need an answer that is sure.
    cohorts
        Those without groups.
    rng
        Draws the starts of k-means.

    Returns
    -------
    One entry per number.
    """
    if not partitions:
        return {}
    own = {
        k: np.array([least_separation(space, labels, k) for space in redraws.spaces])
        for k, labels in partitions.items()
    }
    smallest = {k: int(np.bincount(each, minlength=k).min()) for k, each in partitions.items()}
    none: dict[Shape, dict[int, Floats]] = {}

    def compared() -> dict[int, Apart]:
        return {k: against_chance(own[k], none, k, smallest[k]) for k in own}

    for shape in ORDER:
        none[shape] = _separations(cohorts.of(shape, 0, _FIRST), partitions, rng)
        found = compared()
        if not _maybe(found, again) and not _nearly(found, again):
            return found
    near = [k for k in partitions if any(abs(k - each) <= 1 for each in again)]
    while doubtful := _doubtful(found, again, MOST_CHANCE / len(own)):
        for shape, drawn in doubtful.items():
            more = _separations(cohorts.of(shape, drawn, 2 * drawn), near, rng)
            none[shape] |= {k: np.concatenate([none[shape][k], more[k]]) for k in near}
        found = compared()
    return found


def _doubtful(
    found: Mapping[int, Apart], again: Sequence[int], least_chance: float
) -> dict[Shape, int]:
    """Shapes of which more cohorts are drawn, and how many there are."""
    maybe = _maybe(found, again)
    if not maybe:
        unsure = [found[k] for k in _nearly(found, again) if not found[k].known(NEARLY)]
        return {each.shape: each.n_draws for each in unsure if each.n_draws < _MOST_FOR_WORDS}
    # What is least chance is asked only where there is another to choose.
    borders = [MOST_CHANCE, least_chance] if len(maybe) > 1 else [MOST_CHANCE]

    def settled(each: Apart) -> bool:
        return all(map(each.settled, borders))

    # Of numbers whose gap is sure the largest is taken, whatever smaller ones have.
    sure = [k for k in maybe if settled(found[k]) and found[k].chance < least_chance]
    asked = [found[k] for k in maybe if k > max(sure, default=0)]
    return {
        each.shape: each.n_draws for each in asked if not settled(each) and each.n_draws < _MOST
    }


def _maybe(found: Mapping[int, Apart], again: Sequence[int]) -> list[int]:
    """Numbers that have a gap, or may have one."""
    return [k for k in again if found[k].apart or not found[k].settled(MOST_CHANCE)]


def _nearly(found: Mapping[int, Apart], again: Sequence[int]) -> list[int]:
    """Numbers that are nearly apart, or may be."""
    return [k for k in again if found[k].chance < NEARLY or not found[k].known(NEARLY)]


def _separations(none: list[Groupless], numbers: Iterable[int], rng: Rng) -> dict[int, Floats]:
    """Separations in cohorts without groups, (n_draws, n_spaces), by number of clusters."""
    points = np.stack([each.points for each in none])
    found = {}
    for k in numbers:
        labels = kmeans_of_each(points, k, rng, n_starts=_STARTS)
        found[k] = np.array(
            [
                [least_separation(space, own, k) for space in each.spaces]
                for each, own in zip(none, labels, strict=True)
            ]
        )
    return found
