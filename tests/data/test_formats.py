"""Kinds of file: every reader does what its entry says, and one from outside is used throughout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here
from toy_reader import read_lines, write_lines

import poems
from poems.cli.cohort_tables import parse_views, view_name
from poems.data.formats import (
    READERS,
    Reader,
    as_reader,
    reader_of,
    register_reader,
    suffixes,
)
from poems.data.mudata_io import to_mudata
from poems.errors import DataError, ReadError, SettingsError

CELLS = pd.DataFrame(
    np.random.default_rng(0).normal(size=(12, 3)).round(3),
    index=[f"s{n}" for n in range(12)],
    columns=["TP53", "MYC", "EGFR"],
)
OBS = pd.DataFrame({"age": np.linspace(40.5, 71.0, len(CELLS)).round(1)}, index=CELLS.index)


def write_zarr(table: pd.DataFrame, path: Path) -> None:
    import warnings

    import anndata

    with warnings.catch_warnings():
        # anndata and zarr disagree on how to say the format.
        warnings.simplefilter("ignore")
        anndata.AnnData(table).write_zarr(path)


def write_h5mu(table: pd.DataFrame, path: Path) -> None:
    to_mudata(poems.read({"table": table})).write_h5mu(path)


def write_gct(table: pd.DataFrame, path: Path) -> None:
    rows = table.T.rename_axis("Name")
    rows.insert(0, "Description", "na")
    body = rows.to_csv(sep="\t")
    path.write_text(f"#1.2\n{table.shape[1]}\t{table.shape[0]}\n{body}")


def write_h5ad(table: pd.DataFrame, path: Path) -> None:
    import anndata

    anndata.AnnData(table).write_h5ad(path)


WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    ".csv": lambda table, path: table.to_csv(path),
    ".tsv": lambda table, path: table.to_csv(path, sep="\t"),
    ".txt": lambda table, path: table.to_csv(path, sep="\t"),
    ".gct": write_gct,
    ".parquet": lambda table, path: table.to_parquet(path),
    ".xlsx": lambda table, path: table.to_excel(path, engine="openpyxl"),
    ".xlsm": lambda table, path: table.to_excel(path, engine="openpyxl"),
    ".h5ad": write_h5ad,
    ".h5mu": write_h5mu,
    ".zarr": write_zarr,
    ".toy": lambda table, path: write_lines(path, table),
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(READERS, "_parts", dict(READERS._parts))
    register_reader(".toy", Reader(table=read_lines, annotations=read_lines))


@pytest.fixture(params=[*READERS, ".toy"])
def suffix(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def written(suffix: str, table: pd.DataFrame, folder: Path) -> Path:
    path = folder / f"table{suffix}"
    WRITERS[suffix](table, path)
    return path


def test_a_cohort_is_the_same_whatever_it_is_read_from(suffix: str, tmp_path: Path) -> None:
    path = written(suffix, CELLS, tmp_path)
    reader = reader_of(path)
    assert reader is not None
    cohorts = []
    if reader.table is not None:
        cohorts.append(poems.read({"table": path}))
    if reader.cohort is not None:
        cohorts.append(poems.read(path))
    if reader.parts is not None:
        several = reader.table is None and reader.cohort is not None
        with poems.read(path if several else {"table": path}, backed=True) as backed:
            cohorts.append(backed.load())
    assert cohorts, "a reader that reads nothing"
    for cohort in cohorts:
        found = cohort.frame("table")
        assert [*found.index] == [*CELLS.index]
        assert [*found.columns] == [*CELLS.columns]
        np.testing.assert_array_equal(found, CELLS.astype("float32"))


def test_annotations_are_the_same_whatever_they_are_read_from(suffix: str, tmp_path: Path) -> None:
    path = written(suffix, OBS, tmp_path)
    reader = reader_of(path)
    assert reader is not None
    if reader.annotations is not None:
        assert poems.read({"table": CELLS}, obs=path).obs["age"].tolist() == OBS["age"].tolist()
    elif not reader.folder:
        with pytest.raises(DataError, match=r"the obs table must be \.csv, \.tsv, \.txt \(each"):
            poems.read({"table": CELLS}, obs=path)


def test_views_are_named_after_their_files(suffix: str) -> None:
    assert view_name(Path(f"data/mrna.v2{suffix}")) == "mrna.v2"
    assert view_name(Path(f"data/mrna.v2{suffix.upper()}.gz")) == "mrna.v2"
    assert view_name(Path(f"data/{suffix}")) == suffix


def test_what_is_never_one_view_is_a_cohort_by_itself(suffix: str) -> None:
    path = Path(f"a{suffix}")
    alone = as_reader(READERS[suffix]).table is None
    assert parse_views([str(path)], None) == (path if alone else {"a": path})


def test_packed_files_are_read_or_refused_by_name(suffix: str, tmp_path: Path) -> None:
    import gzip

    reader = as_reader(READERS[suffix])
    if reader.table is None:
        return
    path = tmp_path / f"table{suffix}.gz"
    path.write_bytes(gzip.compress(written(suffix, CELLS, tmp_path).read_bytes()))
    if reader.gzipped:
        assert poems.read({"a": path}).n_samples == len(CELLS)
    else:
        with pytest.raises(ReadError, match=f"is packed, and {suffix} files are not read so"):
            poems.read({"a": path})


def test_errors_list_every_suffix_that_has_the_use(tmp_path: Path) -> None:
    listed = suffixes("table")
    assert listed.startswith(".csv, .tsv, .txt, .gct (each also .gz), .xlsx, .xlsm, .parquet")
    assert listed.endswith(" or .toy")
    parts = suffixes("parts", "and").replace(" and ", ", ").split(", ")
    assert parts == [suffix for suffix in READERS if as_reader(READERS[suffix]).parts]
    path = tmp_path / "a.loom"
    path.touch()
    with pytest.raises(ReadError) as error:
        poems.read({"a": path})
    assert f"expected {listed}" in str(error.value)


@pytest.mark.parametrize("suffix", ["", "toy", ".", ".TOY", ".a.b", ".gz", "a.b", ".a/b"])
def test_what_is_no_suffix_is_refused(suffix: str) -> None:
    with pytest.raises(SettingsError, match="is no suffix; one starts with a dot"):
        register_reader(suffix, read_lines)


def test_a_suffix_has_one_reader() -> None:
    with pytest.raises(SettingsError, match=r"there is a reader '\.csv' already"):
        register_reader(".csv", read_lines)


def test_a_function_alone_reads_views_and_no_annotations(tmp_path: Path) -> None:
    register_reader(".lines", read_lines)
    path = write_lines(tmp_path / "a.lines", CELLS)
    assert poems.read({"a": path}).n_samples == len(CELLS)
    with pytest.raises(ReadError, match="the obs table must be"):
        poems.read({"a": path}, obs=path)


def test_names_and_cells_of_a_reader_from_outside_are_checked(tmp_path: Path) -> None:
    wrong = CELLS.astype(object).set_axis(["TP53", "MYC", "MYC.1"], axis=1)
    wrong.iloc[2, 1] = "high"
    path = write_lines(tmp_path / "a.toy", wrong)
    with pytest.raises(DataError, match="high"):
        poems.read({"a": path})


def test_the_command_line_reads_what_is_registered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lines(tmp_path / "mrna.toy", CELLS)
    assert poems_here("check", path, "--obs", write_lines(tmp_path / "obs.toy", OBS)) == 0
    out = capsys.readouterr().out
    assert "12 samples" in out
    assert "mrna" in out
    assert "age" in out


def test_an_installed_package_offers_a_reader_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "elsewhere-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[poems.reader]\n.jsonl = toy_reader:read_lines\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = write_lines(tmp_path / "mrna.jsonl", CELLS)
    assert view_name(path) == "mrna"
    assert poems_here("check", path) == 0
    assert (
        poems.read({"mrna": path}).frame("mrna").equals(poems.read({"mrna": CELLS}).frame("mrna"))
    )
