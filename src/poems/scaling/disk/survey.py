"""A pass over a scaled view: what was clipped, what is missing, who has nothing usable."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.disk.matrix import pieces
from poems.scaling.disk.own import passed
from poems.scaling.disk.scaled import ScaledView


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass tells of a view on the model's scale.

    ``usable``: which samples have a value in one of the model's features,
    (n_samples,); ``gaps``: missing entries of each feature over these,
    (n_features,); ``n_clipped`` of ``n_entries`` lay beyond the limits.
    """

    usable: npt.NDArray[np.bool_]
    gaps: npt.NDArray[np.int64]
    n_clipped: int
    n_entries: int


def surveyed(view: ScaledView, obs: pd.DataFrame) -> tuple[ScaledView, Survey]:
    """Pass over a view; of one whose likelihood takes values as they were measured, size samples.

    ``obs`` is the table of the cohort's samples.

    Raises
    ------
    DataError
        If the likelihood cannot take one of the values, or a sample has no size.
    """
    own = view.scaling.own
    if own is None:
        return view, survey(view)
    usable = view.view.measured.copy()
    log_sizes, gaps = np.zeros(len(usable)), np.zeros(view.n_features, dtype=np.int64)
    n_clipped = n_entries = 0
    for at, values in passed(view.view, view.column):
        some, there = obs.iloc[at], ~np.isnan(values)
        usable[at] = there.any(axis=1)
        gaps += np.count_nonzero(~there[usable[at]], axis=0)
        n_entries += int(there.sum())
        if own.kind == "heavy":
            n_clipped += view.scaling.apply(values, view.name)[1]
        else:
            targets = own.targets(values, view.name, view.scaling.features, some.index)
            log_sizes[at] = own.log_sizes(targets, view.name, some)
    sized = replace(view, log_sizes=log_sizes)
    return sized, Survey(usable, gaps, n_clipped, n_entries)


def survey(view: ScaledView) -> Survey:
    """Pass over the samples on which the view was measured."""
    samples = np.flatnonzero(view.view.measured)
    usable = view.view.measured.copy()
    gaps = np.zeros(view.n_features, dtype=np.int64)
    n_clipped = n_missing = 0
    for piece in pieces(len(samples), view.n_features, view.view.matrix.chunk_rows):
        found = view.rows(samples[piece])
        n_clipped += found.n_clipped
        if found.missing is None:
            continue
        n_missing += int(np.count_nonzero(found.missing))
        gone = found.missing.all(axis=1)
        usable[samples[piece][gone]] = False
        gaps += np.count_nonzero(found.missing[~gone], axis=0)
    return Survey(usable, gaps, n_clipped, len(samples) * view.n_features - n_missing)
