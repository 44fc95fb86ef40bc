from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from poems.data.text.mogonet import is_mogonet, read_mogonet
from poems.errors import DataError, ReadError


def write(folder: Path, name: str, rows: object) -> None:
    np.savetxt(folder / name, np.asarray(rows), delimiter=",")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    write(tmp_path, "1_all.csv", rng.random((6, 4)))
    write(tmp_path, "2_all.csv", rng.random((6, 3)))
    write(tmp_path, "labels_all.csv", [0, 1, 2, 0, 1, 2])
    (tmp_path / "2_featname.csv").write_text("hsa-mir-1\nhsa-mir-2\nNA\n")
    return tmp_path


@pytest.fixture
def split(tmp_path: Path) -> Path:
    for part, n in (("tr", 5), ("te", 2)):
        for number, width in ((1, 4), (2, 3), (10, 2)):
            write(tmp_path, f"{number}_{part}.csv", np.full((n, width), number + (part == "te")))
        write(tmp_path, f"labels_{part}.csv", np.arange(n))
    return tmp_path


def test_a_whole_folder_is_read_as_written(whole: Path) -> None:
    cohort = read_mogonet(whole)
    assert list(cohort.views) == ["omic_1", "omic_2"]
    expected = np.loadtxt(whole / "1_all.csv", delimiter=",").astype(np.float32)
    np.testing.assert_array_equal(cohort["omic_1"].values, expected)
    assert cohort["omic_1"].features.tolist() == ["omic_1_1", "omic_1_2", "omic_1_3", "omic_1_4"]
    assert cohort["omic_2"].features.tolist() == ["hsa-mir-1", "hsa-mir-2", "NA"]
    assert cohort.samples.tolist() == ["s1", "s2", "s3", "s4", "s5", "s6"]
    assert cohort.obs.columns.tolist() == ["label"]
    assert cohort.obs["label"].tolist() == [0, 1, 2, 0, 1, 2]


def test_the_authors_split_is_kept_and_omics_go_by_number(split: Path) -> None:
    cohort = read_mogonet(split, views=["mrna", "methylation", "mirna"])
    assert list(cohort.views) == ["mrna", "methylation", "mirna"]
    assert cohort["mirna"].values[:, 0].tolist() == [10] * 5 + [11] * 2
    assert cohort.obs["split"].tolist() == ["train"] * 5 + ["test"] * 2
    assert cohort.obs["label"].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert cohort.samples[[0, 5]].tolist() == ["train1", "test1"]


def test_gzipped_files_and_missing_cells_are_taken(whole: Path) -> None:
    text = (whole / "1_all.csv").read_text().splitlines()
    text[0] = "NA,," + ",".join(text[0].split(",")[2:])
    (whole / "1_all.csv").unlink()
    with gzip.open(whole / "1_all.csv.gz", "wt") as file:
        file.write("\n".join(text))
    values = read_mogonet(whole)["omic_1"].values
    assert np.isnan(values[0]).tolist() == [True, True, False, False]
    assert np.isnan(values).sum() == 2


def test_a_folder_is_told_from_others(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mrna.csv").write_text("a,b\n")
    assert is_mogonet(whole)
    assert not is_mogonet(other)
    assert not is_mogonet(tmp_path / "absent")


def test_what_does_not_fit_is_named_with_its_file(whole: Path) -> None:
    def refused(name: str, text: str, match: str) -> None:
        before = (whole / name).read_text()
        (whole / name).write_text(text)
        with pytest.raises(DataError, match=match):
            read_mogonet(whole)
        (whole / name).write_text(before)

    table = (whole / "1_all.csv").read_text()
    lines = table.splitlines()
    refused("1_all.csv", "g1,g2,g3,g4\n" + table, r"1_all.csv .*'g1' \(line '1', column '1'\)")
    refused("1_all.csv", "\n".join(lines[:5]), r"1_all.csv has 5 rows for 6 labels in labels_all")
    refused("1_all.csv", lines[0][3:] + ",,\n" + table, r"1_all.csv, line 2 has 4 fields, exp.* 6")
    refused("1_all.csv", table.replace("e-01", "e+99", 1), r"1_all.csv .*infinite or too large")
    refused("labels_all.csv", "label\n0\n", r"labels_all.csv, line 1: 'label' is not a whole num")
    refused("labels_all.csv", "0\n1.5\n", r"labels_all.csv, line 2: '1.5' is not a whole number")
    refused("2_featname.csv", "a\nb\n", r"2_featname.csv has 2 names for 3 columns")
    refused("2_featname.csv", "a\nb\na\n", r"2_featname.csv names features twice: a")
    (whole / "labels_all.csv").unlink()
    with pytest.raises(ReadError, match=r"has no labels_all\.csv"):
        read_mogonet(whole)


def test_parts_must_be_whole_and_of_one_kind(split: Path) -> None:
    write(split, "2_te.csv", np.ones((2, 9)))
    with pytest.raises(DataError, match=r"2_te.csv has 9 columns, but 2_tr.csv has 3"):
        read_mogonet(split)
    (split / "2_te.csv").unlink()
    with pytest.raises(ReadError, match=r"has 2_tr.csv but no 2_te.csv"):
        read_mogonet(split)
    write(split, "1_all.csv", np.ones((7, 4)))
    with pytest.raises(DataError, match="holds both whole tables"):
        read_mogonet(split)


def test_names_of_omics_must_fit(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="each of the 2 omics once; they are a, a"):
        read_mogonet(whole, views=["a", "a"])
    with pytest.raises(DataError, match="has a slash"):
        read_mogonet(whole, views=["a/b", "c"])
    with pytest.raises(ReadError, match="there is no folder"):
        read_mogonet(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="no table in MOGONET's format"):
        read_mogonet(tmp_path / "empty")
