"""Random numbers for each thing that is drawn, whatever else was drawn before it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Drawn(IntEnum):
    """What random numbers are drawn for."""

    SUBSAMPLES = 0
    STARTS = 1
    FEWER = 2
    COHORTS = 3
    SUBSAMPLES_OF_COHORTS = 4
    SUBSAMPLES_OF_FEWER = 5


def generator_of(seed: int, what: Drawn, *which: int) -> np.random.Generator:
    """Return the generator of one thing that is drawn.

    Two fits of the same samples are judged by the same draws, although one needs more of them than
    the other: what differs between them then is not the draws.

    Parameters
    ----------
    seed
        Of all draws.
    what, which
        What is drawn, and the how many-th of it.

    Examples
    --------
    >>> first, again = (generator_of(0, Drawn.COHORTS, 2).integers(100, size=3) for _ in "ab")
    >>> bool((first == again).all())
    True
    """
    return np.random.default_rng([seed, 18, int(what), *which])
