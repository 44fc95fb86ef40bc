"""What is to be done about cells that are no numbers, going by what they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NUMBER: Final = r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?"
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?|[0-9]{1,2}-[A-Za-z]{3}(-[0-9]{2,4})?"
)
# Signs that programs for texts put in place of a hyphen.
_MINUS = re.compile(rf"[\u2010-\u2015\u2212\ufe63\uff0d]\s*{_NUMBER.removeprefix('[+-]?')}")
# What cells hold, in the order in which it is looked for, and what is to be done.
_CAUSES: Final = (
    (
        _DATE,
        "Spreadsheets make dates of numbers such as 3-1 or 1.3: take the values from the table as "
        "it was before a spreadsheet opened it; if dates are meant, move them to the obs table",
    ),
    (
        re.compile(r"[+-]?\d*(\.\d{3})*,\d+"),
        "Write decimals with a point, and thousands without a comma",
    ),
    (
        re.compile(rf"[<>≤≥]=?\s*{_NUMBER}"),
        "These are limits of detection: write the number to be used in their place, or NA",
    ),
    (re.compile(rf"{_NUMBER}\s*[%‰]"), "Write the numbers without the sign for percent"),
    (
        _MINUS,
        "The minus is no hyphen but another sign that looks like it, as programs for texts write "
        "it: put '-' in its place",
    ),
    (
        re.compile(rf"['\"’`´=]+{_NUMBER}['\"’`´]*"),
        "Take out the quotation or equality marks, which make text of numbers in a spreadsheet",
    ),
    (
        re.compile(r"[+-]?(?=[0-9.]*[^\x00-\x7f])[\d.]+"),
        "Digits of other scripts, or of full width, are not read: write 0 to 9",
    ),
    (
        re.compile(rf"{_NUMBER}\s*(±|\+/-)\s*{_NUMBER}"),
        "Write the values alone, without their errors",
    ),
    (
        re.compile(rf"[$€£¥~≈]\s*{_NUMBER}|[0-9]+(_[0-9]+)+"),
        "Write the numbers alone, without signs before or within them",
    ),
    (
        re.compile(rf"{_NUMBER}\s*[A-Za-zµμ°][\w/^%µμ°.-]*"),
        "Write the numbers alone, without units; these may stand in the names of the features",
    ),
)
_MISSING: Final = "Leave a missing value empty, or write NA"


def cell_remedy(
    bad: Sequence[tuple[str, int, int]],
    rows: Sequence[object],
    columns: Sequence[object],
    row_kind: str,
) -> str:
    """Say what is to be done about the cells of a table that are no numbers.

    Parameters
    ----------
    bad
        Of each such cell its text, row and column, by row.
    rows, columns
        The names of all rows and columns.
    row_kind
        What a row is: ``"sample"`` or ``"feature"``.

    Examples
    --------
    >>> cell_remedy([("12%", 0, 0)], ["s1", "s2"], ["g1"], "sample")
    'Write the numbers without the sign for percent'
    >>> cell_remedy([("log2", 0, 0), ("log2", 0, 1)], ["unit", "s1"], ["g1", "g2"], "sample")
    "Row 'unit' holds no number at all and seems to describe the columns: remove it"
    """
    texts = [text.strip() for text, _, _ in bad]
    at_rows, at_columns = {row for _, row, _ in bad}, {column for _, _, column in bad}
    if len(at_columns) == 1 and len(bad) == len(rows):
        column = _quoted(columns[bad[0][2]])
        return (
            f"If column {column} holds the row names, make it the first column (the index of a "
            "DataFrame); if it holds labels, move it to the obs table"
        )
    for pattern, remedy in _CAUSES:
        if any(pattern.fullmatch(text) for text in texts):
            return remedy
    if len(bad) == len(at_rows) * len(columns) and len(columns) > 1 and len(at_rows) < len(rows):
        return _worded_rows(sorted(at_rows), rows, columns, texts)
    words = {text.casefold(): text for text in texts}
    if len(words) == 2 and len(bad) == len(rows) * len(columns):
        first, second = (_quoted(words[each]) for each in sorted(words))
        return f"All cells are {first} or {second}: write 0 and 1 in their place"
    if len(bad) == len(rows) * len(columns) and len(columns) > 1:
        return f"No cell of any {row_kind} is a number: is this the table of the measurements?"
    return _MISSING


def _worded_rows(
    at: Sequence[int], rows: Sequence[object], columns: Sequence[object], texts: Sequence[str]
) -> str:
    names = ", ".join(_quoted(rows[each]) for each in at[:3]) + (", …" if len(at) > 3 else "")
    if texts[: len(columns)] == [str(name).strip() for name in columns]:
        return f"Row {names} repeats the header: remove it"
    if len(at) == 1:
        return f"Row {names} holds no number at all and seems to describe the columns: remove it"
    return f"Rows {names} hold no number at all and seem to describe the columns: remove them"


def _quoted(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 40 else text[:40] + "…")
