"""Names of views, samples and features: as strings, without blanks, checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import pandas as pd

from poems.data.naming.excel_dates import date_remedy
from poems.data.numeric import MISSING_TOKENS
from poems.errors import DataError
from poems.files.text_numbers import NUMBER
from poems.findings import Finding, Severity, count, name_some

_LONGEST_VIEW_NAME = 100
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# What pandas calls a column whose header was empty.
_UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+)?")
# Identifiers are often whole numbers; pandas adds '.0' where one of them is missing.
_WHOLE = re.compile(r"[0-9]+(\.0*)?")
# A patient and a visit, such as 12.1, may be an identifier.
_TWO_PARTS = re.compile(r"[0-9]+\.[0-9]")
# Unicode's control and format characters, and its ends of lines and paragraphs.
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
_NEARLY_ALL = 0.9
_SOME = 0.1
_FEWEST_TO_TELL = 3
_SEPARATOR = re.compile(r"[-._\s/:–—]")
_BY_DESIGN = 0.4


def clean_names(
    names: pd.Index, kind: str, where: str, *, in_header: bool = False
) -> tuple[pd.Index, tuple[Finding, ...]]:
    """Return names as stripped strings, with findings on what is assumed or wrong.

    Duplicates, and samples or features named by measured values, are findings of severity
    ``"error"``, so that all problems of a cohort can be told at once.

    Parameters
    ----------
    names
        The index or the columns of a table.
    kind
        What they name: ``"sample"``, ``"feature"`` or ``"column"``.
    where
        The table, for messages.
    in_header
        Whether the names stand in the first row rather than the first column.

    Raises
    ------
    DataError
        If a name is empty or there are several levels of names.
    """
    if isinstance(names, pd.MultiIndex):
        raise DataError(f"{where} has {names.nlevels} levels of {kind} names; keep one")
    missing = names.isna()
    texts = [str(name) for name in names]
    clean = pd.Index([text.strip() for text in texts], dtype=object)
    place = "row (the columns" if in_header else "column (the index"
    remedy = f"put the sample names in the first {place} of a DataFrame)"
    numbers = None
    if kind == "sample":
        numbers = _decimal_names(clean, where, remedy)
    elif kind == "feature":
        numbers = _measured_names(clean, where, in_header)
    if numbers is not None and numbers.severity == "error":
        return clean, (numbers,)  # whether the values are unique names is no question then
    unnamed = [
        position + 1
        for position, text in enumerate(clean)
        if missing[position] or not text or _UNNAMED.fullmatch(text)
    ]
    if unnamed:
        raise DataError(
            f"{where}: {kind} names are empty (number {name_some(unnamed, 5)}); fill "
            "them in, or remove the empty rows, columns or trailing delimiters"
            f"{_leaked(clean)}"
        )
    findings = [numbers] if numbers is not None else []
    padded = [text for text, name in zip(texts, clean, strict=True) if text != name]
    if padded:
        text = (
            f"blanks around {kind} names were removed ({len(padded)}: "
            f"{name_some(map(repr, padded))})"
        )
        findings.append(Finding("note", "blanks-removed", text, items=tuple(padded)))
    findings += _unseen(clean, kind, where)
    findings += _alike(clean, kind, where) if kind != "column" else []
    repeated = tuple(clean[clean.duplicated()].unique())
    if repeated:
        text = (
            f"{where}: {kind} names occur more than once ({len(repeated)}: "
            f"{name_some(map(repr, repeated), 5)}). "
        )
        dates = date_remedy(repeated) if kind == "feature" else None
        text += dates or "Make them unique, or keep one of each"
        if kind == "sample" and all(map(_may_be_value, repeated)):
            text += f"; if they are the values of a feature, {remedy}"
        findings.append(Finding("error", f"duplicate-{kind}s", text, items=repeated))
    return clean, tuple(findings)


def view_name_problems(names: Collection[object]) -> tuple[Finding, ...]:
    """Return an error for each name that cannot become the name of a file.

    Examples
    --------
    >>> view_name_problems(["rna", "protein (RPPA)"])
    ()
    >>> print(view_name_problems(["a/b"])[0])
    error: view name 'a/b' has a slash; rename the view, as its results are stored in files ...
    """
    findings = []
    for name in names:
        reason = _unfit(name)
        if reason is not None:
            text = (
                f"view name {name!r} {reason}; rename the view, as its results are stored in files "
                "of that name"
            )
            findings.append(Finding("error", "view-name", text))
    seen: dict[str, str] = {}
    for name in (name for name in names if isinstance(name, str)):
        same = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if same != name:
            text = (
                f"view names {same!r} and {name!r} are one name where files are told apart without "
                "upper and lower case (Windows, macOS); rename one, as results are stored in files "
                "of these names"
            )
            findings.append(Finding("error", "view-name", text))
    return tuple(findings)


def _decimal_names(names: pd.Index, where: str, remedy: str) -> Finding | None:
    """Say if samples are named by decimal numbers: an error unless these could be identifiers."""
    texts = [name for name in names if name]
    numbers = [name for name in texts if NUMBER.fullmatch(name)]
    decimals = [name for name in numbers if not _WHOLE.fullmatch(name)]
    # Among the values of a feature there may be zeros, without a point.
    if len(numbers) < _NEARLY_ALL * len(texts) or len(decimals) <= _SOME * len(numbers):
        return None
    n_doubtful = sum(_TWO_PARTS.fullmatch(name) is not None for name in decimals)
    if n_doubtful == len(decimals) and names.is_unique:
        text = (
            f"{where}: the samples are named by decimal numbers ({name_some(decimals)}); if these "
            f"are the values of a feature, {remedy}"
        )
        return Finding("warning", "sample-names-are-numbers", text, items=tuple(decimals))
    text = (
        f"{where}: where sample names are expected there are numbers ({name_some(decimals)}), "
        f"probably the values of a feature; {remedy}"
    )
    return Finding("error", "sample-names-are-numbers", text, items=tuple(decimals))


def _measured_names(names: pd.Index, where: str, in_header: bool) -> Finding | None:
    """Say if features are named by values, as of a table without a header.

    Masses and shifts name features, too. They are never negative, which is an error therefore, and
    mostly in order; otherwise it is a warning.
    """
    texts = [name for name in names if name]
    if len(texts) < _FEWEST_TO_TELL or not all(map(NUMBER.fullmatch, texts)):
        return None
    decimals = [name for name in texts if not _WHOLE.fullmatch(name)]
    values = pd.Series([float(text) for text in texts])
    ordered = values.is_monotonic_increasing or values.is_monotonic_decreasing
    if len(decimals) <= _SOME * len(texts) or ordered:
        return None
    place = "row" if in_header else "column"
    text = (
        f"{where}: where feature names are expected there are numbers ({name_some(decimals)}), "
        f"probably the values of a sample; put the feature names in the first {place}"
    )
    if (values < 0).any():
        return Finding("error", "feature-names-are-numbers", text, items=tuple(decimals))
    text = (
        f"{where}: the features are named by decimal numbers ({name_some(decimals)}); if these are "
        f"the values of a sample, put the feature names in the first {place}"
    )
    return Finding("warning", "feature-names-are-numbers", text, items=tuple(decimals))


def _unseen(names: pd.Index, kind: str, where: str) -> list[Finding]:
    """Say which names hold a line break, or another character that nobody sees in them."""
    if "".join(names).isprintable():
        return []
    found = tuple(
        name for name in names if any(unicodedata.category(char) in _UNSEEN for char in name)
    )
    if not found:
        return []
    broken = all(len(name.splitlines()) > 1 for name in found)
    what = "a line break" if broken else "a line break, or another character that cannot be seen"
    text = (
        f"{where}: {count(len(found), f'{kind} name')} {'holds' if len(found) == 1 else 'hold'} "
        f"{what}: {name_some(map(repr, found))}. It is part of the name, and shown as a blank at "
        "best, so that the name matches no other without it: take it out, unless it is meant"
    )
    return [Finding("warning", "unseen-in-names", text, items=found)]


def _alike(names: pd.Index, kind: str, where: str) -> list[Finding]:
    """Say which names of one table differ only by case, the form of letters, or a separator.

    Separators tell features apart; upper and lower case may, too (the precursor hsa-mir-1 and the
    mature hsa-miR-1), so that of features it is a note.
    """
    keys = names.str.casefold()
    if not "".join(names).isascii():
        keys = pd.Index([unicodedata.normalize("NFKC", key) for key in keys], dtype=object)
    if kind == "sample":
        keys = keys.str.replace(_SEPARATOR, "-", regex=True)
    if keys.is_unique:
        return []
    groups = pd.Series(names.to_numpy(), keys)[keys.duplicated(keep=False)].groupby(level=0)
    found = [each for _, each in groups.unique().items() if len(each) > 1]
    # Where most do so they are named by design.
    if not found or sum(map(len, found)) >= _BY_DESIGN * len(names):
        return []
    shown = name_some((" = ".join(f"{name!a}" for name in each) for each in found), 5)
    differ = "case, the Unicode form of letters" + (" or a separator" if kind == "sample" else "")
    text = (
        f"{where}: {count(len(found), f'{kind} has', f'{kind}s have')} several names that differ "
        f"only by {differ}, and would count as different ones: {shown}. If they are the same, keep "
        "one"
    )
    items = tuple(name for each in found for name in each)
    severity: Severity = "warning" if kind == "sample" else "note"
    return [Finding(severity, "names-alike", text, items=items)]


def _leaked(names: pd.Index) -> str:
    """Return the further remedy where an index was written as a column without a name."""
    found = [name for name in names if _UNNAMED.fullmatch(name)]
    if not found:
        return ""
    return (
        f". {found[0]!r} is what pandas calls a column without a name, mostly the row numbers of "
        "an index that was written with the table: remove that column"
    )


def _may_be_value(name: str) -> bool:
    return name in MISSING_TOKENS or NUMBER.fullmatch(name) is not None


def _unfit(name: object) -> str | None:
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, not a string"
    if not name.strip():
        return "is empty"
    if "/" in name or "\\" in name:
        return "has a slash"
    if name.startswith("."):
        return "begins with a dot"
    if not name.isprintable():
        return "has control characters"
    if _NOT_ON_WINDOWS.search(name):
        return 'has a character that no file name has on Windows (< > : " | ? *)'
    if name != name.rstrip(". ") or _RESERVED.fullmatch(name):
        return "cannot be the name of a file on Windows"
    if len(name) > _LONGEST_VIEW_NAME or len(name.encode()) > 2 * _LONGEST_VIEW_NAME:
        return f"is longer than {_LONGEST_VIEW_NAME} characters"
    return None
