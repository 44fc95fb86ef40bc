"""What stands around a table: read where the format is known, named where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import poems
from poems.errors import DataError, ReadError

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(size=(8, 3)).round(3),
    index=[f"s{n}" for n in range(8)],
    columns=["TP53", "MYC", "EGFR"],
)


def written(text: str, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def gct(table: pd.DataFrame, sizes: str | None = None) -> str:
    rows = table.T
    lines = ["#1.2", sizes or f"{rows.shape[0]}\t{rows.shape[1]}"]
    lines.append("\t".join(["Name", "Description", *rows.columns]))
    lines += ["\t".join([g, "a gene, it is", *map(str, x)]) for g, x in rows.iterrows()]
    return "\n".join(lines) + "\n"


def gct3(table: pd.DataFrame) -> str:
    rows = table.T
    lines = ["#1.3", f"{rows.shape[0]}\t{rows.shape[1]}\t2\t1"]
    lines.append("\t".join(["id", "symbol", "chr", *rows.columns]))
    lines.append("\t".join(["group", "na", "na", *["A"] * rows.shape[1]]))
    lines += ["\t".join([g, g, "1", *map(str, x)]) for g, x in rows.iterrows()]
    return "\n".join(lines) + "\n"


def series(table: pd.DataFrame, end: str = "!series_matrix_table_end\n") -> str:
    body = table.T.rename_axis("ID_REF").to_csv(sep="\t", quoting=2)
    head = '!Series_title\t"x"\n!Sample_title\t"a"\t"b"\n\n!series_matrix_table_begin\n'
    return head + body + end


FORMS = {
    "gct in txt": ("a.txt", gct(TABLE)),
    "gct": ("a.gct", gct(TABLE)),
    "gct saved by a spreadsheet": (
        "a.csv",
        gct(TABLE).replace("gene, it", "gene it").replace("\t", ","),
    ),
    "gct 1.3": ("a.gct", gct3(TABLE)),
    "series matrix": ("a.txt", series(TABLE)),
    "comments": ("a.csv", "# by LIMS, 2024\n#\n" + TABLE.to_csv()),
    "comments with a tab less": ("a.tsv", "# by LIMS\n\n" + TABLE.to_csv(sep="\t")),
    "a header behind a hash": ("a.csv", "#" + TABLE.rename_axis("id").to_csv()),
    "comments and a header behind a hash": (
        "a.tsv",
        "# Constructed from biom file\n#" + TABLE.rename_axis("OTU ID").to_csv(sep="\t"),
    ),
    "comments and semicolons": ("a.csv", "# x\n" + TABLE.to_csv(sep=";")),
    "a hash, semicolons": ("a.csv", "#" + TABLE.rename_axis("id").to_csv(sep=";")),
    "comments behind": ("a.csv", TABLE.to_csv() + "# 8 rows\n"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_the_same_whatever_stands_around_it(form: str, tmp_path: Path) -> None:
    name, text = FORMS[form]
    frame = poems.read({"rna": written(text, tmp_path, name)}).frame("rna")
    assert [*frame.index] == [*TABLE.index]
    assert [*frame.columns] == [*TABLE.columns]
    np.testing.assert_array_equal(frame, TABLE.astype("float32"))


@pytest.mark.parametrize(
    ("form", "code"),
    [("gct", "gct"), ("series matrix", "series-matrix"), ("comments", "comments")],
)
def test_what_was_passed_over_is_said(form: str, code: str, tmp_path: Path) -> None:
    name, text = FORMS[form]
    cohort = poems.read({"rna": written(text, tmp_path, name)})
    assert code in {each.code for each in cohort.findings}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.gct", gct(TABLE, "9\t8"), "should hold 9 rows and 8 columns .* there are 3 and 8"),
        ("a.gct", gct(TABLE, "rows"), "line 2: a GCT file names its numbers of rows"),
        ("a.gct", "#1.2\n3\t8\n", "ends after the head"),
        ("a.txt", series(TABLE, ""), "stops within the table"),
        ("a.txt", '!Series_title\t"x"\n', "has the head of a series matrix of GEO but no table"),
        (
            "a.txt",
            "!Series_title\tx\n!series_matrix_table_begin\n\"ID_REF\"\n!series_matrix_table_end\n",
            "holds no values",
        ),
        ("a.csv", "# x\n# y\n", "nothing but comments"),
        ("a.csv", "# one, two\nsample,grp\ns1,A\n", "either line 1 .* or line 2"),
        ("a.txt", "##fileformat=VCFv4.2\n#CHROM\tPOS\n1\t2\n", "is a VCF file"),
        ("a.txt", "^DATABASE = GeoMiame\n", "is a SOFT file"),
        ("a.txt", "%%MatrixMarket matrix\n1 1 1\n", "Matrix Market"),
        ("a.csv", "<!DOCTYPE html>\n<html>\n", "is a web page"),
        ("a.csv", '{"a": [1, 2]}\n', "is JSON"),
        ("a.csv", "version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        ("a.csv", "Plate 7\nsample,g1,g2\ns1,1,2\n", r"line 1 \('Plate 7'\) stands above"),
        ("a.csv", "A\nB\nsample,g1,g2\ns1,1,2\n", r"lines 1 to 2 \('A'\) stand above the table"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_called_what_it_is(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        poems.read({"rna": written(text, tmp_path, name)})


def test_the_lines_of_a_portal_above_a_clinical_table_are_comments(tmp_path: Path) -> None:
    text = (
        "#Patient\tSex\n#the patient\tthe sex\n#STRING\tSTRING\n#1\t1\nPATIENT_ID\tSEX\n"
        + "".join(f"{name}\tMale\n" for name in TABLE.index)
    )
    cohort = poems.read({"rna": TABLE}, obs=written(text, tmp_path, "clinical.txt"))
    assert cohort.obs["SEX"].tolist() == ["Male"] * 8


def test_lines_are_counted_from_the_top_of_the_file(tmp_path: Path) -> None:
    path = written("# x\n# y\nsample,g1,g2\ns1,1,2\ns2,1\n", tmp_path, "a.csv")
    with pytest.raises(ReadError, match="line 5"):
        poems.read({"rna": path})


def test_a_table_of_features_in_rows_is_no_clinical_table(tmp_path: Path) -> None:
    path = written(series(TABLE), tmp_path, "a.txt")
    with pytest.raises(ReadError, match="features in rows"):
        poems.read({"rna": TABLE}, obs=path)


@pytest.mark.parametrize("first", ["# 1.2", "#2.0", ""])
def test_what_is_named_as_a_gct_file_begins_as_one(tmp_path: Path, first: str) -> None:
    lines = gct(TABLE).split("\n")
    text = "\n".join([first, *lines[1:]] if first else lines[2:])
    with pytest.raises(ReadError, match="named as a GCT file"):
        poems.read({"rna": written(text, tmp_path, "rna.gct")})


def test_what_was_made_of_a_gct_file_need_not_begin_as_one(tmp_path: Path) -> None:
    path = written(TABLE.to_csv(sep="\t"), tmp_path, "rna.gct.txt")
    np.testing.assert_allclose(poems.read({"rna": path})["rna"].values, TABLE, rtol=1e-6)


@pytest.mark.parametrize("mark", [";", ",", "\t"])
def test_excel_is_told_what_separates_fields_and_so_are_we(tmp_path: Path, mark: str) -> None:
    path = written(f"sep={mark}\n{TABLE.to_csv(sep=mark)}", tmp_path, "rna.csv")
    cohort = poems.read({"rna": path})
    np.testing.assert_allclose(cohort["rna"].values, TABLE, rtol=1e-6)
    assert "declared-delimiter" in {each.code for each in cohort.findings}
