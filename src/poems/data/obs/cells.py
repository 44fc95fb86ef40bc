"""One column of a clinical table: numbers, truth values or words, and what of it is missing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from poems.data.obs.missing import (
    SILENT_TOKENS,
    may_be_missing,
    missing_in_numbers,
    missing_in_text,
)
from poems.files.text_numbers import NUMBER, TRUTHS

# Entries that are no numbers are few up to this share; up to the other if each holds a number.
_FEW: Final = 0.1
_NOT_MOST: Final = 0.5
_NEARLY_ALL: Final = 0.9
# Whole numbers that take no more different values may be codes, beside which words are codes too.
_MOST_CODES: Final = 10
# More different words beside numbers are values of their own.
_MOST_WORDS: Final = 3
_LARGEST_INT: Final = 2**63
_WHOLE = re.compile(r"[+-]?[0-9]+")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]*),[0-9]+")
# One comma and three digits: 1,625 may be either.
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")
_NUMBER_LIKE = re.compile(
    r"(?:[<>≤≥=~≈±]{1,2}|about|ca\.?)?\s*[+-]?[0-9][0-9.,'’ ]*"
    r"(?:\s*(?:-|–|to)\s*[0-9][0-9.,]*)?\s*(?:[%+*?]|(?:years?|yrs?|months?|mos?|weeks?|days?|hours?|mg|ml|kg|cm|mm|ng|pg|iu)(?:/\w+)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class CleanColumn:
    """A column as it is to be used, and what was decided about its cells.

    Parameters
    ----------
    values
        By sample; ``NaN`` where the cell is missing.
    taken
        Words that were taken for missing, with how often each occurs.
    kept
        Words that were kept as values, though they may mean missing.
    refused
        Entries of a column of numbers that are none, by sample: missing in ``values``.
    commas
        A cell whose comma was read as the decimal point, if there is any.
    unread
        Cells that look like numbers, in a column that was left as words.
    padded
        Words around which blanks were removed, with how often each occurs.
    alike
        Words that differ only by upper and lower case or by the form of letters, in groups.
    """

    values: pd.Series
    taken: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    commas: str = ""
    unread: tuple[str, ...] = ()
    padded: Mapping[str, int] = field(default_factory=dict)
    alike: tuple[tuple[str, ...], ...] = ()


def clean_column(column: pd.Series, *, typed: bool = False) -> CleanColumn:
    """Say which cells of a column are missing, and make it numbers if it holds them.

    A column is one of numbers if its known cells are numbers but for a few (a tenth; half, if
    these hold a number themselves, such as ``'>75'``), and the numbers are no codes: more than
    10 different ones, or some that are not whole. Decimal commas are read if no cell has a
    decimal point and they cannot be those of thousands or of lists.

    Parameters
    ----------
    column
        One value per sample.
    typed
        Whether text that is all numbers becomes numbers, as in a file. Otherwise a
        column stays what it is unless some of its cells are missing or no numbers.

    Examples
    --------
    >>> found = clean_column(pd.Series(["61.5", ">75", "[Not Available]", "58.1"], list("abcd")))
    >>> found.values.tolist(), found.refused, found.taken
    ([61.5, nan, nan, 58.1], (('b', '>75'),), {'[Not Available]': 1})
    """
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    if not categorical and column.dtype.kind not in "OSU":
        return CleanColumn(column)
    cells = column.astype(object)
    known = cells[cells.notna()]
    texts = known[known.map(lambda cell: isinstance(cell, str))]
    counts = Counter(map(str, texts))
    others = [cell for cell in known if not isinstance(cell, str)]
    plain_others = all(_is_number(cell) for cell in others)
    if plain_others and not _are_truths(counts):
        found = _Numbers.of(counts, others)
        if found.are_certain(categorical=categorical):
            return _as_numbers(column, cells, found, typed=typed)
    padded = {text: number for text, number in counts.items() if text != text.strip()}
    if padded and not categorical:
        cells = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
        counts = Counter(cell for cell in cells if isinstance(cell, str))
        column = cells
    found_words = _as_words(column, cells, counts, typed=typed)
    kept = {text: number for text, number in padded.items() if text.strip() and not categorical}
    return replace(found_words, padded=kept, alike=_alike(found_words.values))


def _alike(values: pd.Series) -> tuple[tuple[str, ...], ...]:
    """Return the words of classes that differ only by case, or the form of letters, in groups."""
    words = [each for each in values.unique() if isinstance(each, str)]
    if 2 * len(words) > values.notna().sum():
        return ()  # no classes: most samples have a word of their own
    groups: dict[str, list[str]] = {}
    for word in words:
        groups.setdefault(unicodedata.normalize("NFKC", word).casefold(), []).append(word)
    return tuple(tuple(each) for each in groups.values() if len(each) > 1)


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Different cells of a column, as numbers as far as they are."""

    numbers: dict[str, float]
    others: list[float]
    taken: dict[str, int]
    rest: dict[str, int]
    n_plain: int
    commas: str = ""

    @classmethod
    def of(cls, counts: Mapping[str, int], others: list[Any]) -> _Numbers:
        numbers: dict[str, float] = {}
        taken: dict[str, int] = {}
        rest: dict[str, int] = {}
        for text, number in counts.items():
            value = _number(text)
            if value is not None:
                numbers[text] = value
            elif missing_in_numbers(text):
                taken[text] = number
            else:
                rest[text] = number
        commas = ""
        if _are_decimal_commas(numbers, rest, bool(others)):
            commas = next(text for text in rest if _COMMA.fullmatch(text.strip()))
            read = {text: _with_point(text) for text in rest if _COMMA.fullmatch(text.strip())}
            numbers |= read
            rest = {text: number for text, number in rest.items() if text not in read}
        n_plain = sum(counts[text] for text in numbers) + len(others)
        return cls(numbers, [float(cell) for cell in others], taken, rest, n_plain, commas)

    def are_certain(self, *, categorical: bool) -> bool:
        """Are these the numbers of a measured quantity, but for a few?"""
        n_rest = sum(self.rest.values())
        different = {*self.numbers.values(), *self.others}
        measured = any(value % 1 != 0 for value in different if math.isfinite(value))
        if categorical and not measured:
            return False  # names of clusters are whole numbers
        if not n_rest or not self.n_plain:
            return self.n_plain > 0
        if not measured and len(different) <= min(_MOST_CODES, self.n_plain / 2):
            return False
        words = [text.strip() for text in self.rest if not _NUMBER_LIKE.fullmatch(text.strip())]
        if len(words) > _MOST_WORDS or (not measured and self._are_codes(words)):
            return False
        most = _FEW if words else _NOT_MOST
        return n_rest <= max(most * (n_rest + self.n_plain), 1 if self.n_plain > 2 else 0)

    def _are_codes(self, words: list[str]) -> bool:
        """Are words as long as the numbers, so that both may be codes: 85 and 77, NC and L3?"""
        lengths = {len(text.strip()) for text in self.numbers}
        return any(word.isalnum() and len(word) in lengths for word in words)


def _as_numbers(
    column: pd.Series, cells: pd.Series, found: _Numbers, *, typed: bool
) -> CleanColumn:
    loud = {text: number for text, number in found.taken.items() if text not in SILENT_TOKENS}
    if not typed and not found.taken and not found.rest and not found.commas:
        return CleanColumn(column)
    whole = all(map(_WHOLE.fullmatch, found.numbers)) and not found.others
    if whole and found.n_plain == len(cells):
        exact = [int(text) for text in cells]
        if max(map(abs, exact), default=0) < _LARGEST_INT:
            return CleanColumn(pd.Series(exact, cells.index, dtype=np.int64, name=column.name))
    values = cells.map(
        lambda cell: found.numbers.get(cell, np.nan) if isinstance(cell, str) else cell
    ).astype(np.float64)
    refused = tuple(
        (str(sample), str(cell))
        for sample, cell in cells.items()
        if isinstance(cell, str) and cell in found.rest
    )
    return CleanColumn(values, loud, {}, refused, found.commas)


def _as_words(
    column: pd.Series, cells: pd.Series, counts: Counter[str], *, typed: bool
) -> CleanColumn:
    signs = any(text.strip().startswith("+") for text in counts)
    gone = {
        text: number
        for text, number in counts.items()
        if missing_in_text(text) or (text.strip() == "-" and not signs)
    }
    left = {text: number for text, number in counts.items() if text not in gone}
    kept = {text: number for text, number in left.items() if may_be_missing(text)}
    loud = {text: number for text, number in gone.items() if text not in SILENT_TOKENS}
    unread = _unread(left)
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.cat.remove_categories([text for text in gone if text in set(counts)])
        return CleanColumn(values if gone else column, loud, kept, unread=unread)
    truths = typed and bool(left) and _are_truths(left)
    if not gone and not truths:
        return CleanColumn(column, loud, kept, unread=unread)
    values = cells.where(~cells.isin(list(gone)), np.nan)
    if typed and not left and not values.notna().any():
        values = values.astype(np.float64)
    if truths:
        values = values.map(lambda cell: TRUTHS.get(cell, cell) if isinstance(cell, str) else cell)
        values = values.astype(bool) if values.notna().all() else values
    return CleanColumn(values, loud, kept, unread=unread)


def _unread(left: Mapping[str, int]) -> tuple[str, ...]:
    """Return the cells of a column of words that look like numbers, if nearly all do."""
    like = tuple(text for text in left if _NUMBER_LIKE.fullmatch(text.strip()))
    several = len(like) > _MOST_CODES and len(like) >= _NEARLY_ALL * len(left)
    # Where most samples have a value of their own these are measured; ranges of ages are not.
    return like if several and 2 * len(like) > sum(left.values()) else ()


def _are_truths(texts: Mapping[str, int]) -> bool:
    known = [text for text in texts if not missing_in_text(text)]
    return bool(known) and all(text in TRUTHS for text in known)


def _are_decimal_commas(
    numbers: Mapping[str, float], rest: Mapping[str, int], others: bool
) -> bool:
    """Can the commas of a column only be decimal ones?"""
    commas = [text.strip() for text in rest if _COMMA.fullmatch(text.strip())]
    if not commas or others or not all(_WHOLE.fullmatch(text.strip()) for text in numbers):
        return False
    if all(_THOUSANDS.fullmatch(text) for text in commas):
        return False
    return len(commas) > _MOST_CODES or any(re.match(r"[+-]?0,", text) for text in commas)


def _with_point(text: str) -> float:
    return float(text.strip().replace(".", "").replace(",", "."))


def _number(text: str) -> float | None:
    """Return the number that a text is, if it is one that a float can hold."""
    bare = text.strip()
    if _INFINITE.fullmatch(bare):
        return float(bare)
    if not NUMBER.fullmatch(bare):
        return None
    value = float(bare)
    # A barcode such as 5e12345678901 is no number.
    return value if math.isfinite(value) else None


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(
        cell, bool | np.bool_
    )
