"""What commands print: findings, tables and sentences, at any width, with names as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from poems.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

# Data is no markup: a feature named '[red]' is printed as that.
_PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
# Notes beyond these are counted; the run's findings.csv has them all.
_MAX_NOTES = 6


def output() -> Console:
    """Return the console on standard output: results."""
    return Console(**_PLAIN)


def clean(text: object) -> str:
    """Return ``text`` without control characters, which could steer the terminal.

    Examples
    --------
    >>> clean("gene" + chr(27) + "[2J")
    'gene\ufffd[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(text))


def brief(name: object, width: int = 40) -> str:
    """Return ``name`` on one line, the middle left out where it is long; tables have it whole.

    Examples
    --------
    >>> brief("P05106;H3BM21;P05106-2;P05106-3", 20)
    'P05106;H3B…;P05106-3'
    """
    text = " ".join(str(name).split())
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"


def say(console: Console, text: object, style: str = "") -> None:
    """Print a line, wrapped at words."""
    console.print(Text(clean(text), style=style))


def heading(console: Console, text: str) -> None:
    """Print a line that opens a part, after a blank one."""
    console.print()
    say(console, text, "bold")


def print_findings(console: Console, findings: Sequence[Finding], *, all_notes: bool) -> None:
    """Print findings, the worst first: errors and warnings always, notes perhaps abridged.

    Abridge only what a ``findings.csv`` is written of: the text sends there.
    """
    order = ("error", "warning", "note")
    ranked = sorted(findings, key=lambda finding: order.index(finding.severity))
    notes = [finding for finding in ranked if finding.severity == "note"]
    hidden = [] if all_notes or len(notes) <= _MAX_NOTES else notes[_MAX_NOTES - 1 :]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in ranked:
        if finding not in hidden:
            where = f"{finding.view}: " if finding.view is not None else ""
            style = _STYLES[finding.severity]
            grid.add_row(Text(finding.severity, style=style), Text(clean(where + finding.message)))
    if hidden:
        text = f"… and {len(hidden)} more notes (all in findings.csv)"
        grid.add_row(Text("note", style="dim"), Text(text))
    if ranked:
        console.print(grid)


def print_table(console: Console, table: pd.DataFrame, *, index: str = "") -> None:
    """Print a table of short cells; numbers stand right, the index comes first as ``index``."""
    from pandas.api.types import is_numeric_dtype

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    shown.add_column(Text(clean(index)), overflow="fold")
    for at, name in enumerate(table.columns):
        # Text cells may be formatted numbers already: those stand right as well.
        right = is_numeric_dtype(table.iloc[:, at]) or all(
            _like_number(cell) for cell in table.iloc[:, at]
        )
        shown.add_column(Text(clean(name)), justify="right" if right else "left", overflow="fold")
    for row, cells in zip(table.index, table.itertuples(index=False), strict=True):
        shown.add_row(*(Text(clean(_cell(value))) for value in (row, *cells)))
    console.print(Padding(shown, (0, 0, 0, 2), expand=False))


def decimal(value: float) -> str:
    """Return a number with two decimals, and a dash for one that is not defined.

    Examples
    --------
    >>> decimal(0.125), decimal(float("nan"))
    ('0.12', '–')
    """
    return "–" if value != value else f"{value:.2f}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.4g}"
    return "–" if value is None else str(value)


def _like_number(value: object) -> bool:
    text = str(value)
    return text == "–" or text[:1].isdigit() or text[:2].strip("-").isdigit()
