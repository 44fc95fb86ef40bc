"""Tables of short cells, and grids of a name and a text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from poems.cli.printing.console import clean
from poems.cli.printing.numbers import number

if TYPE_CHECKING:
    import pandas as pd


# What columns of tables on disk are called, in the words of the terminal.
_OURS: Final = {"view": "omic", "views": "omics", "view_a": "omic", "view_b": "omic"}


def print_table(console: Console, table: pd.DataFrame, *, index: str = "") -> None:
    """Print a table of short cells; numbers stand right, the index comes first as ``index``."""
    from pandas.api.types import is_numeric_dtype

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    shown.add_column(Text(clean(_OURS.get(index, index))), overflow="fold")
    for at, name in enumerate(table.columns):
        # Text cells may be formatted numbers already: those stand right as well.
        right = is_numeric_dtype(table.iloc[:, at]) or all(
            _like_number(cell) for cell in table.iloc[:, at]
        )
        head = _OURS.get(str(name), name)
        shown.add_column(Text(clean(head)), justify="right" if right else "left", overflow="fold")
    for row, cells in zip(table.index, table.itertuples(index=False), strict=True):
        shown.add_row(*(Text(clean(_cell(value))) for value in (row, *cells)))
    console.print(Padding(shown, (0, 0, 0, 2), expand=False))


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
    console.print(grid)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)


def _like_number(value: object) -> bool:
    text = str(value).lstrip("<≤>≥ ")
    return text == "–" or text[:1].isdigit() or text[:2].strip("-−").isdigit()
