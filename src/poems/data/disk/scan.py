"""The first pass over a view: refuses what is not finite, finds samples without a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.disk.view import BackedView
from poems.data.numeric import shorten
from poems.data.precision import far_by_range, is_far
from poems.errors import DataError
from poems.findings import count


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass tells of a view.

    ``empty``: positions of the samples that have a row but no value;
    ``n_stored``: entries of each feature that the file stores, (n_features,);
    ``n_missing``: missing entries in rows that have a value.
    """

    empty: npt.NDArray[np.int64]
    n_stored: npt.NDArray[np.int64]
    n_missing: int


def scan(view: BackedView, name: str, samples: pd.Index) -> Scan:
    """Pass over the values of a view once.

    Raises
    ------
    DataError
        If a value is infinite or beyond the range of float32.
    """
    empty, n_missing = [], 0
    matrix = view.matrix
    # Whether the digits matter is seen in double precision alone.
    matrix.dtype = np.float64 if matrix.is_wide else np.float32
    extremes = _Extremes(view.n_features)
    n_stored = np.zeros(view.n_features, dtype=np.int64)
    for which, rows in view.blocks():
        stored = rows.data if view.matrix.is_sparse else rows
        if matrix.is_wide:
            extremes.see(rows)
        if np.isinf(stored).any() or not extremes.are_finite():
            raise _infinite(view, name, samples, which, rows)
        if view.matrix.is_sparse:
            n_stored += np.bincount(rows.indices, minlength=view.n_features)
            missing = np.isnan(stored)
            if not missing.any():
                continue
            row_of = np.repeat(np.arange(len(which)), np.diff(rows.indptr))
            per_row = np.bincount(row_of[missing], minlength=len(which))
        else:
            n_stored += len(rows)
            per_row = np.count_nonzero(np.isnan(stored), axis=1)
        gone = per_row == view.n_features
        empty.append(which[gone])
        n_missing += int(per_row[~gone].sum())
    if matrix.is_wide and not _is_far(view, extremes):
        matrix.dtype = np.float32
    return Scan(np.sort(np.concatenate([np.empty(0, dtype=np.int64), *empty])), n_stored, n_missing)


class _Extremes:
    """The smallest and the largest value of each feature, of shape (n_features,); NaN of none."""

    def __init__(self, n_features: int) -> None:
        self.lowest = np.full(n_features, np.nan)
        self.highest = np.full(n_features, np.nan)

    def see(self, rows: Any) -> None:
        """Take note of some rows."""
        if hasattr(rows, "toarray"):
            lowest, highest = (_column_extremes(rows, which) for which in (np.fmin, np.fmax))
        else:
            # To look at the NA of R, which is a NaN that signals, is nothing to warn of.
            with np.errstate(invalid="ignore"):
                lowest, highest = np.fmin.reduce(rows, axis=0), np.fmax.reduce(rows, axis=0)
        self.lowest, self.highest = np.fmin(self.lowest, lowest), np.fmax(self.highest, highest)

    def are_finite(self) -> bool:
        """Are all values within the range of single precision?"""
        # The overflow is what is looked for.
        with np.errstate(over="ignore", invalid="ignore"):
            both = np.concatenate([self.lowest, self.highest]).astype(np.float32)
        return not np.isinf(both).any()


def _column_extremes(rows: Any, which: np.ufunc) -> npt.NDArray[np.float64]:
    """Return the smallest or largest value of each column of CSR rows, their zeros counted."""
    found = np.zeros(rows.shape[1])
    full = np.bincount(rows.indices, minlength=rows.shape[1]) == rows.shape[0]
    found[full] = np.nan
    # To look at the NA of R, which is a NaN that signals, is nothing to warn of.
    with np.errstate(invalid="ignore"):
        which.at(found, rows.indices, rows.data)
    return found


def _is_far(view: BackedView, extremes: _Extremes) -> bool:
    """Does a feature lie so far from 0 that single precision would lose its digits?"""
    n_samples = int(view.measured.sum())
    far, unsure = far_by_range(extremes.lowest, extremes.highest, n_samples)
    if far.any() or not unsure.any():
        return bool(far.any())
    columns = np.flatnonzero(unsure)
    # About the middle of each, so that no digits are lost in squares.
    middle = (extremes.lowest + extremes.highest)[columns] / 2
    n, total, squares = (np.zeros(len(columns)) for _ in range(3))
    for _, rows in view.blocks():
        some = rows[:, columns]
        away = (some.toarray() if hasattr(some, "toarray") else some) - middle
        n += np.count_nonzero(~np.isnan(away), axis=0)
        total += np.nansum(away, axis=0)
        squares += np.nansum(away**2, axis=0)
    # Rounding alone makes a variance negative.
    deviation = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
    largest = np.maximum(np.abs(extremes.lowest), np.abs(extremes.highest))[columns]
    return any(map(is_far, largest.tolist(), deviation.tolist()))


def _infinite(
    view: BackedView, name: str, samples: pd.Index, which: npt.NDArray[np.int64], rows: object
) -> DataError:
    dense = rows.toarray() if view.matrix.is_sparse else np.asarray(rows)  # type: ignore[attr-defined]
    # The overflow is what is looked for.
    with np.errstate(over="ignore", invalid="ignore"):
        cells = np.argwhere(np.isinf(dense.astype(np.float32)))
    row, column = cells[0]
    return DataError(
        f"view '{name}' ({view.matrix.where}): {count(len(cells), 'value is', 'values are')} "
        "infinite or too large for single precision (beyond 3.4e38), the first that of sample "
        f"{shorten(samples[which[row]])}, feature {shorten(view.features[column])}. Write NaN "
        "where the value is unknown"
    )
