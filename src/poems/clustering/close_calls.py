"""Whether the number of clusters is a close call: what refits differ by might change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from scipy.special import ndtr, ndtri

from poems.clustering.tried import NumberTried, number_to_report

# By how much the same cohort's fits differ that have another seed, or samples, features or views
# in another order, as standard deviations: of separations in shares of their limit, in standard
# deviations of those without groups, and of Jaccard indices (`benchmarks/number.py orders`).
SEPARATION: Final = 0.07
DEVIATIONS: Final = 0.6
JACCARD: Final = 0.03
# How many of these are a close call.
_WIDTH: Final = 1.5


def close_calls(tried: Sequence[NumberTried]) -> tuple[int, ...]:
    """Return the numbers that might as well have been reported, from one fit alone.

    A number is one if it would be reported, in place of the one that is, had a single of the
    numbers tried fared as much better or worse as fits of the same cohort differ by: 1.5
    standard deviations of its separation and of its Jaccard indices.

    Parameters
    ----------
    tried
        The numbers.

    Returns
    -------
    Other numbers than the reported one, in increasing order; none where it is no close call.

    Examples
    --------
    >>> one = NumberTried(1, (70,), (1.0,), None, None)
    >>> close_calls([one, NumberTried(2, (40, 30), (0.95, 0.91), 9.0, 3.9, 1e-9)])
    ()
    >>> close_calls([one, NumberTried(2, (40, 30), (0.95, 0.91), 4.0, 3.9, 0.03)])
    (1,)
    """
    reported = number_to_report(tried)
    found = {
        number_to_report([_fared(each, by) if each is one else each for each in tried])
        for one in tried
        if one.n_clusters > 1
        for by in (-_WIDTH, _WIDTH)
    }
    return tuple(sorted(found - {reported}))


def _fared(one: NumberTried, by: float) -> NumberTried:
    """The number, had it fared so many standard deviations of refits better."""
    jaccard = tuple(min(1.0, value + by * JACCARD) for value in one.jaccard)
    limit, chance = one.again_without_groups, one.chance
    better = replace(
        one,
        jaccard=jaccard,
        separation=None if one.separation is None else one.separation * (1.0 + by * SEPARATION),
        chance=None if chance is None else float(ndtr(ndtri(chance) - by * DEVIATIONS)),
    )
    # Asked only where no number has a gap: otherwise what is found again beyond chance is unknown.
    return better if limit is None else replace(better, clearest=better.mean_jaccard > limit)
