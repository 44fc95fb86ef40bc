"""Findings: what was noticed, assumed or left out while handling a cohort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that the user should know about the data.

    Parameters
    ----------
    severity
        ``"note"`` for what was assumed, ``"warning"`` for what may hurt the
        result, ``"error"`` for what prevents a fit.
    code
        A stable slug such as ``"constant-features"``, for programs.
    message
        A sentence that says what was found, where, and what to do about it.
    view
        The view it concerns, or ``None`` for the whole cohort.
    items
        All the names concerned (samples or features); the message may show
        only the first few.
    """

    severity: Severity
    code: str
    message: str
    view: str | None = None
    items: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.view}: " if self.view is not None else ""
        return f"{self.severity}: {where}{self.message}"


def unsaid(findings: Iterable[Finding], reported: Iterable[Finding]) -> list[Finding]:
    """Return the findings that were not reported already, perhaps in other words.

    >>> note = Finding("note", "rare", "3 samples are rare", items=("a", "b", "c"))
    >>> unsaid([note], [note])
    []
    """
    known = {(each.code, each.view, each.items) for each in reported}
    return [each for each in findings if (each.code, each.view, each.items) not in known]


def name_some(names: Iterable[object], limit: int = 3) -> str:
    """List the first ``limit`` names and count the rest.

    >>> name_some(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    items = [str(name) for name in names]
    shown = ", ".join(items[:limit])
    rest = len(items) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, which takes an ``s`` where ``plural`` is not given.

    >>> count(1, "sample"), count(2, "sample"), count(0, "entry", "entries")
    ('1 sample', '2 samples', '0 entries')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
