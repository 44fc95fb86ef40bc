"""Opening a Parquet file: its size, and what pandas noted in it, are checked before use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from poems.data.files import existing_file
from poems.errors import ReadError


def open_file(path: Path) -> Any:
    """Return a ``pyarrow.parquet.ParquetFile`` whose notes of pandas fit its columns.

    Raises
    ------
    ReadError
        If the file is missing, not Parquet, or the notes are damaged: how
        columns are called, and which hold the names of the rows.
    """
    import pyarrow.parquet

    existing_file(path)
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = list(file.schema_arrow.names)
        # They stand in a file twice, and either may be used.
        kept = (file.schema_arrow.metadata, file.metadata.metadata)
        notes = {each[b"pandas"] for each in kept if each and b"pandas" in each}
        n_rows = int(file.metadata.num_rows)
    except Exception as error:  # pyarrow raises many kinds on damaged files
        raise ReadError(f"{path} is not a readable Parquet file: {_first_line(error)}") from None
    for each in sorted(notes):
        wrong = _wrong_notes(each, names, n_rows)
        if wrong:
            raise ReadError(
                f"{path}: the notes that pandas keeps in a Parquet file are damaged: {wrong}; "
                "write the table again, or drop the notes (pyarrow: "
                "table.replace_schema_metadata(None)) and set the index anew"
            )
    return file


def read_file(file: Any, where: str) -> Any:
    """Return the table in an open file as a DataFrame.

    Raises
    ------
    ReadError
        If the values are damaged.
    """
    try:
        return file.read().to_pandas()
    except Exception as error:  # as above
        raise ReadError(
            f"{where} is not a readable Parquet file: {_first_line(error)}; copy it again, or "
            "write it again"
        ) from None


def _wrong_notes(notes: bytes, names: list[str], n_rows: int) -> str:
    """Say what is wrong with the notes of pandas, if anything."""
    try:
        found = json.loads(notes.decode("utf-8"))
    except (ValueError, RecursionError):
        return "they are not JSON"
    if not isinstance(found, dict):
        return f"they are {str(found)[:40]}, not a table of columns"
    index, columns = found.get("index_columns"), found.get("columns")
    levels = found.get("column_indexes", [])
    if not isinstance(index, list) or not isinstance(columns, list) or not isinstance(levels, list):
        return "the lists of columns and of index columns are not there"
    for column in [*columns, *levels]:
        if not isinstance(column, dict) or not {"name", "pandas_type", "numpy_type"} <= set(column):
            return f"a column is described by {str(column)[:60]} alone"
    known = {str(each.get("field_name") or each["name"]) for each in columns}
    for each in index:
        wrong = (
            _wrong_range(each, n_rows)
            if isinstance(each, dict)
            else _wrong_index(each, names, known)
        )
        if wrong:
            return wrong
    return ""


def _wrong_index(name: object, names: list[str], known: set[str]) -> str:
    if not isinstance(name, str) or name not in names:
        return f"column {str(name)[:60]!r} should hold the names of the rows, and is not there"
    return "" if name in known else f"the index column {name[:60]!r} is not described"


def _wrong_range(index: dict[str, Any], n_rows: int) -> str:
    try:
        length = len(range(*(int(index[name]) for name in ("start", "stop", "step"))))
    except (KeyError, TypeError, ValueError, OverflowError):
        return f"the rows are numbered by {str(index)[:80]}"
    return "" if length == n_rows else f"they number {length} rows, and there are {n_rows}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
