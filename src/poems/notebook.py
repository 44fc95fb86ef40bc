"""How results show themselves: a few lines in a prompt, of HTML in a notebook, names escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import Final

from poems.findings import Finding, count

# Rows of a table and warnings that are shown; the object itself has all.
_ROWS: Final = 12
_WARNINGS: Final = 3
# Characters of a line of a prompt, and names in it.
_WIDTH: Final = 90
_NAMES: Final = 4
_TITLE: Final = "font-weight:600;margin:0 0 .3em"
_TABLE: Final = "border-collapse:collapse;font-size:90%;margin:.3em 0"
_CELL: Final = "text-align:{};padding:.1em .8em .1em 0;max-width:22em;overflow:hidden"
_WARNING: Final = "border-left:3px solid #c60;padding-left:.6em;margin:.3em 0"


class Shown:
    """A dataclass that shows itself in short: what it is, how much it holds, what to distrust.

    Declared with ``repr=False``, for a dataclass writes out all that it holds otherwise.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import pandas as pd
    >>> @dataclass(repr=False)
    ... class Pairs(Shown):
    ...     'Pairs of features.'
    ...     table: pd.DataFrame
    ...     findings: tuple[Finding, ...] = ()
    >>> Pairs(pd.DataFrame({"a": [1, 2], "b": 3}), (Finding("warning", "few", "there are few"),))
    Pairs: pairs of features
      table     2 rows of a, b
      findings  1 warning
      warning: there are few
    """

    def __repr__(self) -> str:
        title, rows, findings = _in_short(self)
        room = max((len(name) for name, _ in rows), default=0)
        lines = [f"  {name:<{room}}  {text}" for name, text in rows]
        serious = [each for each in findings if each.severity != "note"]
        lines += [f"  {_line(each)}" for each in serious[:_WARNINGS]]
        return "\n".join([title, *lines])

    def _repr_html_(self) -> str:
        """Show the result in a notebook."""
        title, rows, findings = _in_short(self)
        return card(title, (), ("", "holds"), rows, findings)


def _in_short(shown: object) -> tuple[str, list[tuple[str, str]], list[Finding]]:
    """Return a title, what each field holds, and the findings among them."""
    about = (type(shown).__doc__ or "").split("\n", 1)[0].rstrip(".")
    held = {each.name: getattr(shown, each.name) for each in fields(shown)}  # type: ignore[arg-type]
    rows = [(name, _holds(value)) for name, value in held.items() if value is not None]
    findings = [
        each
        for value in held.values()
        if isinstance(value, tuple)
        for each in value
        if isinstance(each, Finding)
    ]
    return f"{type(shown).__name__}: {about[:1].lower()}{about[1:]}", rows, findings


def _holds(value: object) -> str:
    """Say in a line how much a field holds.

    >>> _holds({"rna": 1, "cnv": 2}), _holds((1, 2)), _holds(0.25), _holds(())
    ('rna, cnv', '2', '0.25', 'none')
    """
    if isinstance(value, Mapping):
        return _listed(value) or "none"
    if isinstance(value, tuple | list):
        kinds = [each.severity for each in value if isinstance(each, Finding)]
        told = ", ".join(count(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))
        return told or (f"{len(value):,}" if value else "none")
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) == 2 and hasattr(value, "columns"):
        return _line(f"{count(shape[0], 'row')} of {_listed(value.columns)}")
    if shape is not None and len(shape):
        return " x ".join(f"{n:,}" for n in shape) + " values"
    # What a class that does not show itself in short writes out is long.
    long = is_dataclass(value) and not isinstance(value, Shown)
    return _line(type(value).__name__ if long else str(value).split("\n", 1)[0] or "none")


def _listed(names: Iterable[object]) -> str:
    named = [_line(name, 24) for name in names]
    more = f" and {len(named) - _NAMES} more" if len(named) > _NAMES else ""
    return ", ".join(named[:_NAMES]) + more


def _line(value: object, width: int = _WIDTH) -> str:
    """Return a text on one line, cut where it is long; what cannot be printed is shown as such."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(value).split()))
    return text if len(text) <= width else f"{text[: width - 1]}…"


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
    return escape(_line(value, len(str(value)))).replace("$", "&#36;")
