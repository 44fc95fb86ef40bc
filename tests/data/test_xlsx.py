"""Tables in Excel workbooks: read where one sheet is a table, refused by name where not."""

from __future__ import annotations

import datetime
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xlsxwriter
from command_line import poems_here
from helper_programs import CRASH
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

import poems
from poems import DataError, ReadError, SettingsError
from poems.cli.cohort_tables import tables_as_then, tables_of_run
from poems.data.stored import parsing
from poems.data.stored.helper import Helper
from poems.files.markers import read_marker
from poems.runs.inputs import read_inputs

Cells = Sequence[Sequence[Any]]
PLAIN: Cells = [["sample", "g1", "g2"], ["s1", 1, 2.5], ["s2", None, -3]]


def write(path: Path, sheets: Mapping[str, Cells] | Cells) -> Path:
    book = Workbook()
    book.remove(book.active)
    for name, rows in (sheets if isinstance(sheets, Mapping) else {"Data": sheets}).items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def read(path: Path, **options: Any) -> pd.DataFrame:
    return poems.read({"rna": path}, **options).frame("rna")


def codes(cohort: poems.MultiOmics) -> dict[str, str]:
    return {each.code: each.message for each in cohort.findings}


def test_a_sheet_is_read_as_the_same_table_in_text_is(tmp_path: Path) -> None:
    rows = [
        ["sample", "g1", "g2", "g3"],
        ["s1", 1, "#N/A", "NA"],
        ["s2", 0.1 + 0.2, -3, 1e-300],
        [3, 2**40, "-", 7],
    ]
    path = write(tmp_path / "a.xlsx", rows)
    text = "\n".join(",".join(repr(x) if isinstance(x, float) else str(x) for x in r) for r in rows)
    (tmp_path / "a.csv").write_text(text, "utf-8")
    pd.testing.assert_frame_equal(read(path), read(tmp_path / "a.csv"))
    said = codes(poems.read({"rna": path}))
    assert "sheet 'Data' was read" in said["workbook-sheet"]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.lists(
            st.none() | st.integers(-(10**9), 10**9) | st.floats(-1e30, 1e30),
            min_size=3,
            max_size=3,
        ),
        min_size=2,
        max_size=5,
    ),
    left=st.integers(0, 2),
    above=st.integers(0, 2),
)
def test_numbers_come_back_wherever_the_table_stands(
    tmp_path: Path, values: list[list[float | None]], left: int, above: int
) -> None:
    table = [["id", "g1", "g2", "g3"], *([f"s{i}", *row] for i, row in enumerate(values))]
    path = write(
        tmp_path / "a.xlsx",
        [*[[None]] * above, *([*[None] * left, *row] for row in table)],
    )
    found = poems.data.tables.load_table(path)
    wanted = np.array([[np.nan if x is None else x for x in row] for row in values], dtype=float)
    # Those who write workbooks keep 16 digits.
    np.testing.assert_allclose(found.values, wanted, rtol=1e-15)
    assert list(found.features) == ["g1", "g2", "g3"]


def test_several_sheets_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    other = [["sample", "g1", "g2"], ["s1", 5, 6], ["s2", 7, 8]]
    path = write(tmp_path / "a.xlsx", {"Raw data": PLAIN, "log2": other, "Sheet3": []})
    with pytest.raises(ReadError, match=r"2 sheets: 'Raw data', 'log2'; choose one .*--layer"):
        read(path)
    assert read(path, layer="log2").loc["s2"].tolist() == [7, 8]
    assert read(path, layer={"rna": "Raw data"}).loc["s1"].tolist() == [1, 2.5]
    with pytest.raises(ReadError, match=r"has no sheet 'log3'; there are 'Raw data', 'log2'"):
        read(path, layer="log3")
    empty = write(tmp_path / "b.xlsx", {"One": [], "Two": [[None]]})
    with pytest.raises(ReadError, match="none of its sheets has a filled cell"):
        read(empty)


def test_the_table_of_samples_may_be_a_sheet(tmp_path: Path) -> None:
    clinical = [["patient", "age", "when"], ["s1", "[Not Available]", datetime.date(2020, 3, 1)]]
    clinical += [["s2", 61, None]]
    views = {"rna": write(tmp_path / "a.xlsx", PLAIN)}
    one = poems.read(views, obs=write(tmp_path / "o.xlsx", clinical))
    assert one.obs["age"].tolist()[1] == 61
    assert one.obs["when"].tolist()[0] == "2020-03-01"
    path = write(tmp_path / "p.xlsx", {"clinical": clinical, "notes": [["who", "knows"]]})
    with pytest.raises(ReadError, match=r"2 sheets.*--layer obs='clinical'"):
        poems.read(views, obs=path)
    again = poems.read(views, obs=path, layer={"obs": "clinical"})
    pd.testing.assert_frame_equal(one.obs, again.obs)
    one.obs.to_csv(tmp_path / "o.csv")
    for other in (tmp_path / "o.csv", one.obs):
        with pytest.raises(SettingsError, match=r"sheet 'x' of the obs table, which is no work"):
            poems.read(views, obs=other, layer={"obs": "x"})


def test_names_that_excel_made_dates_of_are_named(tmp_path: Path) -> None:
    genes = ["sample", datetime.datetime(2024, 3, 1), datetime.datetime(2024, 9, 2), "TP53"]
    path = write(tmp_path / "a.xlsx", [genes, ["s1", 1, 2, 3], ["s2", 4, 5, 7]])
    said = codes(poems.read({"rna": path}))["names-are-dates"]
    assert "MARCH1" in said
    assert "SEPT2" in said


def test_a_date_among_numbers_is_refused_with_its_cause(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["id", "g1"], ["s1", datetime.date(2024, 1, 3)], ["s2", 1]])
    with pytest.raises(
        DataError, match=r"'2024-01-03' \(sample 's1', feature 'g1'\)\. Spreadsheets make"
    ):
        read(path)


def test_numbers_stored_as_text_are_read_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["id", "g1", "g2"], ["s1", "1.5", 2], ["s2", 1, " 7 "]])
    cohort = poems.read({"rna": path})
    assert cohort.frame("rna").to_numpy().tolist() == [[1.5, 2], [1, 7]]
    assert (
        "2 cells hold numbers stored as text, the first B2 ('1.5')"
        in codes(cohort)["numbers-as-text"]
    )


def test_names_are_no_numbers_stored_as_text_wherever_the_table_stands(tmp_path: Path) -> None:
    table = [["id", "7157", "672"], ["1", 1, 2], ["2", 3, " 4"]]
    path = write(tmp_path / "a.xlsx", [[None], [None], *([None, *row] for row in table)])
    said = codes(poems.read({"rna": path}))["numbers-as-text"]
    assert "1 cell holds a number stored as text, the first D5 (' 4')" in said
    path = write(tmp_path / "b.xlsx", [[None], *([None, *row] for row in table[:2])])
    assert "numbers-as-text" not in codes(poems.read({"rna": path}))


def test_zeros_before_a_name_are_those_that_are_shown(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet()
    zeros = book.add_format({"num_format": "000"})
    for at, row in enumerate([["id", "g1"], [7, 1.5], [12, 2.5]]):
        sheet.write_row(at, 0, row)
        sheet.write(at, 0, row[0], zeros)
    book.close()
    assert read(tmp_path / "a.xlsx").index.tolist() == ["007", "012"]


def changed(sound: Path, path: Path, change: Callable[[str, bytes], str | bytes]) -> Path:
    """Write a workbook again, each part changed as its name and content say."""
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
        for each in old.infolist():
            new.writestr(each, change(each.filename, old.read(each)))
    return path


def formulas(path: Path, formula: str, value: Any) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    for at, row in enumerate([["id", "g1", "g2"], ["s1", 1, 2], ["s2", 3, 4]]):
        sheet.write_row(at, 0, row)
    sheet.write_formula(2, 2, formula, None, value)
    book.close()
    return path


def test_of_formulas_the_value_computed_last_is_read_and_said(tmp_path: Path) -> None:
    cohort = poems.read({"rna": formulas(tmp_path / "a.xlsx", "=B3*10", 30)})
    assert cohort.frame("rna").loc["s2", "g2"] == 30
    assert "1 cell is a formula" in codes(cohort)["formulas"]
    cohort = poems.read({"rna": formulas(tmp_path / "b.xlsx", "='[other.xlsx]S'!A1", 5)})
    assert cohort.frame("rna").loc["s2", "g2"] == 5
    assert "1 from other workbooks, which were not opened" in codes(cohort)["formulas"]
    nothing = changed(
        formulas(tmp_path / "c.xlsx", '=IF(B3>0,"",1)', ""),
        tmp_path / "d.xlsx",
        lambda part, content: content.replace(b'r="C3">', b'r="C3" t="str">'),
    )
    cohort = poems.read({"rna": nothing})
    assert np.isnan(cohort.frame("rna").loc["s2", "g2"])


def test_formulas_that_nobody_computed_are_refused_and_no_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["id", "g1", "g2"], ["s1", 1, "=B2*2"], ["s2", 1, 2]])
    with pytest.raises(ReadError, match=r"1 formula was never computed.*, the first C2 \(=B2\*2\)"):
        read(path)


def test_a_title_above_the_table_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["Supplementary Table 1. Genes"], [None], *PLAIN])
    with pytest.raises(ReadError, match=r"line 1 \('Supplementary Table 1.*stands above the table"):
        read(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"sample,g1\ns1,1\n", "is no Excel workbook, whatever its name says"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "protected with a password"),
        (b"PK\x03\x04" + b"\0" * 100, "it was cut"),
    ],
)
def test_what_is_no_workbook_says_what_it_is(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=text) as caught:
        read(path)
    assert "a.xlsx" in str(caught.value)


def test_a_zip_archive_or_one_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "no workbook")
    with pytest.raises(ReadError, match="zip archive but no Excel workbook"):
        read(path)
    write(path, PLAIN)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/media/bomb.xml", bytes(300_000_000))
    with pytest.raises(ReadError, match=r"unpacks to 300 MB, \d+ times its size"):
        read(path)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 50}">' for a, b in zip("abcdefg", "bcdefgh", strict=True))
    + "]><worksheet><sheetData><row><c><v>&h;</v></c></row></sheetData></worksheet>"
)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/worksheets/sheet1.xml", LAUGHS),
        ("xl/worksheets/sheet1.xml", "<worksheet><sheetData><row>"),
        ("xl/workbook.xml", "nothing"),
        ("xl/styles.xml", "<a/>"),
        ("[Content_Types].xml", ""),
    ],
)
def test_damaged_parts_are_one_sentence(tmp_path: Path, part: str, content: str) -> None:
    sound = write(tmp_path / "sound.xlsx", PLAIN)
    path = changed(sound, tmp_path / "a.xlsx", lambda name, old: content if name == part else old)
    if part == "xl/styles.xml":  # which holds no values
        content_of = read(path)
        pd.testing.assert_frame_equal(content_of, read(sound))
        return
    with pytest.raises(DataError) as caught:
        read(path)
    assert "a.xlsx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_size_that_a_sheet_claims_is_not_believed(tmp_path: Path) -> None:
    sound = write(tmp_path / "sound.xlsx", PLAIN)
    path = changed(
        sound,
        tmp_path / "a.xlsx",
        lambda part, content: content.replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"'),
    )
    pd.testing.assert_frame_equal(read(path), read(sound))


def test_a_crash_of_the_library_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = Helper(CRASH, payload=True)
    monkeypatch.setitem(parsing.HELPERS, "workbook", helper)
    with pytest.raises(ReadError, match=r"a\.xlsx is damaged in a way that crashes the Excel"):
        read(write(tmp_path / "a.xlsx", PLAIN))
    helper.end()


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.xlsx", PLAIN)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ReadError, match=r"pip install 'poems-omics\[excel\]'"):
        read(path)
    assert "openpyxl" in sys.modules  # of this test; POEMS imports it in the other process only


def test_a_run_of_workbooks_is_read_again_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(16)]
    rna = [["id", *(f"g{j}" for j in range(5))], *([s, *rng.normal(size=5)] for s in names)]
    clinical = [["id", "grade"], *([s, "ab"[i % 2]] for i, s in enumerate(names))]
    path = write(tmp_path / "a.xlsx", {"rna": rna, "clinical": clinical})
    layers = ["--layer", "rna=rna", "--layer", "obs=clinical"]
    fit = ["fit", f"rna={path}", "--obs", path, *layers, "--epochs", 2, "--n-latent", 2]
    assert (
        poems_here(*fit, "--no-analysis", "--n-subtypes", 2, "-q", "--out", tmp_path / "run") == 0
    )
    run = tmp_path / "run"
    inputs = read_inputs(read_marker(run, "run"), run)
    assert inputs is not None
    assert tables_as_then(inputs, run).read().obs["grade"].tolist() == ["a", "b"] * 8
    others = tables_of_run(run)
    assert others is not None
    assert not len(others.read().obs.columns)


def edited(path: Path, old: bytes, new: bytes) -> Path:
    """Change the XML of the first sheet."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert old in parts[sheet]
    parts[sheet] = parts[sheet].replace(old, new, 1)
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'<row r="3"', b'<row r="99999999999"', "row 99999999999 .* beyond 1048576 rows"),
        (b'<row r="3"', b'<row r="2"', "row 2 .* numbered twice"),
        (b'r="C2"', b'r="B2"', "row 2 .* numbered twice"),
        (b'r="C2"', b'r="A2"', "backwards"),
    ],
)
def test_rows_and_cells_out_of_their_order_are_refused(
    tmp_path: Path, old: bytes, new: bytes, text: str
) -> None:
    path = edited(write(tmp_path / "a.xlsx", PLAIN), old, new)
    with pytest.raises(ReadError, match=text):
        read(path)
