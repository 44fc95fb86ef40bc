"""Tables of annotations as AnnData can hold them: columns renamed, or written as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from poems.data.numeric import plain_types, shorten
from poems.findings import Finding, name_some

_RESERVED: Final = ("_index", "__categories", "", ".", "..")
_SIMPLE: Final = ("string", "empty", "boolean")


def storable(obs: pd.DataFrame) -> pd.DataFrame:
    """Return a table that HDF5 can hold; see :func:`storable_and_said`."""
    return storable_and_said(obs)[0]


def storable_and_said(obs: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return a table that HDF5 can hold, and say what was changed to that end.

    Columns whose name AnnData reserves (``_index``), or that HDF5 would take for a path, are
    renamed; values of mixed types, dates, intervals and the like become text.

    Examples
    --------
    >>> obs = pd.DataFrame({"_index": [1, 2], "visit": pd.to_datetime(["2020-01-01", None])})
    >>> table, findings = storable_and_said(obs)
    >>> list(table.columns), table["visit"].tolist()
    (['index', 'visit'], ['2020-01-01 00:00:00', nan])
    >>> print(*findings, sep="\\n")
    note: columns of obs renamed, as AnnData and HDF5 cannot hold their names: '_index' is 'index'
    note: columns of obs written as text, as HDF5 cannot hold their values: visit
    """
    table = plain_types(obs)
    names = _names(table.columns)
    renamed = {str(old): new for old, new in zip(table.columns, names, strict=True) if old != new}
    table.columns = pd.Index(names, dtype=object)
    as_text = []
    for position, dtype in enumerate(table.dtypes):
        column = table.iloc[:, position]
        stored = _stored(column, dtype)
        if stored is None:
            continue
        table.isetitem(position, stored)
        if pd.api.types.infer_dtype(column, skipna=True) not in _SIMPLE:
            as_text.append(names[position])
    findings = []
    if renamed:
        shown = name_some((f"{shorten(old)} is {shorten(new)}" for old, new in renamed.items()), 8)
        text = f"columns of obs renamed, as AnnData and HDF5 cannot hold their names: {shown}"
        findings.append(Finding("note", "obs-renamed", text, items=tuple(renamed)))
    if as_text:
        text = (
            "columns of obs written as text, as HDF5 cannot hold their values: "
            f"{name_some(as_text, 8)}"
        )
        findings.append(Finding("note", "obs-as-text", text, items=tuple(as_text)))
    return table, tuple(findings)


def _names(columns: Iterable[Any]) -> list[str]:
    """Return names that HDF5 can hold, each once."""
    given = [str(name) for name in columns]
    taken = {name for name in given if _fits(name)}
    found = []
    for name in given:
        if _fits(name):
            found.append(name)
            continue
        plain = _printable(name).replace("/", "_").strip("_.") or "column"
        new, number = plain, 1
        while new in taken:
            number += 1
            new = f"{plain}_{number}"
        taken.add(new)
        found.append(new)
    return found


def _fits(name: str) -> bool:
    return name not in _RESERVED and "/" not in name and _printable(name) == name


def _printable(text: str) -> str:
    """Take out what HDF5 cannot hold: zero bytes, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _stored(column: pd.Series, dtype: Any) -> Any:
    """Return the values of a column in a form that can be stored, ``None`` if they are already."""
    if isinstance(dtype, pd.CategoricalDtype):
        kind = pd.api.types.infer_dtype(dtype.categories, skipna=True)
        plain = kind in ("string", "integer", "floating", "boolean", "empty")
        if plain and not (kind == "string" and _odd(dtype.categories)):
            return None
    elif dtype.kind in "fiub" and dtype != np.longdouble:
        return None
    elif dtype.kind == "O":
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "boolean":
            return column.astype("boolean").array
        if kind == "empty" or (kind == "string" and not _odd(column)):
            return None
    elif dtype == np.longdouble:
        return column.to_numpy(dtype=np.float64)
    texts = [None if gone else _printable(str(cell)) for cell, gone in _cells(column)]
    return _objects(texts)


def _cells(column: pd.Series) -> Iterable[tuple[Any, bool]]:
    cells = column.astype(object)
    # A list in a cell is a value, however many elements are missing in it.
    return [(cell, bool(np.all(pd.isna(cell))) and np.ndim(cell) == 0) for cell in cells]


def _objects(texts: list[str | None]) -> Any:
    found = np.empty(len(texts), dtype=object)
    found[:] = [np.nan if text is None else text for text in texts]
    return found


def _odd(texts: Iterable[Any]) -> bool:
    return any(isinstance(text, str) and _printable(text) != text for text in texts)
