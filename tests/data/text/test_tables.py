import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems import DataError, ReadError
from poems.data.text.tables import read_text_table
from poems.files.text_numbers import NUMBER

PLAIN = "sample,g1,g2\ns1,1,2.5\ns2,-3e2,\n"
EXPECTED = pd.DataFrame(
    [[1.0, 2.5], [-300.0, np.nan]], index=["s1", "s2"], columns=["g1", "g2"]
).astype(np.float32)


def write(folder, text, name="rna.csv"):
    path = folder / name
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def read(path, **options):
    return poems.read({"rna": path}, **options)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rna.csv", PLAIN),
        ("rna.csv.gz", PLAIN),
        ("rna.CSV", PLAIN),
        ("rna.tsv", PLAIN.replace(",", "\t")),
        ("rna.txt.gz", PLAIN.replace(",", "\t")),
        ("rna.csv", PLAIN.replace("\n", "\r\n")),
        ("rna.csv", PLAIN.replace("\n", "\r")),
        ("rna.csv", "\ufeff" + PLAIN),
        ("rna.csv", PLAIN.rstrip("\n") + "\n\n\n"),
        ("rna.csv", "\n" + PLAIN.replace("s2", "\ns2")),
        ("rna.csv", '"","g1","g2"\n"s1",1,2.5\n"s2",-3e2,NA\n'),
        ("rna.tsv", "g1\tg2\ns1\t1\t2.5\ns2\t-300\tNaN\n"),  # R's write.table
        ("rna.csv", "sample,g1,g2\ns1, 1 , 2.5\ns2,-300, NA \n"),
    ],
)
def test_same_table_however_written(tmp_path, name, text):
    pd.testing.assert_frame_equal(read(write(tmp_path, text, name)).frame("rna"), EXPECTED)


@pytest.mark.parametrize("token", ["", "NA", "NaN", "nan", "N/A", "null", "None", "-"])
def test_missing_tokens(tmp_path, token):
    values = read(write(tmp_path, f"sample,g1,g2\ns1,{token},1\n"))["rna"].values
    assert np.isnan(values[0, 0])
    assert values[0, 1] == 1


@given(
    st.lists(
        st.lists(
            st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
            min_size=3,
            max_size=3,
        ).filter(any),
        min_size=1,
        max_size=6,
    )
)
def test_every_float32_survives(tmp_path_factory, rows):
    cells = [["" if value is None else repr(value) for value in row] for row in rows]
    lines = ["sample,a,b,c"] + [f"s{i}," + ",".join(row) for i, row in enumerate(cells)]
    path = write(tmp_path_factory.mktemp("t"), "\n".join(lines))
    expected = np.array([[np.nan if v is None else v for v in row] for row in rows], np.float32)
    np.testing.assert_array_equal(read(path)["rna"].values, expected)


# Blanks at the ends are removed; semicolons in both kinds of names are refused as ambiguous.
NAMES = st.lists(
    st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters=";"), min_size=1, max_size=8
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(samples=NAMES.filter(lambda names: not any(map(NUMBER.fullmatch, names))), features=NAMES)
def test_names_survive_quoting(tmp_path_factory, samples, features):
    frame = pd.DataFrame(1.0, index=samples, columns=features)
    path = tmp_path_factory.mktemp("t") / "rna.csv"
    frame.to_csv(path)
    cohort = read(path)
    assert list(cohort.samples) == samples
    assert list(cohort["rna"].features) == features


def test_names_keep_zeros_and_missing_tokens(tmp_path):
    cohort = read(write(tmp_path, "id,01,NA\n001,1,2\nNA,3,4\n1e3,5,6\n"))
    assert list(cohort.samples) == ["001", "NA", "1e3"]
    assert list(cohort["rna"].features) == ["01", "NA"]


class TestNumbersInPlaceOfSampleNames:
    @pytest.mark.parametrize(
        "column",
        [
            ["10.539", "9.12", "8.4"],
            ["-1", "2", "0"],
            ["1e-3", "0", "2.5e2"],
            ["0.5", "0.5", "1.5"],
            ["0", "0", "3.17"],
            ["10.539", "9.12", ""],
            [f"{n}.25" for n in range(18)] + ["NA"],
        ],
    )
    def test_measured_values_are_refused(self, tmp_path, column):
        text = "g1,g2\n" + "".join(f"{cell},1\n" for cell in column)
        with pytest.raises(DataError, match="where sample names are expected there are") as caught:
            read(write(tmp_path, text))
        assert "rna.csv" in str(caught.value)
        assert "put the sample names in the first column (the index of" in str(caught.value)
        report = poems.check({"rna": tmp_path / "rna.csv"})
        assert [finding.code for finding in report.findings] == ["sample-names-are-numbers"]

    @pytest.mark.parametrize(
        "column",
        [
            ["1", "2", "3"],
            ["1.0", "2.0", "5.0"],
            ["007", "012", "100"],
            ["1.5", "s2", "s3"],
            ["2.25-a", "2.25-b", "2.25-c"],
        ],
    )
    def test_identifiers_are_accepted(self, tmp_path, column):
        cohort = read(write(tmp_path, "id,g1\n" + "".join(f"{cell},1\n" for cell in column)))
        assert list(cohort.samples) == column
        assert cohort.findings == ()

    def test_what_could_be_a_patient_and_a_visit_is_asked_about(self, tmp_path):
        cohort = read(write(tmp_path, "id,g1\n1.1,1\n1.2,2\n2.1,3\n"))
        (finding,) = cohort.findings
        assert (finding.code, finding.severity) == ("sample-names-are-numbers", "warning")
        assert "decimal numbers (1.1, 1.2, 2.1); if these are the values" in finding.message
        assert finding.items == ("1.1", "1.2", "2.1")

    def test_features_in_rows_have_samples_in_the_first_row(self, tmp_path):
        path = write(tmp_path, "mz,s1,s2\n101.02,1,2\n103.97,3,4\n")
        assert read(path, features_in_rows=True).findings == ()
        path = write(tmp_path, "g1,10.25,9.75\ng2,1,2\n")
        with pytest.raises(DataError, match="in the first row"):
            read(path, features_in_rows=True)

    def test_repeated_whole_numbers_may_be_counts(self, tmp_path):
        path = write(tmp_path, "g1,g2\n0,1\n0,2\n7,3\n")
        with pytest.raises(DataError, match=r"more than once \(1: '0'\).*values of a feature"):
            read(path)


def test_blanks_around_names_are_told(tmp_path):
    cohort = read(write(tmp_path, "sample, g1,g2\ns1 ,1,2\n"))
    assert list(cohort.samples) == ["s1"]
    assert [finding.code for finding in cohort.findings] == ["blanks-removed"] * 2
    assert cohort.findings[0].items == ("s1 ",)


def test_booleans_are_told(tmp_path):
    cohort = read(write(tmp_path, "sample,g1,g2\ns1,TRUE,2\ns2,false,0.5\ns3,1,3\n"))
    assert cohort["rna"].values[:, 0].tolist() == [1, 0, 1]
    assert cohort.findings[0].message == "2 true/false entries were read as 1 and 0"
    cohort = read(write(tmp_path, "sample,g1,g2\ns1,TRUE,2\n"))
    assert cohort.findings[0].message == "1 true/false entry was read as 1 and 0"


def test_semicolons_are_read_and_told(tmp_path):
    cohort = read(write(tmp_path, PLAIN.replace(",", ";")))
    pd.testing.assert_frame_equal(cohort.frame("rna"), EXPECTED)
    assert cohort.findings[0].code == "semicolons"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rna.csv", "", "rna.csv is empty"),
        ("rna.csv.gz", "", "rna.csv.gz is empty"),
        ("rna.csv", " \n\n", "rna.csv is empty"),
        ("rna.csv", "sample,g1\n", "has a header but no rows"),
        ("rna.csv", "sample\ns1\ns2\n", "single column when split at commas"),
        ("rna.csv", PLAIN.replace(",", "\t"), "seems to use tabs; rename it to .tsv"),
        ("rna.tsv", PLAIN, "seems to use commas; rename it to .csv"),
        ("rna.txt", "sample g1 g2\ns1 1 2\n", "seems to use spaces; save it as CSV"),
        ("rna.csv", "sample;a,b\ns1;1,5\n", "at commas or at semicolons"),
        (
            "rna.csv",
            "sample,g1,g2\ns1,1,2\ns2,1\n",
            r"line 3 \(row 's2'\) has 2 fields, expected 3",
        ),
        ("rna.csv", "sample,g1,g2\ns1,1,2,3,4\n", "Decimals seem to be written with a comma"),
        ("rna.csv", "sample,g1\ns1,1,2\n", "has 3 fields"),
        ("rna.csv", 'sample,g1,g2\n"s1,1,2\ns2,1,2\n', "quotation mark may be unbalanced"),
        ("rna.csv", "sample,g1,g2\ns1,1,2\ns2,1\ns3,1\n", "2 lines do not fit"),
        ("rna.csv", b"sample,g1\ns1,1\ns\xe9,2\n", r"not UTF-8 text: byte 0xe9 on line 3"),
        ("rna.csv", PLAIN.encode("utf-16"), "encoded as UTF-16; save it as UTF-8"),
        ("rna.csv", PLAIN.encode("utf-32"), "encoded as UTF-32; save it as UTF-8"),
        ("rna.csv.gz", gzip.compress(gzip.compress(PLAIN.encode())), "packed with gzip twice"),
        ("rna.csv", b"sample,g1\ns1,\x001\n", "zero byte on line 2"),
        ("rna.csv", b"PK\x03\x04 and more", "zip archive or an Excel workbook"),
        (
            "rna.csv",
            b"PK\x03\x04 xl/workbook.xml",
            "Excel workbook, not text; name it .xlsx",
        ),
        ("rna.tsv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"workbook \(.xls\).*export the sheet"),
        ("rna.csv", b"\x89HDF\r\n\x1a\n", "is an HDF5 file, not text; name it .h5ad or .h5mu"),
        ("rna.xlsx", b"PK\x03\x04 and more", "save it as CSV"),
        ("rna.dat", PLAIN, "extension '.dat', expected .csv"),
        ("rna.h5mu", b"x", "holds several views"),
        ("rna.h5ad", b"x", "is not an HDF5 file"),
        ("rna.parquet", b"x", "not a readable Parquet file"),
    ],
)
def test_unreadable_files_say_why(tmp_path, name, text, message):
    with pytest.raises(ReadError, match=message) as caught:
        read(write(tmp_path, text, name))
    assert str(tmp_path / name) in str(caught.value)
    assert "view 'rna'" in str(caught.value)


def test_damaged_gzip(tmp_path):
    path = write(tmp_path, PLAIN * 50, "rna.csv.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-12])
    with pytest.raises(ReadError, match="truncated"):
        read(path)
    path.write_bytes(whole[:20] + b"garbage" + whole[27:])
    with pytest.raises(ReadError, match="damaged gzip data"):
        read(path)
    path.write_bytes(PLAIN.encode())
    with pytest.raises(ReadError, match=r"not gzip-compressed; rename it to rna\.csv"):
        read(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ReadError, match=r"no\.csv does not exist"):
        read(tmp_path / "no.csv")
    with pytest.raises(ReadError, match="is not a file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sample,g1,g2\ns1,1,high\ns2,low,1\n",
            r"2 cells are not numbers: 'high' \(sample 's1', feature 'g2'\); 'low'",
        ),
        ('sample,g1,g2\ns1,"1,625",2\n', "Write decimals with a point"),
        (",sample,g1\n0,s1,1\n1,s2,2\n", "If column 'sample' holds the row names"),
        ("sample,g1,g2\ns1,inf,2\n", r"1 value is infinite .* inf \(sample 's1', feature 'g1'\)"),
        ("sample,g1,g2\ns1,1,-1e39\n", r"too large for single precision.*-1e\+39"),
        ("sample,g1,g2\ns1,1,1e400\n", "infinite or too large"),
        ("sample,g1,g2\ns1,1,1_000\n", "'1_000'"),
        ("sample,g1,g2\ns1,1,0x10\n", "'0x10'"),
        ("sample,g1,\ns1,1,2\n", r"feature names are empty \(number 2\)"),
        ("sample,g1,g2\n,1,2\n", r"sample names are empty \(number 1\)"),
        ("id,Unnamed: 0,g2\ns1,1,2\n", r"feature names are empty \(number 1\)"),
    ],
)  # fmt: skip
def test_unusable_cells_say_which(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(write(tmp_path, text))
    assert "rna.csv" in str(caught.value)


def test_many_bad_cells_are_counted(tmp_path):
    rows = "\n".join(f"s{i},x,1" for i in range(20))
    with pytest.raises(DataError, match=r"20 cells are not numbers.* and 15 more"):
        read(write(tmp_path, f"sample,g1,g2\n{rows}\n"))


def test_bad_cell_of_a_table_with_features_in_rows(tmp_path):
    path = write(tmp_path, "gene,s1,s2\ng1,1,high\n")
    with pytest.raises(DataError, match=r"\(feature 'g1', sample 's2'\)"):
        read(path, features_in_rows=True)


def test_duplicates_of_all_views_are_told_at_once(tmp_path):
    first = write(tmp_path, "sample,g1,g1\ns1,1,2\ns1,3,4\n")
    second = write(tmp_path, "sample,a,a\ns1,1,2\n", "protein.csv")
    with pytest.raises(DataError) as caught:
        poems.read({"rna": first, "protein": second})
    text = str(caught.value)
    assert text.startswith("3 problems:")
    assert "view 'rna'" in text
    assert "sample names occur more than once (1: 's1')" in text
    assert "feature names occur more than once (1: 'a')" in text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "rna.csv"
    path.write_bytes(data)
    try:
        table = read_text_table(path)
        read(path)
    except DataError:
        return
    assert table.rows


@pytest.mark.parametrize("text", [";\r;;1", "a;\ns;1;2", ",\n,,1", "a;;\ns;1;2;3\nt;1;2;3"])
def test_values_under_no_name_are_refused_below_a_header_that_is_short(tmp_path, text):
    path = tmp_path / "rna.csv"
    path.write_text(text, newline="")
    with pytest.raises(DataError, match=r"name|header"):
        read(path)


@given(st.text('s1,;\t"\n\r .-eENAainf', max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("t") / "rna.csv"
    path.write_text(text, newline="")
    try:
        cohort = read(path)
    except DataError:
        return
    assert np.isfinite(cohort["rna"].values[cohort["rna"].measured]).any()
