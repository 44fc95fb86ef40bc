"""The first pass over a view: refuses what is not finite, finds samples without a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.disk.view import BackedView
from poems.data.numeric import shorten
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
    n_stored = np.zeros(view.n_features, dtype=np.int64)
    for which, rows in view.blocks():
        stored = rows.data if view.matrix.is_sparse else rows
        if np.isinf(stored).any():
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
    return Scan(np.sort(np.concatenate([np.empty(0, dtype=np.int64), *empty])), n_stored, n_missing)


def _infinite(
    view: BackedView, name: str, samples: pd.Index, which: npt.NDArray[np.int64], rows: object
) -> DataError:
    dense = rows.toarray() if view.matrix.is_sparse else np.asarray(rows)  # type: ignore[attr-defined]
    cells = np.argwhere(np.isinf(dense))
    row, column = cells[0]
    return DataError(
        f"view '{name}' ({view.matrix.where}): {count(len(cells), 'value is', 'values are')} "
        "infinite or too large for single precision (beyond 3.4e38), the first that of sample "
        f"{shorten(samples[which[row]])}, feature {shorten(view.features[column])}. Write NaN "
        "where the value is unknown"
    )
