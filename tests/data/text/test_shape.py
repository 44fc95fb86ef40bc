"""Delimiters at the ends of lines move no value under another name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems import ReadError
from poems.data.tables import load_obs, load_table

TABLE = pd.DataFrame(
    [[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [5.0, 6.0, 7.5]],
    index=["s1", "s2", "s3"],
    columns=["g1", "g2", "g3"],
)
ENDINGS = {",": ".csv", "\t": ".tsv", ";": ".csv"}


def write(
    folder: Path,
    table: pd.DataFrame,
    *,
    corner: str | None = "sample",
    delimiter: str = ",",
    in_rows: int = 0,
    in_header: int = 0,
    quoted: bool = False,
) -> Path:
    """Write a table with delimiters at the ends of its lines; without a corner as R does."""

    def line(fields: list[str], more: int) -> str:
        shown = [f'"{field}"' for field in fields] if quoted else fields
        return delimiter.join(shown) + delimiter * more

    header = [*([] if corner is None else [corner]), *map(str, table.columns)]
    rows = [
        [str(name), *("" if pd.isna(value) else f"{value}" for value in row)]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    path = folder / f"rna{ENDINGS[delimiter]}"
    path.write_text("\n".join([line(header, in_header), *(line(row, in_rows) for row in rows)]))
    return path


@pytest.mark.parametrize("delimiter", ENDINGS)
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(("in_rows", "in_header"), [(1, 0), (0, 1), (1, 1), (3, 0), (3, 3), (2, 1)])
@pytest.mark.parametrize("corner", ["", "sample", "Patient ID", "Tumor_Sample_Barcode", "GeneID"])
def test_values_stay_under_their_names(
    tmp_path: Path, delimiter: str, quoted: bool, in_rows: int, in_header: int, corner: str
) -> None:
    path = write(
        tmp_path, TABLE, corner=corner, delimiter=delimiter, quoted=quoted,
        in_rows=in_rows, in_header=in_header,
    )  # fmt: skip
    for found, findings in (load_obs(path), as_frame(path)):
        pd.testing.assert_frame_equal(found, TABLE, check_names=False)
        codes = [finding.code for finding in findings if finding.code != "semicolons"]
        assert codes == ["trailing-delimiter"]


def as_frame(path: Path) -> tuple[pd.DataFrame, tuple[poems.findings.Finding, ...]]:
    """A view as a frame, and what was said of it."""
    table = load_table(path)
    return pd.DataFrame(table.values, index=table.samples, columns=table.features), table.findings


@given(
    data=st.lists(
        st.lists(st.none() | st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=4
    ),
    delimiter=st.sampled_from(sorted(ENDINGS)),
    quoted=st.booleans(),
    in_rows=st.integers(0, 3),
    in_header=st.integers(0, 3),
    corner=st.sampled_from(["", "sample", "id", "g0", None]),
)
def test_a_file_is_read_as_written_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    data: list[list[int | None]],
    delimiter: str,
    quoted: bool,
    in_rows: int,
    in_header: int,
    corner: str | None,
) -> None:
    index = [f"s{at}" for at in range(len(data))]
    table = pd.DataFrame(data, index=index, columns=["g1", "g2", "g3"], dtype=float)
    path = write(
        tmp_path_factory.mktemp("t"), table, corner=corner, delimiter=delimiter, quoted=quoted,
        in_rows=in_rows, in_header=in_header,
    )  # fmt: skip
    try:
        found, _ = load_obs(path)
    except poems.DataError:
        assert corner in ("g0", None)
        return
    if corner is None and in_header == in_rows + 1 and table["g3"].isna().all():
        return  # As wide as its header, it cannot be told from a table whose names g1 heads.
    pd.testing.assert_frame_equal(found, table, check_names=False, check_dtype=False)


def test_a_last_column_that_is_named_is_kept_without_values(tmp_path: Path) -> None:
    table = TABLE.assign(g3=np.nan)
    found, findings = load_obs(write(tmp_path, table))
    pd.testing.assert_frame_equal(found, table, check_names=False)
    assert findings == ()


def test_r_leaves_no_corner_and_no_delimiter(tmp_path: Path) -> None:
    found, findings = load_obs(write(tmp_path, TABLE, corner=None))
    pd.testing.assert_frame_equal(found, TABLE)
    assert [finding.code for finding in findings] == ["no-corner"]


@pytest.mark.parametrize("quoted", [False, True])
def test_two_readings_are_both_shown(tmp_path: Path, quoted: bool) -> None:
    path = write(tmp_path, TABLE[["g1", "g2"]], corner="TP53", in_rows=1, quoted=quoted)
    for read in (load_obs, load_table):
        with pytest.raises(ReadError, match="can be read in two ways") as caught:
            read(path)
        text = str(caught.value)
        assert "rna.csv: every row has more fields" in text
        assert "'TP53' stands above the names of the rows, and row 's1' has 'g1' = 1.0" in text
        assert "row 's1' has 'TP53' = 1.0, 'g1' = 2.0, 'g2' = (empty)" in text
        assert "'g2' is empty in every row" in text
        assert "delete the commas at the ends of the rows; in the second put a comma" in text


@pytest.mark.parametrize("remedy", ["first", "second"])
def test_the_remedies_lead_to_the_readings_shown(tmp_path: Path, remedy: str) -> None:
    path = write(tmp_path, TABLE[["g1", "g2"]], corner="TP53", in_rows=1)
    lines = path.read_text().split("\n")
    if remedy == "first":
        path.write_text("\n".join([lines[0], *(line[:-1] for line in lines[1:])]))
    else:
        path.write_text("\n".join(["," + lines[0], *lines[1:]]))
    found, findings = load_obs(path)
    assert list(found.columns) == (["g1", "g2"] if remedy == "first" else ["TP53", "g1", "g2"])
    assert found.iloc[0, 0] == 1
    assert findings == ()


def test_a_delimiter_too_many_in_one_row_is_no_trailing_one(tmp_path: Path) -> None:
    path = tmp_path / "obs.csv"
    path.write_text("id,name,age,grade\ns1,Doe,40,2\ns2,Smith, John,50,\n")
    with pytest.raises(ReadError, match=r"line 3 \(row 's2'\) has 5 fields, expected 4") as caught:
        load_obs(path)
    assert "It ends with a comma: if nothing is missing there, delete it" in str(caught.value)
