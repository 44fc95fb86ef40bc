"""Views on disk whose likelihood is given values as they were measured.

Rows are made dense some at a time, never a whole table: what is held besides what a caller asks
for is of :data:`_AT_ONCE` entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import Values
from poems.data.disk.matrix import pieces
from poems.data.disk.summary import summarise
from poems.data.disk.view import BackedView, Positions
from poems.findings import Finding
from poems.scaling.disk.learning import fit_backed_scaling
from poems.scaling.own_scale import Kind
from poems.scaling.own_scaling import as_heavy, own_scaling_from
from poems.scaling.view_scaling import ViewScaling
from poems.settings.groups import PreprocessingSettings

# Entries that are dense and in double precision at a time, some ten times over.
_AT_ONCE: Final = 1 << 19


def fit_backed_own_scaling(
    name: str, view: BackedView, obs: pd.DataFrame, kind: Kind, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how residuals of a view on disk are scaled.

    The numbers are those of :func:`poems.scaling.own_scaling.fit_own_scaling` but for rounding;
    nothing is approximated. The values are passed over once for each feature's statistics, as often
    as :func:`~poems.scaling.own_fitting.fit_own_scale` says, and once for the residuals'; the
    latter two once more to keep the most variable features.

    Raises
    ------
    DataError
        As that function.
    """
    if kind == "heavy":
        return as_heavy(*fit_backed_scaling(name, view, settings))
    found = summarise(view, log1p=False, n_sd=settings.winsorise).features
    kept = np.flatnonzero(found.varies)
    return own_scaling_from(
        name,
        view.features,
        kept,
        lambda columns: ((x, obs.iloc[at]) for at, x in passed(view, columns)),
        kind,
        settings,
    )


def passed(
    view: BackedView, columns: npt.NDArray[np.intp]
) -> Iterator[tuple[npt.NDArray[np.int64], Values]]:
    """Pass over some features of the samples that have a view, in the order of the file.

    Yields positions of samples in the cohort, and their values, as :func:`dense_rows` does.

    Parameters
    ----------
    columns
        Positions of the features in the file, -1 for one that is not there.
    """
    samples = np.flatnonzero(view.measured)
    samples = samples[np.argsort(view.position[samples], kind="stable")]
    # As many at a time as are read together.
    for piece in pieces(len(samples), view.n_features, view.matrix.chunk_rows):
        for at, x in dense_rows(view, columns, samples[piece]):
            yield samples[piece][at], x


def dense_rows(
    view: BackedView, columns: npt.NDArray[np.intp], which: npt.NDArray[np.int64]
) -> Iterator[tuple[Positions, Values]]:
    """Read samples at positions ``which`` of the cohort in one go, and make them dense by and by.

    Yields which of ``which`` they are, of those on which the view was measured, and their values,
    (n_some, n_columns), ``NaN`` for a feature that is not in the file.
    """
    where, stored = view.read(which)
    straight = np.array_equal(columns, np.arange(view.n_features))
    step = max(1, _AT_ONCE // max(1, view.n_features))
    for start in range(0, len(where), step):
        some = slice(start, start + step)
        yield where[some], _dense(stored[some], columns, straight=straight)


def _dense(rows: Any, columns: npt.NDArray[np.intp], *, straight: bool) -> Values:
    x: npt.NDArray[np.float32] = rows.toarray() if hasattr(rows, "toarray") else rows
    if straight:
        return x
    x = x[:, columns]
    x[:, columns < 0] = np.nan
    return x


def n_at_ends(view: BackedView) -> int:
    """Count the fractions of a view that are 0 or 1."""
    everything = passed(view, np.arange(view.n_features))
    return sum(int(np.count_nonzero((x <= 0) | (x >= 1))) for _, x in everything)
