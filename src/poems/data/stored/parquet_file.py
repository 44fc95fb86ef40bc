"""Opening a Parquet file: its size, and what pandas noted in it, are checked before use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poems.data.files import existing_file
from poems.data.stored.parsed_apart.parquet import block
from poems.data.stored.parsing import guarded, parse, start
from poems.errors import ReadError


@dataclass(frozen=True, eq=False)
class ParquetFile:
    """What a file says about itself; values are read by another process.

    Parameters
    ----------
    path
        Where it is.
    schema
        Its columns, a ``pyarrow.Schema`` with the notes of pandas.
    n_rows
        Number of rows.
    group_rows
        Rows of each row group.
    claimed
        Bytes that its values take, as it says.
    """

    path: Path
    schema: Any
    n_rows: int
    group_rows: list[int]
    claimed: int

    def table(self, columns: list[str] | None = None) -> Any:
        """Return some columns, or all, as a ``pyarrow.Table``.

        Raises
        ------
        ReadError
            If the values are damaged.
        """
        import pyarrow as pa

        question = {"do": "table", "columns": columns}
        _, values = parse("parquet", self.path, question, claimed=self.claimed)
        return pa.ipc.open_stream(pa.py_buffer(values)).read_all()

    def frame(self) -> Any:
        """Return the whole table as a DataFrame.

        Raises
        ------
        ReadError
            If the values are damaged.
        """
        return guarded(str(self.path), self.table().to_pandas)

    def block(
        self,
        group: int | None,
        start: int,
        stop: int,
        index: list[str],
        dtype: type[Any],
        trusted: bool = False,
    ) -> npt.NDArray[Any]:
        """Return columns of numbers, ``NaN`` where there is no value.

        Parameters
        ----------
        group
            The row group; ``None`` for all rows.
        start, stop
            Which columns of those that are not in ``index``.
        index
            Columns that are passed over.
        dtype
            ``numpy.float32`` or ``numpy.float64``.
        trusted
            Whether all values were read before, and are sound: then this process reads them.

        Returns
        -------
        array
            Of shape (n_rows, stop - start).

        Raises
        ------
        ReadError
            If the values are damaged.
        """
        n_rows = self.n_rows if group is None else self.group_rows[group]
        question = {
            "do": "block", "group": group, "start": start, "stop": stop, "index": index,
            "dtype": np.dtype(dtype).str,
        }  # fmt: skip
        if trusted:
            asked = {**question, "path": str(self.path)}
            return np.asarray(guarded(str(self.path), lambda: block(asked, np.empty)))
        claimed = 8 * n_rows * (stop - start)
        answer, values = parse("parquet", self.path, question, claimed=claimed)
        return np.asarray(values.view(answer["dtype"]).reshape(answer["shape"]))


def open_file(path: Path) -> ParquetFile:
    """Open a Parquet file whose notes of pandas fit its columns.

    Raises
    ------
    ReadError
        If the file is missing, not Parquet, claims more than it can hold, or the notes are
        damaged: how columns are called, and which hold the names of the rows.
    """
    existing_file(path)
    start("parquet")
    import pyarrow as pa

    answer, values = parse("parquet", path, {"do": "open"})
    schema = pa.ipc.read_schema(pa.py_buffer(values))
    n_rows = int(answer["n_rows"])
    for each in answer["notes"]:
        wrong = _wrong_notes(each.encode("latin-1"), list(schema.names), n_rows)
        if wrong:
            raise ReadError(
                f"{path}: the notes that pandas keeps in a Parquet file are damaged: {wrong}; "
                "write the table again, or drop the notes (pyarrow: "
                "table.replace_schema_metadata(None)) and set the index anew"
            )
    return ParquetFile(path, schema, n_rows, answer["group_rows"], int(answer["claimed"]))


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
