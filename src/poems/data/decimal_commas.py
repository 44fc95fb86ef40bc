"""Numbers with decimal commas, as European programs write them: read where that is certain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.numeric import CellNames, shorten
from poems.errors import DataError
from poems.files.text_numbers import NUMBER
from poems.findings import Finding, count

# What stands between thousands beside a decimal comma: a point, a blank (three kinds), a quote.
_GAP: Final = r"[. \u00a0\u202f'’]"
_POWER: Final = r"([eE][+-]?[0-9]+)?"
_COMMA = re.compile(rf"[+-]?([0-9]{{1,3}}({_GAP}[0-9]{{3}})+|[0-9]*),[0-9]+{_POWER}")
# One comma and three digits: 1,625 may be either.
_THOUSANDS = re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(,[0-9]{{3}})+(\.[0-9]+)?{_POWER}")
# Before a power of ten stands one digit, and nothing to be parted: 1,625e-03.
_NORMALISED = re.compile(r"[+-]?[0-9],[0-9]+[eE][+-]?[0-9]+")
_WHOLE_GROUPS = re.compile(rf"[+-]?[1-9][0-9]{{0,2}}({_GAP}[0-9]{{3}})+")
_BETWEEN = re.compile(_GAP)


@dataclass
class _Kinds:
    """The first cell of each kind of number that was seen, and how many there are."""

    certain: list[tuple[int, int]]
    grouped: list[tuple[int, int]]
    either: list[tuple[int, int]]
    thousands: list[tuple[int, int]]
    points: list[tuple[int, int]]


def with_decimal_points(
    frame: pd.DataFrame, names: CellNames
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return a table with points in place of decimal commas, where its commas can be nothing else.

    They are decimal if at least one cannot stand between thousands (``1,6256``, ``0,512``,
    ``1.625,60``), none does (``1,625.60``), and no number of the table has a decimal point. Points,
    blanks and quotes between thousands, as in ``1.625,60``, are then taken out.

    Raises
    ------
    DataError
        If commas stand between thousands, might do so in all cells, or decimal
        commas and points are mixed.

    Examples
    --------
    >>> frame = pd.DataFrame({"g1": ["1,5", "2"], "g2": ["1.625,25", "NA"]}, index=["s1", "s2"])
    >>> table, findings = with_decimal_points(frame, CellNames("rna.csv"))
    >>> table.loc["s1"].tolist()
    ['1.5', '1625.25']
    >>> print(findings[0])
    note: rna.csv: numbers are written with decimal commas and were read so ('1,5' as 1.5), ...
    """
    # To take the columns out of a wide table of numbers would take longer than to read it.
    texts = [at for at, dtype in enumerate(frame.dtypes) if _may_hold_text(dtype)]
    columns = [at for at in texts if any(isinstance(cell, str) for cell in frame.iloc[:, at])]
    if not columns:
        return frame, ()
    cells = {at: frame.iloc[:, at].astype(object).to_numpy() for at in columns}
    found = _sorted(cells)
    if not found.certain and not found.grouped and not found.either and not found.thousands:
        return frame, ()
    # Where thousands have points, so may whole numbers: 1.625 is one then.
    points = [at for at in found.points if not _WHOLE_GROUPS.fullmatch(_text(cells, at))]
    points = points if found.grouped else found.points
    fractions = _fractions(frame, set(columns))
    _require_one_reading(frame, names, found, points, fractions)
    table = frame.copy()
    for at in columns:
        table.isetitem(at, [_with_point(cell, bool(found.grouped)) for cell in cells[at]])
    return table, (_finding(names.where, cells, found),)


def _require_one_reading(
    frame: pd.DataFrame,
    names: CellNames,
    found: _Kinds,
    points: Sequence[tuple[int, int]],
    fractions: tuple[int, int] | None,
) -> None:
    """Refuse commas that are not decimal for certain."""
    decimal = [*found.certain, *found.grouped]
    if found.thousands and not decimal:
        raise DataError(
            f"{names.where}: {_shown(frame, names, found.thousands)}: the commas stand between "
            "thousands. Write numbers without them (in a spreadsheet, format cells without a "
            "thousands separator; in pandas, read_csv(…, thousands=','))"
        )
    if not decimal:
        text = _text_of(frame, found.either[0])
        raise DataError(
            f"{names.where}: {_shown(frame, names, found.either)}: the comma may be a decimal one "
            f"({text.replace(',', '.')}) or stand between thousands ({text.replace(',', '')}), "
            "and nothing in the table tells which. Write decimals with a point, and thousands "
            "without a comma"
        )
    others = [*found.thousands, *points] or ([fractions] if fractions is not None else [])
    if others:
        raise DataError(
            f"{names.where}: decimals are written in two ways: with a comma in "
            f"{_shown(frame, names, decimal)}, and with a point in "
            f"{_shown(frame, names, others)}. Write all of them with a point, and thousands "
            "without a comma"
        )


def _finding(where: str, cells: dict[int, npt.NDArray[Any]], found: _Kinds) -> Finding:
    some = (found.certain or found.grouped)[0]
    text = _text(cells, some)
    said = (
        f"{where}: numbers are written with decimal commas and were read so "
        f"({shorten(text)} as {_with_point(text, True)})"
    )
    if found.grouped and found.certain:
        other = _text(cells, found.grouped[0])
        said += f", {shorten(other)} as {_with_point(other, True)} with its thousands apart"
    elif found.grouped:
        said += ", their thousands being set apart"
    return Finding("note", "decimal-commas", said)


def _may_hold_text(dtype: Any) -> bool:
    return dtype.kind not in "fiubmM" and not isinstance(dtype, pd.CategoricalDtype)


def _sorted(cells: dict[int, npt.NDArray[Any]]) -> _Kinds:
    """Sort the cells that are numbers with a comma or a point by what these can be."""
    found = _Kinds([], [], [], [], [])
    for column, values in cells.items():
        for row, cell in enumerate(values):
            if not isinstance(cell, str):
                continue
            if "," not in cell:
                if "." in cell and NUMBER.fullmatch(cell.strip()):
                    found.points.append((row, column))
                continue
            text = cell.strip()
            if _NORMALISED.fullmatch(text):
                found.certain.append((row, column))
            elif _THOUSANDS.fullmatch(text):
                several = "." in text or text.count(",") > 1
                (found.thousands if several else found.either).append((row, column))
            elif _COMMA.fullmatch(text):
                grouped = _BETWEEN.search(text) is not None
                (found.grouped if grouped else found.certain).append((row, column))
    return found


def _fractions(frame: pd.DataFrame, text: set[int]) -> tuple[int, int] | None:
    """Return the first number with a fraction among the columns that are numbers already."""
    for column in range(frame.shape[1]):
        if column in text or frame.dtypes.iloc[column].kind != "f":
            continue
        values = frame.iloc[:, column].to_numpy(dtype=np.float64)
        rows = np.flatnonzero(np.isfinite(values) & (values % 1 != 0))
        if len(rows):
            return int(rows[0]), column
    return None


def _with_point(cell: Any, grouped: bool) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if "," in text:
        if not _COMMA.fullmatch(text):
            return cell
        return _BETWEEN.sub("", text).replace(",", ".")
    return _BETWEEN.sub("", text) if grouped and _WHOLE_GROUPS.fullmatch(text) else cell


def _text(cells: dict[int, npt.NDArray[Any]], at: tuple[int, int]) -> str:
    return str(cells[at[1]][at[0]]).strip()


def _text_of(frame: pd.DataFrame, at: tuple[int, int]) -> str:
    return str(frame.iat[at]).strip()


def _shown(frame: pd.DataFrame, names: CellNames, at: Sequence[tuple[int, int]]) -> str:
    first = min(at)
    n = count(len(at), "cell")
    return f"{n} such as {shorten(frame.iat[first])} ({names.cell(frame, *first)})"
