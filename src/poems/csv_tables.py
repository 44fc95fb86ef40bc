"""Tables as CSV files, written whole and read back with the same names and numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from poems._files import atomic_path
from poems.errors import StorageError
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
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=index, lineterminator="\n")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table that :func:`write_csv` wrote, its first column the index, as text.

    Raises
    ------
    StorageError
        If the file is missing or damaged.
    """
    # Only an empty cell is missing: 'NA' and 'None' may be names or labels. The header is read
    # apart, for pandas would rename columns of one name.
    try:
        head = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        header = head.iloc[0].tolist()
        names = [str(at) for at in range(len(header))]
        table: pd.DataFrame = pd.read_csv(
            path,
            header=0,
            names=names,
            dtype={"0": str},
            keep_default_na=False,
            na_values={name: [""] for name in names[1:]},
            float_precision="round_trip",
        )
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; fit again") from None
    table = table.set_index("0")
    table.columns = pd.Index(header[1:])
    return table.rename_axis(header[0])


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
    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; fit again") from None
    header, cells = cells.iloc[0].tolist(), cells.iloc[1:].reset_index(drop=True)
    columns = [
        _typed(cells[at], is_name=str(header[at]) in names).rename(header[at])
        for at in range(len(header))
    ]
    return pd.concat(columns, axis=1)


def _typed(cells: pd.Series, *, is_name: bool) -> pd.Series:
    """Return cells as numbers or truth values, or as they are; empty ones missing."""
    known: pd.Series = cells.mask(cells == "")
    if is_name:
        return known
    if len(cells) and cells.isin(["True", "False"]).all():
        return cells == "True"
    try:
        numbers = pd.to_numeric(known)
        # That parser is quick and may be a bit off; this one is exact.
        return known.astype(float) if numbers.dtype == float else numbers
    except ValueError:
        return known
