"""Which change of the names of one table would make them those of another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import pandas as pd

from poems.data.naming.near import (
    TCGA_PATIENT,
    normal_form,
    one_separator,
    visible,
    whole_numbered,
    without_blanks,
    without_x,
    without_zeros,
)

Change: TypeAlias = Callable[[str], str]

TCGA_BARCODE: Final = re.compile(r"TCGA[-._]\w{2}[-._]\w{4}([-._].*)?", re.IGNORECASE)
_SEPARATORS: Final = "-._ :/"


def _patient(name: str) -> str:
    return name[:TCGA_PATIENT] if TCGA_BARCODE.fullmatch(name) else name


# In an order in which each leaves to the others what they look for: case last, for the others
# look for capitals.
_CHANGES: Final[tuple[tuple[str, Change], ...]] = (
    ("invisible characters are removed", visible),
    ("letters are brought to one Unicode form", normal_form),
    ("the 'X' that R puts before numbers is removed", without_x),
    ("'1.0' is read as '1'", whole_numbered),
    ("leading zeros are ignored", without_zeros),
    ("'.', '_' and blanks are read as '-'", one_separator),
    (f"TCGA barcodes are cut to their first {TCGA_PATIENT} characters (the patient)", _patient),
    ("upper and lower case are ignored", str.casefold),
)
_BLANKS: Final = ("blanks are removed", without_blanks)


def best_change(names: pd.Index, others: pd.Index) -> tuple[int, str] | None:
    """Return how many names match after the change that helps most, and that change in words.

    One change is named where it does as much as several; of several only those that are needed.
    Beside known changes the beginning or end that all names of a table share is tried.

    Examples
    --------
    >>> best_change(pd.Index(["X1.T", "X2.T"]), pd.Index(["1-T", "2-T"]))
    (2, "if the 'X' that R puts before numbers is removed and '.', '_' and blanks are read as '-'")
    >>> best_change(pd.Index(["s1_rna", "s2_rna"]), pd.Index(["s1", "s2"]))
    (2, "if '_rna' at the end is removed")
    """
    best: tuple[int, list[int]] = (0, [])
    known = [*_CHANGES, _BLANKS]
    for at, (_, change) in enumerate(known):
        n_matched = _matched(names, others, [change])
        if n_matched > best[0]:
            best = n_matched, [at]
    several = list(range(len(_CHANGES)))
    if _matched(names, others, [change for _, change in _CHANGES]) > best[0]:
        best = _needed(names, others, several)
    affixed = _affixes(names, others)
    if affixed is not None and affixed[0] > best[0]:
        return affixed
    if not best[0]:
        return None
    words = [known[at][0] for at in best[1]]
    return best[0], "if " + " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _needed(names: pd.Index, others: pd.Index, changes: list[int]) -> tuple[int, list[int]]:
    """Leave out the changes without which as many names match."""
    n_matched = _matched(names, others, [_CHANGES[at][1] for at in changes])
    for at in list(changes):
        rest = [each for each in changes if each != at]
        if rest and _matched(names, others, [_CHANGES[each][1] for each in rest]) >= n_matched:
            changes = rest
    return n_matched, changes


def _matched(names: Iterable[str], others: Iterable[str], changes: list[Change]) -> int:
    def key(name: str) -> str:
        for change in changes:
            name = change(name)
        return name

    there = set(map(key, others))
    return sum(key(name) in there for name in names)


def _affixes(names: pd.Index, others: pd.Index) -> tuple[int, str] | None:
    """Try without the beginning, or the end, that all names of either table share."""
    best: tuple[int, str] | None = None
    ends = (("beginning", _beginning, str.removeprefix), ("end", _end, str.removesuffix))
    for place, shared, remove in ends:
        own, their = _told_apart(shared(names), shared(others))
        if not own and not their:
            continue
        there = {remove(name, their) for name in others}
        n_matched = sum(remove(name, own) in there for name in names)
        if n_matched > (best[0] if best else 0):
            which = " and ".join(repr(each) for each in (own, their) if each)
            verb = "are" if own and their else "is"
            best = n_matched, f"if {which} at the {place} {verb} removed"
    return best


def _told_apart(own: str, their: str) -> tuple[str, str]:
    """Keep what is set apart by a separator; what is not only where it stands alone.

    >>> _told_apart("rna_", "P"), _told_apart("Patient", ""), _told_apart("P", "S")
    (('rna_', ''), ('Patient', ''), ('', ''))
    """
    if own == their or bool(own) != bool(their):
        return ("", "") if own == their else (own, their)
    kept = [each if set(each) & set(_SEPARATORS) else "" for each in (own, their)]
    return kept[0], kept[1]


def _beginning(names: Iterable[str]) -> str:
    """Return what all names begin with, up to the last separator in it, or else to a number."""
    shared = _shared(names).rstrip("0123456789")
    parted = [at for at, sign in enumerate(shared) if sign in _SEPARATORS]
    return shared[: parted[-1] + 1] if parted else shared


def _end(names: Iterable[str]) -> str:
    shared = _shared(name[::-1] for name in names)[::-1].lstrip("0123456789")
    parted = [at for at, sign in enumerate(shared) if sign in _SEPARATORS]
    return shared[parted[0] :] if parted else shared


def _shared(names: Iterable[str]) -> str:
    """Return the signs that all names begin with, if there are several."""
    each = list(names)
    if len(each) < 2:
        return ""
    first, last = min(each), max(each)
    same = next((at for at, sign in enumerate(first) if last[at : at + 1] != sign), len(first))
    return first[:same]
