"""From a DataFrame to a table of the page: how each column is written, sorted and drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from poems.files.text_numbers import to_numbers
from poems.report.blocks import Cell, Head, Table
from poems.report.wording import NONE, factor_title, general, number, p_value, percent

Kind = Literal[
    "text",
    "integer",
    "number",
    "general",
    "p",
    "percent",
    "change",
    "effect",
    "factor",
    "factors",
    "yes",
]

_TEXTS: Final = ("text", "factor", "factors", "yes")
# Rows of a table in the page, at most: the whole lies on disk.
MOST_ROWS: Final = 200


@dataclass(frozen=True)
class Column:
    """How a column of a DataFrame is shown.

    Parameters
    ----------
    name
        Of the column in the DataFrame.
    title
        At the head of the column.
    kind
        How its values are written: ``"effect"`` is a number with a signed bar,
        ``"percent"`` a share with a bar, ``"change"`` one with its sign and none.
    hint
        What the column means, shown when its head is pointed at.
    top
        The value whose bar is full; by default 1 for shares and the largest of the
        column for effects.
    floor
        Of p: the least that the test could have given.
    """

    name: str
    title: str
    kind: Kind = "text"
    hint: str = ""
    top: float | None = None
    floor: float | None = None


_WRITE: dict[str, Callable[[object], str]] = {
    "number": number,
    "effect": number,
    "general": general,
    "percent": percent,
    "change": percent,
}


def make_table(
    table_id: str,
    caption: str,
    table: pd.DataFrame,
    columns: Sequence[Column],
    *,
    where: str = "",
    note: str = "",
    limit: int = MOST_ROWS,
    sortable: bool = True,
    faint: Sequence[bool] = (),
) -> Table:
    """Return the first rows of ``table`` as a table of the page.

    Parameters
    ----------
    table_id, caption, where, note, sortable
        As in :class:`poems.report.blocks.Table`.
    table
        One entry per row of the page.
    columns
        Those to show; columns that the table lacks, numbers that are all missing, and
        texts that are all empty, are left out.
    limit
        Rows at most.
    faint
        Which rows are not to be built on; none by default.

    Examples
    --------
    >>> table = pd.DataFrame({"feature": ["ESR1"], "q": [1e-9]})
    >>> columns = [Column("feature", "Feature"), Column("q", "FDR", "p"), Column("x", "X")]
    >>> made = make_table("t", "Markers", table, columns)
    >>> [head.title for head in made.heads], [cell.text for cell in made.rows[0]]
    (['Feature', 'FDR'], ['ESR1', '1 × 10⁻⁹'])
    """
    shown = [column for column in columns if column.name in table.columns]
    # A column of dashes says nothing.
    shown = [
        column
        for column in shown
        if column.kind in _TEXTS or not len(table) or table[column.name].notna().any()
    ]
    # Nor does one of blanks, unless it names the rows.
    shown = [
        column
        for at, column in enumerate(shown)
        if at == 0
        or column.kind not in _TEXTS
        or not len(table)
        or table[column.name].fillna("").astype(str).str.strip().ne("").any()
    ]
    head = table.iloc[:limit]
    cells = [_cells(head[column.name], column) for column in shown]
    heads = tuple(
        Head(
            column.title,
            "text" if column.kind in _TEXTS else "number",
            column.hint,
            signed=column.kind == "effect",
        )
        for column in shown
    )
    rows = tuple(zip(*cells, strict=True)) if cells else ()
    grey = frozenset(at for at, weak in enumerate(faint) if weak)
    return Table(table_id, caption, heads, rows, len(table), where, note, sortable, grey)


def _cells(values: pd.Series, column: Column) -> list[Cell]:
    kind = column.kind
    if kind == "factors":
        return [Cell(_factors(value)) for value in values]
    if kind in ("text", "factor"):
        write = factor_title if kind == "factor" else str
        return [Cell(write(_text(value)), _factor_order(value)) for value in values]
    if kind == "yes":
        truths = [str(value).lower() in ("true", "1", "1.0", "yes") for value in values]
        return [Cell("yes" if truth else "", float(truth)) for truth in truths]
    numbers = to_numbers(values).values
    if kind == "integer":
        return [Cell(NONE if math.isnan(x) else f"{x:.0f}", _order(x)) for x in numbers]
    finite = [abs(x) for x in numbers if math.isfinite(x)]
    top = column.top or (1.0 if kind == "percent" else max(finite, default=0.0))
    barred = kind in ("effect", "percent") and top > 0
    if kind == "p":
        return [Cell(p_value(x, column.floor), _order(x)) for x in numbers]
    return [
        Cell(_WRITE[kind](x), _order(x), _bar(x / top) if barred and math.isfinite(x) else None)
        for x in numbers
    ]


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NONE
    return str(value)


def _factors(value: object) -> str:
    """Write the numbers of factors, as in "factor_1+factor_4"."""
    return ", ".join(factor_title(part).removeprefix("Factor ") for part in str(value).split("+"))


def _factor_order(value: Any) -> float | None:
    # Factors sort by their numbers.
    tail = str(value).removeprefix("factor_")
    return float(tail) if str(value).startswith("factor_") and tail.isdigit() else None


def _bar(share: float) -> float:
    return max(-1.0, min(1.0, share))


def _order(value: float) -> float | None:
    return None if math.isnan(value) else value
