"""Text becomes numbers in one place, exactly, and whatever it is the process goes on."""

from __future__ import annotations

import ast
import math
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.files.text_numbers import NUMBER, read_number_matrix, to_numbers, to_typed

SOURCE = Path(poems.__file__).parent
# Each of these ended the process in pandas' quick parsers, or was read otherwise than written.
HOSTILE = [
    "5e12345678901",
    "-5E+2147483648",
    "0e12345678901",
    "1e-99999999999999999999",
    "1" + "0" * 400,
    "0" * 5000 + "1",
    "0." + "0" * 400 + "1",
    "1e400",
    "0.30000000000000004",
    "9007199254740993",
    "4.9e-324",
    "1.7976931348623159e308",
]
REFUSED = [
    "1_000", "0x1F", "1d5", "1,5", "1 2", "٣", "１２", "−1", "1\0", "\x001", "nan(1)", "-nan",
    "inf(1)", "infinit", ".", "+", "e5", "1e", "1e+", "+-1", "1e5.0", "\ud800", "True", "NAN",
]  # fmt: skip

NUMBERS = st.from_regex(NUMBER, fullmatch=True) | st.floats(allow_nan=False).map(repr)


@given(st.lists(NUMBERS | st.sampled_from(HOSTILE), min_size=1, max_size=6))
def test_a_number_is_rounded_as_python_does(texts: list[str]) -> None:
    found = to_numbers([f" {text} " for text in texts])
    assert list(map(bits, found.values)) == [bits(float(text)) for text in texts]
    assert not found.wrong.any()
    told = [math.isinf(float(text)) and "inf" not in text for text in texts]
    assert found.beyond.tolist() == told


def bits(value: float) -> bytes:
    """The bytes of a number: -0.0 is not 0.0."""
    return struct.pack("d", value)


@given(
    st.lists(
        st.text(max_size=6)
        | st.text("0123456789.eE+-_xinfaNI ,\0", max_size=12)
        | st.sampled_from([*REFUSED, *HOSTILE]),
        max_size=6,
    )
)
def test_other_text_is_no_number(texts: list[str]) -> None:
    found = to_numbers(texts, missing={"", "NA"})
    for text, value, wrong in zip(texts, found.values, found.wrong, strict=True):
        bare = text.strip()
        known = bare.lower().lstrip("+-") in ("inf", "infinity") and len(bare) - 1 <= len(
            bare.lstrip("+-")
        )
        if NUMBER.fullmatch(bare) or known:
            assert bits(value) == bits(float(bare))
            assert not wrong
        else:
            assert np.isnan(value)
            assert wrong == (bare not in ("", "NA"))


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_like_a_number_is_refused(text: str) -> None:
    assert to_numbers([text, "1"]).wrong.tolist() == [True, False]
    assert to_typed([text, "1"], truths={}).dtype == object


def test_objects_are_taken_as_they_are() -> None:
    cells = [1, 2.5, np.float32(0.5), Decimal("0.1"), True, None, pd.NA, 10**400, -(10**400), 1j]
    found = to_numbers(pd.Series(cells, dtype=object))
    expected = [1, 2.5, 0.5, 0.1, 1, np.nan, np.nan, np.inf, -np.inf, np.nan]
    np.testing.assert_array_equal(found.values, expected)
    assert found.wrong.tolist() == [False] * 9 + [True]
    assert found.beyond.tolist() == [False] * 7 + [True, True, False]
    np.testing.assert_array_equal(to_numbers([1.5, None, 10**400]).values, [1.5, np.nan, np.inf])


def test_numbers_are_a_copy() -> None:
    column = pd.Series([1.0, 2.0])
    to_numbers(column).values[:] = 0
    assert column.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-2"], np.array([1, -2])),
        (["1", ""], np.array([1.0, np.nan])),
        (["1.0", "2"], np.array([1.0, 2.0])),
        (["9007199254740993", "1"], np.array([9007199254740993, 1])),
        (["18446744073709551615"], np.array([18446744073709551615], dtype=np.uint64)),
        (["inf", "-inf"], np.array([np.inf, -np.inf])),
        (["True", "False"], np.array([True, False])),
        (["True", ""], np.array([True, np.nan], dtype=object)),
        (["", ""], np.array([np.nan, np.nan])),
    ],
)
def test_a_column_has_the_type_that_fits_all_of_it(texts: list[str], expected: np.ndarray) -> None:
    pd.testing.assert_series_equal(pd.Series(to_typed(texts)), pd.Series(expected))
    assert to_typed(texts).dtype == expected.dtype


@pytest.mark.parametrize(
    "texts",
    [
        ["5e12345678901", "77e013"],
        ["1e400", "1"],
        ["18446744073709551616", "1"],
        ["-1", "18446744073709551615"],
        ["9007199254740993", ""],
        ["1" * 5000, "1"],
        ["0" * 500 + "9007199254740993", "1"],
    ],
)
def test_a_column_that_numbers_cannot_hold_stays_text(texts: list[str]) -> None:
    assert to_typed(texts)[: len(texts)].tolist()[0] == texts[0]


@given(
    st.lists(
        st.lists(NUMBERS | st.sampled_from(["", "NA"]), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    )
)
def test_a_matrix_is_read_like_its_cells(rows: list[list[str]]) -> None:
    text = "\n".join("s5e12345678901," + ",".join(row) for row in rows)
    found = read_number_matrix(
        text, delimiter=",", n_fields=3, kept=range(1, 3), missing=("", "NA")
    )
    assert found is not None
    cells = to_numbers([cell for row in rows for cell in row], missing=("", "NA"))
    np.testing.assert_array_equal(found.ravel(), cells.values)


def test_a_wide_matrix_is_read_part_by_part_in_order() -> None:
    width = 20_011
    text = "\n".join(
        f"s{row}," + ",".join(str(row * width + at) for at in range(width)) for row in (0, 1)
    )
    found = read_number_matrix(
        text, delimiter=",", n_fields=width + 1, kept=range(1, width + 1), missing=("",)
    )
    np.testing.assert_array_equal(found, np.arange(2.0 * width).reshape(2, width))
    broken = text + "x"
    assert (
        read_number_matrix(
            broken, delimiter=",", n_fields=width + 1, kept=range(1, width + 1), missing=("",)
        )
        is None
    )


@pytest.mark.parametrize("text", [text for text in REFUSED if text not in ("1,5", "\ud800")])
def test_a_matrix_with_other_text_is_none(text: str) -> None:
    found = read_number_matrix(
        f"s1,{text}\ns2,1", delimiter=",", n_fields=2, kept=range(1, 2), missing=("",)
    )
    assert found is None


# Parsers that end the process at a large exponent, or take more for a number than the one above.
FORBIDDEN = {
    "to_numeric", "read_csv", "read_table", "read_fwf", "read_clipboard", "read_html", "read_excel",
    "genfromtxt", "loadtxt", "fromstring", "fromtxt",
}  # fmt: skip


def other_parsers(tree: ast.AST) -> Iterator[str]:
    """Yield the calls in a module, or imports, that parse numbers by another way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("pandas", "numpy", "pyarrow.csv"):
            yield from (alias.name for alias in node.names if alias.name in FORBIDDEN)
        if not isinstance(node, ast.Attribute) or node.attr not in FORBIDDEN:
            continue
        if isinstance(node.value, ast.Name) and node.value.id not in plain_text_calls(tree, node):
            yield ast.unparse(node)


def plain_text_calls(tree: ast.AST, function: ast.Attribute) -> set[str]:
    """The module whose function is called with `dtype=str`, if that is all that it is told."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.func is function:
            types = [ast.unparse(word.value) for word in node.keywords if word.arg == "dtype"]
            if types == ["str"]:
                return {"pd", "pandas"}
    return set()


@pytest.mark.parametrize(
    "path",
    sorted(path for path in SOURCE.rglob("*.py") if path.name != "text_numbers.py"),
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_no_other_module_parses_numbers(path: Path) -> None:
    found = list(other_parsers(ast.parse(path.read_text("utf-8"))))
    assert not found, f"use poems.files.text_numbers instead of {found}, or read text (dtype=str)"


@pytest.mark.parametrize(
    "source",
    [
        "pd.to_numeric(x)",
        "found = pd.read_csv(path)",
        "pd.read_csv(path, float_precision='round_trip')",
        "pd.read_csv(path, dtype=float)",
        "x.map(pd.to_numeric)",
        "from pandas import read_csv",
        "np.loadtxt(path)",
        "arrow_csv.read_csv(path)",
    ],
)
def test_another_parser_is_found(source: str) -> None:
    assert len(list(other_parsers(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    ["pd.read_csv(path, dtype=str, header=None)", "from poems.files.csv_tables import read_csv"],
)
def test_text_is_read_as_such(source: str) -> None:
    assert list(other_parsers(ast.parse(source))) == []
