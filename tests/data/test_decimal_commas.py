"""Decimal commas: read where they can be nothing else, named where they can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems.data.decimal_commas import with_decimal_points
from poems.data.numeric import CellNames
from poems.errors import DataError

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(6, 3, size=(12, 4)).round(4),
    index=[f"s{n}" for n in range(12)],
    columns=["g1", "g2", "g3", "g4"],
)


def written(text: str, folder: Path, name: str = "rna.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def european(table: pd.DataFrame) -> pd.DataFrame:
    swap = str.maketrans(",.", ".,")
    return table.map(lambda x: f"{x:,.2f}".translate(swap))


@pytest.mark.parametrize("name", ["rna.csv", "rna.tsv", "rna.txt"])
def test_a_european_table_is_read_and_said_to_be_one(name: str, tmp_path: Path) -> None:
    path = written(TABLE.to_csv(sep=";", decimal=","), tmp_path, name)
    cohort = poems.read({"rna": path})
    np.testing.assert_array_equal(cohort["rna"].values, TABLE.to_numpy(np.float32))
    assert {"semicolons", "decimal-commas"} <= {each.code for each in cohort.findings}


def test_a_single_feature_with_decimal_commas_is_split_at_semicolons(tmp_path: Path) -> None:
    path = written("sample;g1\ns1;1,5\ns2;2,25\n", tmp_path)
    assert poems.read({"rna": path})["rna"].values.ravel().tolist() == [1.5, 2.25]


def test_european_thousands_are_read_where_decimals_stand_behind_them(tmp_path: Path) -> None:
    table = (TABLE * 1000).round(2)
    path = written(european(table).to_csv(sep=";"), tmp_path)
    cohort = poems.read({"rna": path})
    np.testing.assert_allclose(cohort["rna"].values, table, rtol=1e-6)
    (said,) = [each.message for each in cohort.findings if each.code == "decimal-commas"]
    assert "thousands" in said


def test_quoted_decimal_commas_are_read_in_a_table_with_features_in_rows(tmp_path: Path) -> None:
    quoted = TABLE.T.map(lambda x: f"{x:.4f}".replace(".", ","))
    path = written(quoted.to_csv(), tmp_path)
    cohort = poems.read({"rna": path}, features_in_rows=True)
    np.testing.assert_allclose(cohort["rna"].values, TABLE, rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1,625.60", "2,100.00"], r"'1,625.60' \(sample 's0', .*commas stand between thousands"),
        (["1,234,567", "12"], "commas stand between thousands"),
        (
            ["1,625", "2,100"],
            r"may be a decimal one \(1\.625\) or .* thousands \(1625\)",
        ),
        (["1,62", "2.5"], r"two ways: with a comma in .*'1,62'.*with a point in .*'2.5'"),
        (["0,5", "1,625.60"], "decimals are written in two ways"),
    ],
)
def test_commas_that_may_be_others_are_refused(cells: list[str], message: str) -> None:
    frame = pd.DataFrame({"g1": cells}, index=["s0", "s1"])
    with pytest.raises(DataError, match=message):
        poems.read({"rna": frame})


def test_commas_beside_columns_of_fractions_are_refused() -> None:
    frame = pd.DataFrame({"g1": ["1,62", "2,5"], "g2": [0.5, 1.25]}, index=["s0", "s1"])
    with pytest.raises(DataError, match=r"with a point in .*0\.5"):
        poems.read({"rna": frame})


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 5)), min_size=2, max_size=12
    )
)
def test_a_number_with_a_decimal_comma_is_that_number(numbers: list[float]) -> None:
    cells = [f"{number:.5f}".replace(".", ",") for number in numbers]
    frame = pd.DataFrame({"g": cells}, index=[f"s{n}" for n in range(len(cells))])
    table, findings = with_decimal_points(frame, CellNames("t"))
    assert [float(cell) for cell in table["g"]] == [float(f"{number:.5f}") for number in numbers]
    assert [each.code for each in findings] == ["decimal-commas"]


def test_words_with_commas_are_no_numbers() -> None:
    frame = pd.DataFrame({"g": ["a,b", "1,2,3"]})
    table, findings = with_decimal_points(frame, CellNames("t"))
    assert table is frame
    assert findings == ()
