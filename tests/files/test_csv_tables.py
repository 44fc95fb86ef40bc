from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poems.errors import StorageError
from poems.files.csv_tables import read_typed_csv, write_csv

# What CSV cannot tell from a missing cell, or from another line's end, is not a name of a feature.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(NAMES, st.floats(allow_infinity=False), st.integers(-9, 9), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_tables_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    table = pd.DataFrame(rows, columns=["feature", "score", "count", "chosen"])
    write_csv(path, table, index=False)
    found = read_typed_csv(path, names={"feature"})
    pd.testing.assert_frame_equal(found, table, check_exact=True)


def test_names_stay_text_and_empty_cells_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("feature,q,other\nNA,,x\n007,0.5,\n1e5,1,3\n")
    table = read_typed_csv(path, names={"feature"})
    assert table["feature"].tolist() == ["NA", "007", "1e5"]
    assert table["q"].isna().tolist() == [True, False, False]
    assert table["q"].dtype == float
    assert table["other"].fillna("missing").tolist() == ["x", "missing", "3"]


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"feature": [], "q": []}), index=False)
    table = read_typed_csv(tmp_path / "t.csv", names={"feature"})
    assert table.columns.tolist() == ["feature", "q"]
    assert table.empty


@pytest.mark.parametrize("content", [None, b"", b'a,"b\nc,d,e\n'])
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=r"cannot read .*t\.csv"):
        read_typed_csv(path, names=())


@pytest.mark.parametrize("place", ["cell", "column", "index"])
def test_a_carriage_return_alone_ends_no_line(tmp_path: Path, place: str) -> None:
    odd = "a\rb"
    table = pd.DataFrame({"x": ["c", odd if place == "cell" else "d"], "y": [1, 2]}, ["s1", "s2"])
    table = table.rename(columns={"x": odd if place == "column" else "x"})
    table = table.rename(index={"s2": odd if place == "index" else "s2"})
    path = tmp_path / "a.csv"
    write_csv(path, table)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert any(odd in row for row in rows)
