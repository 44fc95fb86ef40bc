"""Parquet: one table, its index or its first column of words naming the rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poems.data.formats import Contents, Reader
from poems.errors import DataError
from poems.findings import Finding

if TYPE_CHECKING:
    from poems.data.disk.stores import OpenStore

# Bytes that a value takes at most: in the process that parses, handed over, as a DataFrame, and as
# what is checked.
_MEMORY_EACH = 40

# What reads is imported when it does: whether a path is there is said before.


def read_table(path: Path) -> Contents:
    """Read the table, if there is memory for it."""
    import pandas as pd

    from poems.data.stored.memory import require_memory
    from poems.data.stored.parquet_file import open_file

    file = open_file(path)
    shape = file.n_rows, len(file.schema.names)
    require_memory(shape, str(path), bytes_each=_MEMORY_EACH)
    frame = file.frame()
    if isinstance(frame.index, pd.RangeIndex) and frame.shape[1] > 1:
        first = frame.columns[0]
        if not pd.api.types.is_numeric_dtype(frame[first].dtype):
            text = f"{path} was saved without an index; its first column '{first}' names the rows"
            note = Finding("note", "first-column-index", text)
            return Contents(frame.set_index(first), (note,))
    return Contents(frame)


def open_parts(path: Path, view: str | None) -> OpenStore:
    """Open the table, its values left on disk; it holds one view, which needs a name."""
    from poems.data.disk.parquet import open_parquet
    from poems.data.disk.stores import OpenStore, OpenView

    if view is None:
        raise DataError(
            f"{path.name} holds one view; give it a name: {{'{path.stem}': {str(path)!r}}}"
        )
    matrix, samples, features, findings = open_parquet(path)
    return OpenStore({view: OpenView(matrix, samples, features, findings=findings)})


READER = Reader(table=read_table, annotations=read_table, parts=open_parts)
