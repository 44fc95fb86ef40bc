"""A Parquet file: its structure, and its values as Arrow or as an array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .links import Refused
from .payload import Payload
from .reasons import reason

# Files that are kept open, and how many times its size one may claim to hold.
_MOST_OPEN = 16
_SMALL, _RATIO = 1 << 28, 10_000

_open: dict[tuple[str, int, int], Any] = {}
# Their columns, which the library makes anew each time that it is asked.
_names: dict[tuple[str, int, int], list[str]] = {}


def answer(question: dict[str, Any], payload: Payload) -> dict[str, Any]:
    """Answer one question about a file.

    ``do`` is ``"open"`` (the schema is handed over), ``"table"`` (some columns or all, as Arrow)
    or ``"block"`` (some columns of numbers, of one row group or all, as an array).

    Raises
    ------
    Refused
        If it claims more than it can hold, or a column is of another kind than asked for.
    """
    if question["do"] == "block":
        return payload.array(block(question, payload.empty))
    path = question["path"]
    file, _ = _file(path)
    if question["do"] == "open":
        return _facts(file, path, Path(path).stat().st_size, payload)
    return payload.table(file.read(columns=question["columns"]))


def block(question: dict[str, Any], empty: Callable[..., Any]) -> Any:
    """Return some columns of numbers, of one row group or all, as an array that ``empty`` made.

    Raises
    ------
    Refused
        If a column holds no numbers.
    """
    file, names = _file(question["path"])
    names = [name for name in names if name not in question["index"]]
    names = names[question["start"] : question["stop"]]
    group = question["group"]
    table = file.read(columns=names) if group is None else file.read_row_group(group, columns=names)
    found = empty((table.num_rows, len(names)), question["dtype"])
    _write_numbers(table, names, found, question["path"])
    return found


def _file(path: str) -> tuple[Any, list[str]]:
    """Return a file, opened, and the names of its columns."""
    found = Path(path).stat()
    key = (path, found.st_mtime_ns, found.st_size)
    if key not in _open:
        _opened(key)
    return _open[key], _names[key]


def _opened(key: tuple[str, int, int]) -> None:
    import pyarrow.parquet

    while len(_open) >= _MOST_OPEN:
        oldest = next(iter(_open))
        _names.pop(oldest, None)
        _open.pop(oldest).close(force=True)
    try:
        file = pyarrow.parquet.ParquetFile(key[0])
        names = list(file.schema_arrow.names)
    except MemoryError:
        raise
    except Exception as error:  # the library raises many kinds on damaged files
        raise Refused(
            f"{key[0]} is not a readable Parquet file ({reason(error)}); copy it again, or write "
            "it again"
        ) from None
    _open[key], _names[key] = file, names


def _facts(file: Any, path: str, size: int, payload: Payload) -> dict[str, Any]:
    metadata, schema = file.metadata, file.schema_arrow
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    n_rows = int(metadata.num_rows)
    claimed = max(n_rows * len(schema.names) * 8, sum(each.total_byte_size for each in groups))
    if claimed > _SMALL and claimed > _RATIO * size:
        raise Refused(
            f"{path} claims {claimed / 1e9:.1f} GB of values in {size / 1e3:.0f} kB, more than a "
            "table of measurements is packed; if most of them are zeros, write a sparse matrix "
            "(.h5ad)"
        )
    # What pandas noted stands in a file twice, and either may be used.
    kept = (schema.metadata, metadata.metadata)
    notes = sorted({each[b"pandas"] for each in kept if each and b"pandas" in each})
    return {
        "n_bytes": payload.bytes(schema.serialize()),
        "n_rows": n_rows,
        "group_rows": [int(each.num_rows) for each in groups],
        "claimed": claimed,
        "notes": [each.decode("latin-1") for each in notes],
    }


def _write_numbers(table: Any, names: list[str], found: Any, path: str) -> None:
    """Write columns into an array of shape (n_rows, n_columns), NaN where there is no value."""
    import numpy as np

    # What is beyond single precision becomes infinite, which is refused later with its cell named;
    # and the NA of R is a NaN that signals, which is nothing to warn of.
    with np.errstate(over="ignore", invalid="ignore"):
        for at, name in enumerate(names):
            column = table.column(name)
            values = column.to_pandas() if column.null_count else column.to_numpy()
            if column.null_count:
                values = values.to_numpy(dtype=np.float64, na_value=np.nan)
            if values.dtype.kind not in "fiub":
                raise Refused(
                    f"{path}: column {name!r} holds values of type {values.dtype}, not numbers; "
                    "move it to the obs table"
                )
            found[:, at] = values
