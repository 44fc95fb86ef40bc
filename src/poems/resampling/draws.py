"""Draws of samples for refits: bootstraps, subsamples, or all of them each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError

Resample = Literal["subsample", "bootstrap", "none"]

# A view needs this many samples in a draw to be fitted.
_FEWEST_MEASURED = 3


@dataclass(frozen=True, eq=False)
class Draw:
    """Samples of one refit, and its seed.

    ``rows``: positions in the cohort, sorted; repeated where a bootstrap drew a
    sample more than once.
    """

    rows: npt.NDArray[np.intp]
    seed: int

    def left_out(self, n_samples: int) -> npt.NDArray[np.intp]:
        """Return the positions that were not drawn, of ``n_samples``.

        Examples
        --------
        >>> Draw(np.array([0, 0, 3]), seed=0).left_out(4)
        array([1, 2])
        """
        return np.setdiff1d(np.arange(n_samples), self.rows)


def draw_samples(
    measured: npt.NDArray[np.bool_],
    n_draws: int,
    *,
    resample: Resample = "subsample",
    share: float = 0.8,
    seed: int = 0,
) -> list[Draw]:
    """Draw the samples of every refit, and a seed each.

    Draw number i is the same whatever the number of draws.

    Parameters
    ----------
    measured
        Boolean array of shape (n_samples, n_views): which view was measured on
        which sample. Each draw holds at least 3 samples of every view.
    n_draws
        Number of refits.
    resample
        ``"subsample"``: ``round(share * n_samples)`` of the samples, none
        twice; ``"bootstrap"``: n_samples with replacement; ``"none"``: all.
    share
        Share of the samples in a subsample.
    seed
        Seed of the draws.

    Raises
    ------
    DataError
        If a view was measured on so few samples that no draw holds 3 of them.
    SettingsError
        If ``resample`` is unknown.

    Examples
    --------
    >>> [len(draw.rows) for draw in draw_samples(np.ones((50, 1), bool), 3)]
    [40, 40, 40]
    """
    if resample not in get_args(Resample):
        raise SettingsError(
            f"resample must be one of {', '.join(get_args(Resample))}, not '{resample}'"
        )
    children = np.random.SeedSequence(seed).spawn(n_draws)
    return [_draw(np.random.default_rng(child), measured, resample, share) for child in children]


def _draw(
    rng: np.random.Generator, measured: npt.NDArray[np.bool_], resample: Resample, share: float
) -> Draw:
    n_samples = len(measured)
    fit_seed = int(rng.integers(2**32))
    # Draws that leave a view with too few are made anew, at most so often.
    for _ in range(100):
        if resample == "none":
            rows = np.arange(n_samples)
        elif resample == "bootstrap":
            rows = np.sort(rng.integers(n_samples, size=n_samples))
        else:
            rows = np.sort(rng.permutation(n_samples)[: round(share * n_samples)])
        distinct = np.unique(rows)
        if measured[distinct].sum(axis=0).min() >= _FEWEST_MEASURED:
            return Draw(rows, fit_seed)
    raise DataError(
        f"a view was measured on {measured.sum(axis=0).min()} samples only, too few for a resample "
        f"to hold {_FEWEST_MEASURED} of them; leave the view out, or pass resample='none'"
    )


def take_rows(
    views: Mapping[str, View], obs: pd.DataFrame, rows: npt.NDArray[np.intp]
) -> MultiOmics:
    """Return the cohort of ``rows``, which may repeat: names carry the turn of their sample.

    ``obs`` is the table of all samples, by their names.
    """
    turns = pd.Series(rows).groupby(rows).cumcount()
    index = pd.Index([f"{obs.index[row]}#{turn}" for row, turn in zip(rows, turns, strict=True)])
    return MultiOmics(
        {name: view.take(rows) for name, view in views.items()},
        index,
        obs.iloc[rows].set_axis(index),
    )
