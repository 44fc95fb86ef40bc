"""Sample names that differ only by a known change: one sample, perhaps, under two names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Final

import pandas as pd

from poems.data.tables import Table
from poems.findings import Finding, count, name_some

_TCGA = re.compile(r"(tcga-\w{2}-\w{4})(?:-(\d{2})\w*(?:-.*)?)?")
# Characters of a TCGA barcode that name the patient.
TCGA_PATIENT: Final = 12
_MOST_SHOWN: Final = 30
_Way = tuple[tuple[str, Callable[[str], str]], ...]


def visible(name: str) -> str:
    """Take out invisible characters."""
    if name.isascii() and name.isprintable():
        return name
    return "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Cc"))


def normal_form(name: str) -> str:
    """Write letters in the one Unicode form that means the same."""
    return unicodedata.normalize("NFKC", name)


def without_blanks(name: str) -> str:
    """Take out blanks of all kinds."""
    return re.sub(r"\s", "", name)


def whole_numbered(name: str) -> str:
    """Write a whole number without its '.0'."""
    return re.sub(r"^(\d+)\.0+$", r"\1", name)


def without_x(name: str) -> str:
    """Take out the 'X' that R puts before numbers."""
    return re.sub(r"^[Xx](?=\d)", "", name)


def one_separator(name: str) -> str:
    """Write every separator as a hyphen."""
    return re.sub(r"[-._\s/:–—]", "-", name)


def without_zeros(name: str) -> str:
    """Take out zeros before numbers, but for those of a TCGA barcode."""
    if _TCGA.fullmatch(one_separator(name).casefold()):
        return name  # the zeros of a barcode are part of it
    return re.sub(r"(?<!\d)(?<!\d\.)0+(?=\d)", "", name)  # not those of 1.05


# In an order in which each leaves to the others what they look for.
_CHANGES: Final[_Way] = (
    ("invisible characters", visible),
    ("the Unicode form of letters", normal_form),
    ("the 'X' that R puts before numbers", without_x),
    ("'1.0' in place of '1'", whole_numbered),
    ("leading zeros", without_zeros),
    ("separators ('-', '.', '_', blank)", one_separator),
    ("upper and lower case", str.casefold),
)
_BLANKS: Final = ("blanks", without_blanks)
# A blank may stand for a separator, or for nothing.
_WAYS: Final[tuple[_Way, ...]] = (_CHANGES, (*_CHANGES[:2], _BLANKS, *_CHANGES[2:]))
_BARCODES: Final = "the length or the end of TCGA barcodes"
_SEVERAL: Final = "several known changes"


def same_but_for(name: str, other: str) -> str | None:
    """Return the known change that makes two different names equal, in words, if there is one.

    Examples
    --------
    >>> same_but_for("TCGA-A1-A0SB", "TCGA-A1-A0SB-01A")
    'the length or the end of TCGA barcodes'
    >>> same_but_for("TCGA-A1-A0SB-11A", "TCGA-A1-A0SB-01A")  # blood and tumour of a patient
    >>> same_but_for("S01", "s1"), same_but_for("a.1", "a-1")
    ('several known changes', "separators ('-', '.', '_', blank)")
    """
    for words, change in (*_CHANGES, _BLANKS):
        if change(name) == change(other):
            return words
    if all(_key(name, way) != _key(other, way) for way in _WAYS) or not _types_fit(name, other):
        return None
    patients = [_TCGA.fullmatch(each.casefold()) for each in (name, other)]
    if all(patients) and name[:TCGA_PATIENT] == other[:TCGA_PATIENT]:
        return _BARCODES
    return _SEVERAL


def near_names(names: pd.Index, others: pd.Index) -> list[tuple[str, str]]:
    """Pair the names that only one of two tables has and that differ by known changes alone.

    Changes that would make two names of one table equal are not trusted there: the table
    itself tells these apart.

    Examples
    --------
    >>> near_names(pd.Index(["s1", "s2", "s3"]), pd.Index(["s1", "S2", "s4"]))
    [('s2', 'S2')]
    """
    here, there = names.difference(others, sort=False), others.difference(names, sort=False)
    if not len(here) or not len(there):
        return []
    pairs = dict.fromkeys(pair for way in _WAYS for pair in _pairs(names, others, here, there, way))
    return list(pairs)


def twice_named(tables: Mapping[str, Table], *, united: bool) -> list[Finding]:
    """Return a finding for each two views that seem to name the same samples differently.

    An error if all samples are kept (``united``), for each such sample would then count as two;
    a warning if only those that every view has are.
    """
    findings = []
    for first, second in combinations(tables, 2):
        one, two = tables[first].samples, tables[second].samples
        if one.isin(two).sum() == 0:
            continue  # said of the whole view
        pairs = near_names(one, two)
        if not pairs:
            continue
        n = len(pairs)
        effect = (
            f"{'it' if n == 1 else 'each'} would count as two samples"
            if united
            else f"{'it is' if n == 1 else 'they are'} left out as not measured in every view"
        )
        text = (
            f"{count(n, 'sample seems', 'samples seem')} to have two names, one in view '{first}' "
            f"and one in '{second}', and {effect}: {_listed(pairs)}. {_differ(pairs)}. Names are "
            "never merged: write the same name in both tables, or, if these are different "
            "samples, names that differ by more"
        )
        items = tuple(name for pair in pairs for name in pair)
        findings.append(Finding("error" if united else "warning", "two-names", text, items=items))
    return findings


def twice_named_in_obs(tables: Mapping[str, Table], obs_names: pd.Index) -> Finding | None:
    """Return a warning if rows of the obs table seem to name samples that have none."""
    samples = pd.Index(
        list(dict.fromkeys(name for table in tables.values() for name in table.samples)),
        dtype=object,
    )
    if not obs_names.isin(samples).any():
        return None  # said of the whole table
    pairs = near_names(samples, obs_names)
    if not pairs:
        return None
    text = (
        f"{count(len(pairs), 'sample')} without a row in the obs table "
        f"{'seems' if len(pairs) == 1 else 'seem'} to be there under another name: "
        f"{_listed(pairs)}. {_differ(pairs)}. Names are never merged: write in the obs table "
        "what the views have"
    )
    items = tuple(name for pair in pairs for name in pair)
    return Finding("warning", "two-names", text, items=items)


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    return name_some((f"{a!a} = {b!a}" for a, b in pairs), _MOST_SHOWN)


def _differ(pairs: Iterable[tuple[str, str]]) -> str:
    changes = dict.fromkeys(same_but_for(*pair) or _SEVERAL for pair in pairs)
    return f"They differ only by {' or '.join(changes)}"


def _pairs(
    names: pd.Index, others: pd.Index, here: pd.Index, there: pd.Index, way: _Way
) -> Iterator[tuple[str, str]]:
    keys = _by_key(there, way)
    candidates = {key: found for key, found in _by_key(here, way).items() if key in keys}
    if not candidates:
        return
    all_here, all_there = _by_key(names, way), _by_key(others, way)
    for key, found in candidates.items():
        for name in found:
            # Two samples of one key in a table are told apart by what the change would remove.
            rivals = [other for other in all_there[key] if _types_fit(name, other)]
            own = [other for other in all_here[key] if _types_fit(name, other)]
            if len(rivals) == len(own) == 1 and rivals[0] in keys[key]:
                yield name, rivals[0]


def _key(name: str, way: _Way) -> str:
    """Return what is left of a name after all changes; of a TCGA barcode, the patient."""
    for _, change in way:
        name = change(name)
    barcode = _TCGA.fullmatch(name)
    return name if barcode is None else barcode[1]


def _by_key(names: pd.Index, way: _Way) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_key(name, way), []).append(name)
    return found


def _types_fit(name: str, other: str) -> bool:
    """Say whether two barcodes of a patient can be of one sample: tumour 01 and blood 11 cannot."""
    types = []
    for each in (name, other):
        barcode = _TCGA.fullmatch(one_separator(visible(each)).casefold())
        types.append(None if barcode is None else barcode[2])
    return None in types or types[0] == types[1]
