"""Findings: what was noticed, assumed or left out while handling a cohort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from poems.wording import whole

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


# What one finding says, another says of the same view in full.
_SAID_BY: Final = {
    "discrete-values": ("likelihood-proposed", "likelihood-chosen"),
    "unequal-depth": ("depth-differs",),
}


def said_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Leave out what another finding says of the same view in full.

    Examples
    --------
    >>> codes = "discrete-values", "likelihood-chosen"
    >>> [each.code for each in said_once(Finding("note", code, "", "cnv") for code in codes)]
    ['likelihood-chosen']
    """
    told = list(findings)
    there = {(each.code, each.view) for each in told}
    return tuple(
        each
        for each in told
        if not any((code, each.view) in there for code in _SAID_BY.get(each.code, ()))
    )


def together(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings for reading, one for all that say the same of several views.

    Each stands where the first of them stood, with their views in one name: this is
    for people, programs take the findings as they are.

    Examples
    --------
    >>> notes = [Finding("note", "a", "is scaled", view) for view in ("rna", "adt")]
    >>> print(*together([*notes, Finding("note", "a", "is not", "hto")]), sep="; ")
    note: rna and adt: is scaled; note: hto: is not
    """
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        alike.setdefault((each.severity, each.code, each.message), []).append(each)
    return [_of_views(own) for own in alike.values()]


def _of_views(alike: list[Finding]) -> Finding:
    views = list(dict.fromkeys(each.view for each in alike if each.view is not None))
    if len(views) < 2:
        return alike[0]
    items = tuple(dict.fromkeys(item for each in alike for item in each.items))
    return replace(alike[0], view=f"{', '.join(views[:-1])} and {views[-1]}", items=items)


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
    return f"{whole(number)} {noun if number == 1 else plural or noun + 's'}"
