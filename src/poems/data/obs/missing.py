"""Which words stand for a missing value: one vocabulary for matrices and all that reads obs."""

from __future__ import annotations

import re
from typing import Final

# Missing wherever they stand, and read so without a word. Parsers take them as they are written.
SILENT_TOKENS: Final = (
    "", "NA", "NaN", "nan", "N/A", "n/a", "null", "NULL", "<NA>", "#N/A",
)  # fmt: skip
# The same in a matrix of numbers; beside other text they may be values: a treatment, a minus.
NUMBER_TOKENS: Final = ("None", "-")

# Compared in lower case, without brackets around them: TCGA writes '[Not Available]'.
_WORDS: Final = frozenset(
    ("", "na", "n/a", "n.a.", "n.a", "nan", "+nan", "-nan", "null", "nat", r"\n", "1.#qnan",
     "1.#ind", "-1.#ind", "#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "#name?",
     "#null!", "not available", "not applicable", "not evaluated", "not reported", "not known",
     "not recorded", "not determined", "not assessed", "not collected", "not provided",
     "not specified", "none given", "no data", "unavailable", "unknown", "unk", "missing",
     "missing value", "?", "??", "???", ".", "..", "--", "---", "–", "—")
)  # fmt: skip
# Missing where brackets mark them, and among numbers; else they may tell of a sample.
_BRACKETED: Final = frozenset(
    ("discrepancy", "pending", "completed", "redacted", "masked", "withheld", "not done",
     "not tested", "unspecified", "undetermined", "indeterminate")
)  # fmt: skip
_AMONG_NUMBERS: Final = frozenset(("none", "-", "nil", "nd", "n.d.", "nr", "error", "failed"))
_BRACKETS: Final = re.compile(r"\[(.*)\]|<(.*)>|\((.*)\)", re.DOTALL)


def missing_in_numbers(value: object) -> bool:
    """Say whether a cell of a column that holds numbers stands for a missing value.

    Examples
    --------
    >>> [word for word in ("[Pending]", "#DIV/0!", "none", ">75") if missing_in_numbers(word)]
    ['[Pending]', '#DIV/0!', 'none']
    """
    word, _ = _bare(value)
    return word in _WORDS or word in _BRACKETED or word in _AMONG_NUMBERS


def missing_in_text(value: object) -> bool:
    """Say whether a cell of a column of words stands for a missing value.

    ``None``, ``-`` and ``Pending`` may be values there, and are not missing.

    Examples
    --------
    >>> [word for word in ("[Pending]", "Pending", "none", "Unknown") if missing_in_text(word)]
    ['[Pending]', 'Unknown']
    """
    word, bracketed = _bare(value)
    return word in _WORDS or (bracketed and word in _BRACKETED)


def may_be_missing(value: object) -> bool:
    """Say whether a word is missing among numbers, but was kept as a value among words.

    >>> may_be_missing("None"), may_be_missing("Unknown"), may_be_missing("high")
    (True, False, False)
    """
    return _bare(value)[0] in ("none", "-", "nil") and not missing_in_text(value)


def _bare(value: object) -> tuple[str, bool]:
    """Return a cell in lower case, single blanks, without brackets and quotes; had it brackets?"""
    text = " ".join(str(value).split()).casefold().strip("'\"")
    inner = _BRACKETS.fullmatch(text)
    if inner is None:
        return text, False
    return next(part for part in inner.groups() if part is not None).strip(), True
