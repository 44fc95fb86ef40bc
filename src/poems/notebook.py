"""How results show themselves in a notebook: a few lines of HTML, every name escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from poems.findings import Finding

# Rows of a table and warnings that are shown; the object itself has all.
_ROWS: Final = 12
_WARNINGS: Final = 3
_TITLE: Final = "font-weight:600;margin:0 0 .3em"
_TABLE: Final = "border-collapse:collapse;font-size:90%;margin:.3em 0"
_CELL: Final = "text-align:{};padding:.1em .8em .1em 0;max-width:22em;overflow:hidden"
_WARNING: Final = "border-left:3px solid #c60;padding-left:.6em;margin:.3em 0"


def card(
    title: str,
    lines: Iterable[str] = (),
    heads: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
    findings: Iterable[Finding] = (),
) -> str:
    """Return a title, lines of text, a small table and the warnings as HTML.

    Parameters
    ----------
    title
        What it is.
    lines
        Sentences.
    heads, rows
        Of a table; of many rows the first are shown, and how many more there are.
    findings
        Those that are no notes are shown, the first few.

    Examples
    --------
    >>> card("Model", ["2 factors <b>"])
    '<div><p style="font-weight:600;margin:0 0 .3em">Model</p><div>2 factors &lt;b&gt;</div></div>'
    """
    parts = [f'<p style="{_TITLE}">{_text(title)}</p>']
    parts += [f"<div>{_text(line)}</div>" for line in lines if line]
    if rows:
        parts.append(_table(heads, rows))
    serious = [each for each in findings if each.severity != "note"]
    parts += [f'<div style="{_WARNING}">{_text(each)}</div>' for each in serious[:_WARNINGS]]
    if len(serious) > _WARNINGS:
        parts.append(f"<div>{len(serious) - _WARNINGS} more warnings in its findings</div>")
    return f"<div>{''.join(parts)}</div>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def row(cells: Sequence[object], tag: str) -> str:
        styled = "".join(
            f'<{tag} style="{_CELL.format("left" if at == 0 else "right")}">{_text(cell)}</{tag}>'
            for at, cell in enumerate(cells)
        )
        return f"<tr>{styled}</tr>"

    body = "".join(row(cells, "td") for cells in rows[:_ROWS])
    more = len(rows) - _ROWS
    note = f"<div>and {more} more</div>" if more > 0 else ""
    return f'<table style="{_TABLE}">{row(heads, "th")}{body}</table>{note}'


def _text(value: object) -> str:
    """Escape a text; what cannot be printed is shown as such, and dollars are no formulas."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(value).split()))
    return escape(text).replace("$", "&#36;")
