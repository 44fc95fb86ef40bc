"""Text as numbers, exactly and safely: the one place of the package that does so.

The quick parsers of pandas (``to_numeric`` and ``read_csv`` with inferred or
float columns) end the process at an exponent of 2^31 or more (the barcode
``5e12345678901``), and are a bit off for some decimals (``0.30000000000000004``
becomes 0.3). Arrow's parser rounds correctly, knows any exponent, and is as
quick; what it takes beyond decimal numbers is sorted out here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# What is written as a decimal number.
NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)

# The same for Arrow, and the words for infinity, which is what Python and R write.
_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_INFINITE = r"[+-]?(?i:inf|infinity)"
_WHOLE = r"\A[+-]?[0-9]+\z"
_TEXT = pa.large_string()
# Every whole number below this is a float64 of its own.
_EXACT = 2**53
# A whole number of more digits than this is infinite as a float64, but for leading zeros.
_MOST_DIGITS = 400
_LARGEST_BLOCK = 1 << 28
# Each column that is read takes 5 kB beside its values: of a wide table, some at a time.
_MOST_COLUMNS = 10_000
# What spreadsheets, R and Python write.
TRUTHS: Final = {"True": True, "TRUE": True, "true": True,
                 "False": False, "FALSE": False, "false": False}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Numbers:
    """What cells hold, as numbers.

    Parameters
    ----------
    values
        The numbers, ``NaN`` where there is none: of shape (n_cells,).
    wrong
        Which cells are neither numbers nor missing.
    beyond
        Which hold finite numbers beyond the range of a float64, infinite in ``values``.
    """

    values: Floats
    wrong: Bools
    beyond: Bools


def to_numbers(cells: Any, missing: Collection[str] = ()) -> Numbers:
    """Return cells as numbers, and say which of them are none.

    Text is a number if it is a decimal one (:data:`NUMBER`) or a word for
    infinity, with blanks around it or not: neither ``1_000`` nor ``0x1F``, nor
    digits other than 0 to 9. It is rounded as Python's ``float`` does. Of other
    objects, real numbers and truth values are taken as they are; ``None``,
    ``NaN`` and the like are missing.

    Parameters
    ----------
    cells
        Series, array or list of shape (n_cells,).
    missing
        Texts, without blanks around them, that stand for a missing value.

    Examples
    --------
    >>> found = to_numbers(["1.5", " -3e2 ", "NA", "high", "5e12345678901", None], {"NA"})
    >>> found.values.tolist()
    [1.5, -300.0, nan, nan, inf, nan]
    >>> found.wrong.tolist(), found.beyond.tolist()
    ([False, False, False, True, False, False], [False, False, False, False, True, False])
    """
    # pandas would look for a type of a list, and fail on whole numbers beyond its own.
    series = pd.Series(cells, dtype=object) if isinstance(cells, list) else pd.Series(cells)
    if series.dtype.kind in "fiub":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        return Numbers(values, np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_))
    objects: npt.NDArray[Any] = series.astype(object).to_numpy()
    is_text = np.fromiter((isinstance(cell, str) for cell in objects), np.bool_, len(objects))
    values = np.full(len(objects), np.nan)
    wrong, beyond = np.zeros((2, len(objects)), dtype=np.bool_)
    if is_text.any():
        texts = _Texts(_arrow(objects[is_text]), missing)
        values[is_text], wrong[is_text], beyond[is_text] = texts.values, texts.wrong, texts.beyond
    if not is_text.all():
        of = _from_objects(objects[~is_text])
        values[~is_text], wrong[~is_text], beyond[~is_text] = of.values, of.wrong, of.beyond
    return Numbers(values, wrong, beyond)


def to_typed(
    texts: Any, missing: Collection[str] = ("",), truths: dict[str, bool] | None = None
) -> npt.NDArray[Any]:
    """Return text as the type that fits all of it: whole numbers, numbers, truth values, or text.

    Whole numbers that a column cannot hold exactly (of more than 19 digits, or
    of more than 15 beside missing values) are identifiers, and numbers beyond
    the range of a float64 are none: the column stays text.

    Parameters
    ----------
    texts
        Arrow array, or Series, array or list of ``str``, of shape (n_cells,).
    missing
        Texts that stand for a missing value, which becomes ``NaN``.
    truths
        Texts that stand for truth values; ``True`` and ``False`` by default.

    Examples
    --------
    >>> to_typed(["1", "2"]), to_typed(["1", ""]), to_typed(["1", "5e12345678901"])
    (array([1, 2]), array([ 1., nan]), array(['1', '5e12345678901'], dtype=object))
    """
    array = texts if isinstance(texts, pa.Array) else _arrow(np.asarray(texts, dtype=object))
    cells = _Texts(array, missing)
    if not cells.wrong.any() and not cells.beyond.any():
        numbers = cells.values if cells.known.any() else np.full(len(array), np.nan)
        typed = _whole(cells) if _are_whole(cells) else numbers
        if typed is not None:
            return typed
    truths = {"True": True, "False": False} if truths is None else truths
    shown = cells.array.to_numpy(zero_copy_only=False)
    found: npt.NDArray[Any] = np.full(len(array), np.nan, dtype=object)
    found[cells.known] = shown[cells.known]
    if cells.known.any() and _is_in(cells.trimmed, truths)[cells.known].all():
        found[cells.known] = [truths[text.strip()] for text in shown[cells.known]]
        return found.astype(np.bool_) if cells.known.all() else found
    return found


def read_number_matrix(
    text: str, *, delimiter: str, n_fields: int, kept: range, missing: Collection[str]
) -> Floats | None:
    r"""Return delimited text as numbers, ``None`` if not all of it is such.

    Parameters
    ----------
    text
        Records without a header, none of them blank, their lines ended by ``\n``.
    delimiter
        What separates the fields.
    n_fields
        Fields of each record.
    kept
        Those to read, a range within ``range(n_fields)``.
    missing
        Fields that stand for a missing value.

    Returns
    -------
    array
        Of shape (n_records, n_kept), in the order of columns.

    Examples
    --------
    >>> text = "s1,1,2\ns2,3,\n"
    >>> read_number_matrix(text, delimiter=",", n_fields=3, kept=range(1, 3), missing={""})
    array([[ 1.,  2.],
           [ 3., nan]])
    """
    values: Floats | None = None
    n_missing, data = 0, text.encode()
    for start in range(kept.start, kept.stop, _MOST_COLUMNS):
        some = range(start, min(start + _MOST_COLUMNS, kept.stop))
        try:
            table = _read(data, delimiter, n_fields, some, pa.float64(), missing)
        except pa.ArrowInvalid:
            return None
        if values is None:
            values = np.empty((table.num_rows, len(kept)), dtype=np.float64, order="F")
        for at, column in enumerate(table.columns, start - kept.start):
            values[:, at] = column.to_numpy()
            n_missing += column.null_count
    if values is None:
        return None
    # What Arrow reads as NaN need not be among the words for a missing value.
    return values if np.count_nonzero(np.isnan(values)) == n_missing else None


def read_text_columns(text: str, *, delimiter: str, n_fields: int, kept: range) -> list[pa.Array]:
    """Return the fields of delimited text as they are, an Arrow array of text a column.

    The parameters are those of :func:`read_number_matrix`.

    Raises
    ------
    ValueError
        If a record has another number of fields.
    """
    table = _read(text.encode(), delimiter, n_fields, kept, _TEXT, ())
    return [column.combine_chunks() for column in table.columns]


class _Texts:
    """Text, which of it is known, and the numbers in it."""

    def __init__(self, array: pa.Array, missing: Collection[str]) -> None:
        self.array = array
        self.trimmed = pc.utf8_trim_whitespace(array)
        numbers = _all_numbers(array)
        if numbers is not None:
            self.values, self.known = numbers, np.ones(len(array), dtype=np.bool_)
            self.wrong = np.zeros(len(array), dtype=np.bool_)
        else:
            looks = pc.match_substring_regex(self.trimmed, rf"\A(?:{_DECIMAL}|{_INFINITE})\z")
            some = pc.if_else(looks, self.trimmed, pa.scalar(None, array.type))
            self.values = pc.cast(some, pa.float64()).to_numpy(zero_copy_only=False).copy()
            self.known = ~_is_in(self.trimmed, missing)
            self.wrong = ~looks.to_numpy(zero_copy_only=False) & self.known
            self.values[~self.known] = np.nan
        self.beyond = np.isinf(self.values)
        if self.beyond.any():
            self.beyond &= _matches(self.trimmed, "[0-9]")


def _arrow(texts: npt.NDArray[Any]) -> pa.Array:
    try:
        return pa.array(texts, type=_TEXT)
    except UnicodeEncodeError:  # half a surrogate pair is in no number and no word for missing
        return pa.array([text.encode("utf-8", "replace").decode() for text in texts], type=_TEXT)


def _all_numbers(array: pa.Array) -> Floats | None:
    """Return texts as numbers if all of them are."""
    try:
        values: Floats = pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False).copy()
    except pa.ArrowInvalid:
        return None
    return None if np.isnan(values).any() else values


def _matches(array: pa.Array, pattern: str) -> Bools:
    found: Bools = pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False)
    return found


def _is_in(array: pa.Array, words: Collection[str]) -> Bools:
    wanted = pa.array(list(words), type=array.type)
    found: Bools = pc.is_in(array, value_set=wanted).to_numpy(zero_copy_only=False)
    return found


def _are_whole(cells: _Texts) -> bool:
    known = cells.values[cells.known]
    # Decimals are told apart by their values, quicker than by their texts.
    if not len(known) or not np.isfinite(known).all() or (known % 1 != 0).any():
        return False
    return bool(_matches(cells.trimmed, _WHOLE)[cells.known].all())


def _whole(cells: _Texts) -> npt.NDArray[Any] | None:
    """Return whole numbers: integers, or floats beside missing values; ``None`` if inexact."""
    all_known = bool(cells.known.all())
    if np.abs(cells.values[cells.known]).max() < _EXACT:
        return cells.values.astype(np.int64) if all_known else cells.values
    shown = cells.trimmed.to_numpy(zero_copy_only=False)[cells.known]
    if max(map(len, shown)) > _MOST_DIGITS:
        return None
    whole = [int(text) for text in shown]
    if not all_known:
        exact = all(int(x) == n for x, n in zip(cells.values[cells.known], whole, strict=True))
        return cells.values if exact else None
    try:
        return np.array(whole, dtype=np.int64 if min(whole) < 0 else np.uint64).astype(
            np.int64 if max(whole) < 2**63 else np.uint64
        )
    except OverflowError:
        return None


def _from_objects(objects: npt.NDArray[Any]) -> Numbers:
    """Return objects other than text as numbers."""
    n = len(objects)
    nothing = np.zeros(n, dtype=np.bool_)
    if {type(each) for each in objects} <= {float, int, np.float64, np.float32, type(None)}:
        try:
            return Numbers(objects.astype(np.float64), nothing, nothing.copy())
        except OverflowError:
            pass  # One by one, to know which.
    values = np.full(n, np.nan)
    wrong, beyond = nothing, nothing.copy()
    missing = np.asarray(pd.isna(objects), dtype=np.bool_)
    for at in np.flatnonzero(~missing).tolist():
        cell = objects[at]
        if not isinstance(cell, Real | Decimal | np.bool_):
            wrong[at] = True
            continue
        try:
            values[at] = float(cell)
        except OverflowError:
            values[at], beyond[at] = _infinite(cell), True
        beyond[at] |= bool(np.isinf(values[at])) and isinstance(cell, Decimal) and cell.is_finite()
    return Numbers(values, wrong, beyond)


def _infinite(cell: Any) -> float:
    return float("inf") if cell > 0 else float("-inf")


def _read(
    data: bytes,
    delimiter: str,
    n_fields: int,
    kept: range,
    kind: pa.DataType,
    missing: Collection[str],
) -> pa.Table:
    names = [str(at) for at in range(n_fields)]
    return arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(
            column_names=names,
            use_threads=False,
            # A wide table in small blocks is millions of pieces.
            block_size=max(1, min(len(data), max(_LARGEST_BLOCK, 2 * _longest_line(data)))),
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=b'"' in data, ignore_empty_lines=False
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names[kept.start : kept.stop], kind),
            include_columns=names[kept.start : kept.stop],
            null_values=list(missing),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )


def _longest_line(data: bytes) -> int:
    return max(map(len, data.split(b"\n"))) if len(data) > _LARGEST_BLOCK else len(data)
