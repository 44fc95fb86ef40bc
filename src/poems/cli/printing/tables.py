"""Tables of short cells, and grids of a name and a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from poems.cli.printing.console import clean, put
from poems.cli.printing.numbers import number

if TYPE_CHECKING:
    import pandas as pd


# What columns of tables on disk are called, in the words of the terminal.
_OURS: Final = {"view": "omic", "views": "omics", "view_a": "omic", "view_b": "omic"}


# Blanks before a table, and between its columns.
_INDENT, _GAP = 2, 2


def print_table(console: Console, table: pd.DataFrame, *, index: str = "") -> None:
    """Print a table of short cells; numbers stand right, the index comes first as ``index``.

    Lines are wrapped at blanks alone, so that a name can be copied. Where the columns do not fit
    side by side each row is a paragraph.
    """
    from pandas.api.types import is_numeric_dtype

    heads = [clean(_OURS.get(str(name), name)) for name in (index, *table.columns)]
    rows = [
        [clean(_cell(value)) for value in (row, *cells)]
        for row, cells in zip(table.index, table.itertuples(index=False), strict=True)
    ]
    widths = _widths([heads, *rows], console.width - _INDENT)
    if widths is None:
        _print_paragraphs(console, heads, rows)
        return
    shown = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)
    for at, (head, width) in enumerate(zip(heads, widths, strict=True)):
        # Text cells may be formatted numbers already: those stand right as well.
        right = at > 0 and (
            is_numeric_dtype(table.iloc[:, at - 1]) or all(map(_like_number, table.iloc[:, at - 1]))
        )
        shown.add_column(
            Text(head), justify="right" if right else "left", overflow="fold", width=width
        )
    for cells in rows:
        shown.add_row(*map(Text, cells))
    put(console, Padding(shown, (0, 0, 0, _INDENT), expand=False))


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return the width of each column, the widest narrowed to its words until all fit.

    ``None`` if not even the words of all columns fit side by side.

    >>> _widths([["gene set", "q"], ["up in it", "0.01"]], 13), _widths([["gene", "q"]], 4)
    ([7, 4], None)
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(cell_len, cells)) for cells in columns]
    words = [max(cell_len(w) for cell in cells for w in cell.split() or [""]) for cells in columns]
    room -= _GAP * (len(columns) - 1)
    if sum(words) > room:
        return None
    while sum(widths) > room:
        widest = max(
            (at for at in range(len(widths)) if widths[at] > words[at]), key=widths.__getitem__
        )
        widths[widest] -= 1
    return widths


def _print_paragraphs(
    console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    for name, *cells in rows:
        # 'factor_3' tells what it is by itself.
        head = "" if name.startswith(heads[0]) else f"{heads[0]} "
        put(console, Padding(Text(f"{head}{name}"), (0, 0, 0, _INDENT), expand=False))
        parts = [f"{head} {cell}" for head, cell in zip(heads[1:], cells, strict=True)]
        put(console, Padding(Text("; ".join(parts)), (0, 0, 0, 2 * _INDENT), expand=False))


def print_grid(
    console: Console,
    rows: Iterable[tuple[str | Text, str | Text]],
    *,
    indent: int = 2,
    gap: int = 2,
) -> None:
    """Print rows of a name, which is not wrapped, and a text, which is."""
    grid = Table.grid(padding=(0, gap, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        left = Text(" " * indent) + (Text(clean(name)) if isinstance(name, str) else name)
        grid.add_row(left, Text(clean(text)) if isinstance(text, str) else text)
    put(console, grid)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)


def _like_number(value: object) -> bool:
    text = str(value).lstrip("<≤>≥ ")
    return text == "–" or text[:1].isdigit() or text[:2].strip("-−").isdigit()
