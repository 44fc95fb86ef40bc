"""Tables as CSV files, written whole and read back with the same names and numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from poems.errors import StorageError
from poems.files.atomic import atomic_path
from poems.files.text_numbers import to_typed
from poems.findings import Finding


def write_findings(path: str | Path, findings: Iterable[Finding]) -> None:
    """Write findings as a CSV table; the names concerned are a JSON list in one cell."""
    rows = [
        {
            "severity": finding.severity,
            "code": finding.code,
            "view": finding.view,
            "message": finding.message,
            "items": json.dumps(finding.items, ensure_ascii=False),
        }
        for finding in findings
    ]
    columns = ["severity", "code", "view", "message", "items"]
    write_csv(path, pd.DataFrame(rows, columns=columns), index=False)


def write_csv(path: str | Path, table: pd.DataFrame, *, index: bool = True) -> None:
    """Write a table as CSV, atomically; ``.gz`` at the end of the name compresses it."""
    # Without the time of writing, so that the same table is the same file.
    packed: Any = {"method": "gzip", "mtime": 0} if str(path).endswith(".gz") else None
    # A carriage return alone is left bare by default, and ends a line for whoever reads it.
    quoting: Any = csv.QUOTE_NONNUMERIC if _has_returns(table) else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        table.to_csv(
            temporary, index=index, lineterminator="\n", compression=packed, quoting=quoting
        )


def _has_returns(table: pd.DataFrame) -> bool:
    names = (*table.index.names, *table.columns.names, *table.columns)
    texts: list[Any] = [table.index, *(table.iloc[:, at] for at in range(table.shape[1]))]
    cells = (value for each in texts if each.dtype.kind not in "fiub" for value in each.unique())
    return any("\r" in str(value) for value in (*names, *cells))


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table that :func:`write_csv` wrote, its first column the index, as text.

    Raises
    ------
    StorageError
        If the file is missing or damaged.
    """
    header, cells = _read(path)
    # Only an empty cell is missing: 'NA' and 'None' may be names or labels.
    typed = {at: to_typed(cells[at]) for at in range(1, len(header))}
    table = pd.DataFrame(typed, index=pd.Index(cells[0], name=header[0], dtype=object))
    table.columns = pd.Index(header[1:])
    return table


def read_typed_csv(path: str | Path, *, names: Collection[str]) -> pd.DataFrame:
    """Read a table that :func:`write_csv` wrote without an index.

    Parameters
    ----------
    path
        The file.
    names
        Columns that hold names, which stay text even where they look like a
        number or ``NA``. Others become numbers or truth values where all of
        their cells are; an empty cell is missing everywhere.

    Raises
    ------
    StorageError
        If the file is missing or damaged.
    """
    header, cells = _read(path)
    columns = [
        (cells[at].mask(cells[at] == "") if name in names else pd.Series(to_typed(cells[at])))
        for at, name in enumerate(header)
    ]
    table = pd.concat(columns, axis=1)
    table.columns = pd.Index(header)
    return table


def _read(path: str | Path) -> tuple[list[str], pd.DataFrame]:
    """Return the header and the cells below it, all as text."""
    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; fit again") from None
    if cells.isna().any(axis=None):
        raise StorageError(f"cannot read {path}: a line is shorter than the header; fit again")
    return cells.iloc[0].tolist(), cells.iloc[1:].reset_index(drop=True)
