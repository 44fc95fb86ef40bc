"""Turning the cells of a table into numbers, or saying which cells are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.obs.missing import NUMBER_TOKENS, SILENT_TOKENS, missing_in_numbers
from poems.data.odd_cells import cell_remedy
from poems.errors import DataError
from poems.files.text_numbers import to_numbers
from poems.findings import Finding, count, name_some

MISSING_TOKENS = (*SILENT_TOKENS, *NUMBER_TOKENS)

_BOOLEANS = {"true": 1.0, "false": 0.0}
_LONGEST = 40
_TOO_LARGE = (
    "No measurement is as large: if these are identifiers, move them to the obs table; otherwise "
    "mend the step that made them, or write NA"
)
_MOST_SHOWN = 5


@dataclass(frozen=True)
class CellNames:
    """What the rows and columns of a table stand for, to name a cell in an error."""

    where: str
    row_kind: str = "sample"
    column_kind: str = "feature"

    def cell(self, frame: pd.DataFrame, row: int, column: int) -> str:
        """Name one cell by its row and column."""
        return (
            f"{self.row_kind} {shorten(frame.index[row])}, "
            f"{self.column_kind} {shorten(frame.columns[column])}"
        )


def shorten(name: object) -> str:
    """Quote a name or cell for a message, cut to a readable length.

    >>> shorten("TP53")
    "'TP53'"
    """
    text = str(name)
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def as_numbers(
    frame: pd.DataFrame, names: CellNames
) -> tuple[npt.NDArray[np.float64], tuple[Finding, ...]]:
    """Return the cells of ``frame`` as float64, ``NaN`` where they are missing.

    Numbers may be stored as such or as text; words for a missing value
    (:func:`poems.data.obs.missing.missing_in_numbers`) become ``NaN`` and booleans
    1 and 0, both with a finding.

    Raises
    ------
    DataError
        If a cell is anything else; the text names the first such cells, what
        they hold, and how many there are.
    """
    if (frame.dtypes == np.float64).all():  # Column by column would take longer than to read them.
        return _quiet(frame.to_numpy(dtype=np.float64, copy=True)), ()
    # The NA of R is a signalling NaN, and a conversion would warn of it.
    with np.errstate(invalid="ignore"):
        values, bad, n_booleans, words = _by_column(frame)
    if bad:
        raise DataError(_bad_cells_text(frame, names, sorted(bad)))
    return _quiet(values), tuple(_read_so(n_booleans, words))


def _quiet(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Put the usual NaN in place of any other, such as the NA of R, in place."""
    # As above: to look at such a value is nothing to warn of.
    with np.errstate(invalid="ignore"):
        missing = np.isnan(values)
        if missing.any():
            values[missing] = np.nan
    return values


def _by_column(
    frame: pd.DataFrame,
) -> tuple[npt.NDArray[np.float64], list[tuple[int, int]], int, Counter[str]]:
    """Return the numbers, the cells that are none, how many were booleans, and missing words."""
    values = np.empty(frame.shape, dtype=np.float64)
    bad: list[tuple[int, int]] = []
    n_booleans = 0
    words: Counter[str] = Counter()
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        kind = column.dtype.kind
        if kind in "fiub":
            values[:, position] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            n_booleans += int(column.notna().sum()) if kind == "b" else 0
        else:
            cells = column.astype(object).to_numpy()
            values[:, position], rows, booleans = _parse(cells, numeric=kind == "O")
            missing = {row for row in rows if missing_in_numbers(cells[row])}
            words.update(str(cells[row]).strip() for row in missing)
            bad += [(row, position) for row in rows if row not in missing]
            n_booleans += booleans
    return values, bad, n_booleans, words


def check_finite(frame: pd.DataFrame, values: npt.NDArray[np.float64], names: CellNames) -> None:
    """Check that no value is infinite or beyond the range of float32.

    Raises
    ------
    DataError
        If one is; the text names the first such cells.
    """
    # The overflow is what is looked for, and an error below.
    with np.errstate(over="ignore"):
        too_large = np.isinf(values.astype(np.float32))
    if not too_large.any():
        return
    cells = [(int(row), int(column)) for row, column in np.argwhere(too_large)[:_MOST_SHOWN]]
    held = [frame.iat[cell] for cell in cells]
    written = [
        shorten(text) if isinstance(text, str) else f"{values[cell]:g}"
        for text, cell in zip(held, cells, strict=True)
    ]
    shown = "; ".join(
        f"{text} ({names.cell(frame, *cell)})" for text, cell in zip(written, cells, strict=True)
    )
    beyond = any(isinstance(each, str) and any(map(str.isdigit, each)) for each in held)
    n_large = int(too_large.sum())
    remedy = _remedy(values[too_large], beyond=beyond)
    raise DataError(
        f"{names.where}: {count(n_large, 'value is', 'values are')} infinite or too large for "
        f"single precision (beyond 3.4e38): {shown}{_more(n_large)}. {remedy}"
    )


def _remedy(values: npt.NDArray[np.float64], *, beyond: bool) -> str:
    """Say what to do about values that are infinite, or are written as numbers too large."""
    if beyond:
        return _TOO_LARGE
    if np.isneginf(values).all():
        return (
            "-inf is the logarithm of 0: take log(1 + x) of the table before it was logged, or "
            "write NA if a 0 means that nothing was measured"
        )
    if np.isinf(values).all():
        return (
            "Infinity is what a division by 0 gives, and -inf the logarithm of 0: mend the step "
            "that made them, or write NA where the value is unknown"
        )
    return _TOO_LARGE


def plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with pandas' nullable columns as NumPy ones, NaN where missing."""
    frame = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype | pd.CategoricalDtype) or dtype.kind not in "fiubO":
            continue
        column = frame.iloc[:, position]
        if isinstance(dtype, pd.SparseDtype):
            frame.isetitem(position, np.asarray(column))
            continue
        plain: type = np.object_
        if dtype.kind in "fiu":
            plain = np.float64 if column.hasnans else dtype.type
        elif dtype.kind == "b" and not column.hasnans:
            plain = np.bool_
        frame.isetitem(position, column.to_numpy(dtype=plain, na_value=np.nan))
    return frame


def _parse(
    cells: npt.NDArray[np.object_], numeric: bool
) -> tuple[npt.NDArray[np.float64], list[int], int]:
    """Return the numbers of a column of objects, the rows that are none, and how many booleans."""
    missing = np.asarray(pd.isna(cells), dtype=np.bool_)
    if not numeric:  # dates, for one, would become nanoseconds
        return np.full(len(cells), np.nan), np.flatnonzero(~missing).tolist(), 0
    parsed = to_numbers(cells, MISSING_TOKENS)
    n_booleans = sum(isinstance(cell, bool | np.bool_) for cell in cells)
    bad = []
    for row in np.flatnonzero(parsed.wrong).tolist():
        text = str(cells[row]).strip().lower()
        if text in _BOOLEANS:
            parsed.values[row] = _BOOLEANS[text]
            n_booleans += 1
        else:
            bad.append(row)
    return parsed.values, bad, n_booleans


def _read_so(n_booleans: int, words: Counter[str]) -> Iterator[Finding]:
    """Say which cells were read as something else than what they show."""
    if n_booleans:
        entries = count(n_booleans, "true/false entry was", "true/false entries were")
        yield Finding("note", "booleans", f"{entries} read as 1 and 0")
    if words:
        entries = count(words.total(), "entry was", "entries were")
        shown = name_some((f"{shorten(word)} ({n})" for word, n in words.most_common()), 5)
        yield Finding("note", "missing-words", f"{entries} taken for missing values: {shown}")


def _bad_cells_text(frame: pd.DataFrame, names: CellNames, bad: list[tuple[int, int]]) -> str:
    shown = "; ".join(
        f"{shorten(frame.iat[cell])} ({names.cell(frame, *cell)})" for cell in bad[:_MOST_SHOWN]
    )
    cells = count(len(bad), "cell is not a number", "cells are not numbers")
    text = f"{names.where}: {cells}: {shown}{_more(len(bad))}. "
    cells_of = [(str(frame.iat[cell]), *cell) for cell in bad]
    return text + cell_remedy(cells_of, [*frame.index], [*frame.columns], names.row_kind)


def _more(number: int) -> str:
    return f" and {number - _MOST_SHOWN} more" if number > _MOST_SHOWN else ""
