"""A view in a Parquet file, read a row group at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.disk.matrix import Floats, Rows, is_wide
from poems.data.stored.parquet_file import ParquetFile, open_file
from poems.data.stored.parsing import guarded
from poems.errors import DataError
from poems.findings import Finding, name_some

# A row group is read as a whole: beyond this size (as float32) it is refused.
_LARGEST_GROUP = 1 << 29


class ParquetTable:
    """The numeric columns of a Parquet file; its row group last used is kept in memory."""

    is_sparse = False

    def __init__(self, file: ParquetFile, columns: list[str], index: list[str]) -> None:
        self.where = where = str(file.path)
        self.shape: tuple[int, int] = (file.n_rows, len(columns))
        self.dtype: type[np.floating[Any]] = np.float32
        self.is_wide = False
        sizes = file.group_rows
        self.chunk_rows = max(sizes, default=1)
        if self.chunk_rows * len(columns) * 4 > _LARGEST_GROUP:
            fitting = max(1, (_LARGEST_GROUP // 8) // (4 * max(1, len(columns))))
            raise DataError(
                f"{where} has row groups of {self.chunk_rows} rows, which are read as a whole; "
                f"write it again with row_group_size={fitting} or less"
            )
        for name in columns:
            kind = file.schema.field(name).type
            if not _is_number(kind):
                raise DataError(
                    f"{where}: column '{name}' holds {kind}, not numbers; move it to the obs table"
                )
            self.is_wide = self.is_wide or is_wide(kind.to_pandas_dtype())
        self._file, self._index = file, index
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._cached: tuple[tuple[int, type], Floats] | None = None
        self._trusted = False

    def trust(self) -> None:
        """Read in this process from now on: another one read all values, and they are sound."""
        self._trusted = True

    def read(self, start: int, stop: int) -> Rows:
        """Return some rows."""
        parts = []
        first = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            end = int(self._ends[first])
            begin = int(self._ends[first - 1]) if first else 0
            parts.append(self._group(first)[start - begin : min(stop, end) - begin])
            start, first = end, first + 1
        if not parts:
            return np.empty((0, self.shape[1]), dtype=self.dtype)
        return parts[0].copy() if len(parts) == 1 else np.concatenate(parts)

    def columns(self, start: int, stop: int) -> Floats:
        """Return some columns."""
        return self._block(None, start, stop)

    def _group(self, number: int) -> Floats:
        if self._cached is None or self._cached[0] != (number, self.dtype):
            self._cached = None  # before the next is read: one at a time
            self._cached = ((number, self.dtype), self._block(number, 0, self.shape[1]))
        return self._cached[1]

    def _block(self, group: int | None, start: int, stop: int) -> Floats:
        return self._file.block(group, start, stop, self._index, self.dtype, self._trusted)


def open_parquet(path: Path) -> tuple[ParquetTable, pd.Index, pd.Index, tuple[Finding, ...]]:
    """Return the matrix in a Parquet file, its row and column names, and what was assumed.

    Raises
    ------
    ReadError
        If the file is missing or not Parquet.
    DataError
        If a column does not hold numbers, or the file cannot be read in parts.
    """
    file = open_file(path)
    names = list(file.schema.names)
    if len(set(names)) < len(names):
        repeated = {name for name in names if names.count(name) > 1}
        raise DataError(f"{path} has columns of one name: {name_some(repeated)}; rename them")
    findings: tuple[Finding, ...] = ()
    notes = guarded(str(path), lambda: file.schema.pandas_metadata) or {}
    index = [
        each for each in notes.get("index_columns", []) if isinstance(each, str) and each in names
    ]
    if len(index) > 1:
        raise DataError(f"{path} has {len(index)} levels of sample names; keep one")
    if not index and len(names) > 1 and not _is_number(file.schema.field(names[0]).type):
        index = [names[0]]
        text = f"{path} was saved without an index; its first column '{names[0]}' names the rows"
        findings = (Finding("note", "first-column-index", text),)
    if index:
        rows = guarded(str(path), lambda: file.table(index).column(0).to_pandas())
        samples = pd.Index(rows.to_numpy(dtype=object))
    else:
        samples = pd.RangeIndex(file.n_rows)
    columns = [name for name in names if name not in index]
    return ParquetTable(file, columns, index), samples, pd.Index(columns), findings


def _is_number(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind))
