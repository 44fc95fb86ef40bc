"""Names of views, samples and features: as strings, without blanks, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from poems.errors import DataError
from poems.findings import Finding, name_some

_LONGEST_VIEW_NAME = 100
# What pandas calls a column whose header was empty.
_UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+)?")


def clean_names(names: pd.Index, kind: str, where: str) -> tuple[pd.Index, tuple[Finding, ...]]:
    """Return names as stripped strings, with findings on what is assumed or wrong.

    Duplicates are findings of severity ``"error"``, so that all problems of
    a cohort can be told at once.

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
    unnamed = [
        position + 1
        for position, text in enumerate(clean)
        if missing[position] or not text or _UNNAMED.fullmatch(text)
    ]
    if unnamed:
        raise DataError(
            f"{where}: {kind} names are empty (number {name_some(unnamed, 5)}); fill "
            "them in, or remove the empty rows, columns or trailing delimiters"
        )
    findings = []
    padded = [text for text, name in zip(texts, clean, strict=True) if text != name]
    if padded:
        text = (
            f"blanks around {kind} names were removed ({len(padded)}: "
            f"{name_some(map(repr, padded))})"
        )
        findings.append(Finding("note", "blanks-removed", text, items=tuple(padded)))
    if kind == "sample" and isinstance(names, pd.RangeIndex) and names.start == 0:
        text = (
            f"{where} has no sample names, only row numbers; rows are matched by number. Set its "
            "index to the sample names if they exist"
        )
        findings.append(Finding("warning", "numbered-samples", text))
    repeated = tuple(clean[clean.duplicated()].unique())
    if repeated:
        text = (
            f"{where}: {kind} names occur more than once ({len(repeated)}: "
            f"{name_some(map(repr, repeated), 5)}). Make them unique, or keep one of each"
        )
        findings.append(Finding("error", f"duplicate-{kind}s", text, items=repeated))
    return clean, tuple(findings)


def view_name_problems(names: Iterable[object]) -> tuple[Finding, ...]:
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
    return tuple(findings)


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
    if len(name) > _LONGEST_VIEW_NAME or len(name.encode()) > 2 * _LONGEST_VIEW_NAME:
        return f"is longer than {_LONGEST_VIEW_NAME} characters"
    return None
