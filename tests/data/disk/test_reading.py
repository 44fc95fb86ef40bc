from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import poems
from poems import DataError, ReadError, SettingsError
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort

FORMATS = ("h5mu", "h5mu-csr", "zarr", "zarr-csr", "h5ad", "parquet")
Write = Callable[[MultiOmics, Path, str], Any]


def read(source: Any, **options: Any) -> BackedCohort:
    cohort = poems.read(source, backed=True, **options)
    assert isinstance(cohort, BackedCohort)
    return cohort


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_what_is_read_into_memory(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path, kind: str
) -> None:
    with read(write_backed(incomplete, tmp_path, kind)) as cohort:
        loaded = cohort.load()
        assert list(cohort) == list(incomplete)
        assert set(cohort.samples) == set(incomplete.samples)
        for name in incomplete:
            expected = incomplete.frame(name).loc[loaded.samples]
            pd.testing.assert_frame_equal(loaded.frame(name), expected, check_names=False)
            pd.testing.assert_frame_equal(cohort.frame(name), expected, check_names=False)
        np.testing.assert_array_equal(cohort.measured, loaded.measured)


@pytest.mark.parametrize("kind", ["h5mu", "h5mu-csr", "parquet"])
def test_rows_and_columns_are_those_in_memory(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path, kind: str
) -> None:
    with read(write_backed(incomplete, tmp_path, kind)) as cohort:
        loaded = cohort.load()
        rows = np.array([5, 70, 5 + 1, 0, 33])
        taken = cohort.take(rows)
        for name, view in cohort.backed_views().items():
            values = loaded[name].values
            np.testing.assert_array_equal(view.rows(rows), values[rows])
            np.testing.assert_array_equal(view.rows(slice(3, 9)), values[3:9])
            np.testing.assert_array_equal(view.columns(4, 11), values[:, 4:11])
            np.testing.assert_array_equal(
                taken.backed_views()[name].columns(0, 3), values[rows, :3]
            )
            seen = np.sort(np.concatenate([which for which, _ in view.blocks()]))
            np.testing.assert_array_equal(seen, np.flatnonzero(view.measured))


def test_values_are_not_to_be_had_and_the_error_says_what_to_do(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path
) -> None:
    with read(write_backed(incomplete, tmp_path, "h5mu")) as cohort:
        with pytest.raises(DataError, match=r"stay on disk.*load\(\) on the cohort"):
            _ = cohort["rna"].values
        with pytest.raises(DataError, match=r"stability\(\) needs all values in memory.*load\(\)"):
            poems.stability(cohort, progress=False)


def test_only_samples_in_every_view_on_request(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path
) -> None:
    path = write_backed(incomplete, tmp_path, "h5mu")
    with read(path, samples="intersection") as cohort:
        expected = poems.read(path, samples="intersection")
        assert cohort.samples.equals(expected.samples)
        assert [str(each) for each in cohort.findings] == [str(each) for each in expected.findings]


def test_samples_in_another_order_are_matched_and_told_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(400)]
    one = pd.DataFrame(rng.normal(size=(400, 2)), index=names, columns=["a", "b"])
    other = pd.DataFrame({"c": rng.normal(size=400)}, index=names).sample(frac=1, random_state=0)
    one.to_parquet(tmp_path / "one.parquet")
    other.to_parquet(tmp_path / "other.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in ("one", "other")}
    cohort = read(paths)
    found = cohort.frame("other")["c"]
    np.testing.assert_array_equal(found, other["c"].loc[names].astype(np.float32))
    assert [each.view for each in cohort.findings if each.code == "order-differs"] == ["other"]


def test_a_row_without_a_value_is_unmeasured(tmp_path: Path) -> None:
    x = np.ones((4, 3), dtype=np.float32)
    x[2] = np.nan
    path = h5ad(tmp_path / "a.h5ad", sparse.csr_matrix(x))
    with pytest.raises(DataError, match="1 sample has no value in any view: s2"):
        read(path)
    other = h5ad(tmp_path / "b.h5ad", np.ones((4, 2), dtype=np.float32))
    with read({"a": path, "b": other}) as cohort:
        assert cohort["a"].measured.tolist() == [True, True, False, True]
        assert "rows-all-missing" in {each.code for each in cohort.findings}


def h5ad(path: Path, x: Any) -> Path:
    n, d = x.shape
    anndata.AnnData(
        X=x,
        obs=pd.DataFrame(index=[f"s{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"g{j}" for j in range(d)]),
    ).write_h5ad(path)
    return path


def damage(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replace_dataset(group: h5py.Group, name: str, values: Any) -> None:
    attributes = dict(group[name].attrs)
    del group[name]
    group.create_dataset(name, data=values)
    group[name].attrs.update(attributes)


CSR = sparse.csr_matrix(np.array([[0, 1.0, 2.0], [3.0, 0, 0], [0, 0, 4.0]], dtype=np.float32))


@pytest.mark.parametrize(
    ("x", "change", "error", "text"),
    [
        (np.array([[1.0, np.inf], [2.0, 3.0]]), None, DataError, "infinite.*'s0', feature 'g1'"),
        (CSR.tocsc(), None, DataError, r"tocsr\(\)"),
        (
            CSR,
            lambda f: replace_dataset(f["X"], "indices", np.array([1, 9, 0, 2], dtype=np.int32)),
            ReadError,
            "column number is beyond its 3 columns",
        ),
        (
            CSR,
            lambda f: replace_dataset(f["X"], "indices", np.array([1, 1, 0, 2], dtype=np.int32)),
            DataError,
            "stores an entry twice",
        ),
        (
            CSR,
            lambda f: replace_dataset(f["X"], "indptr", np.array([0, 3, 2, 4])),
            ReadError,
            "row pointers do not fit",
        ),
        (CSR, lambda f: f["X"].pop("data"), ReadError, "lacks data"),
        (np.ones((2, 2)), lambda f: f.pop("X"), DataError, "has no X"),
        (
            np.ones((2, 2)),
            lambda f: replace_dataset(f, "X", np.ones((2, 3))),
            ReadError,
            r"X has shape \(2, 3\), but there are 2 names of samples and 2 of features",
        ),
        (
            np.ones((2, 2)),
            lambda f: replace_dataset(f, "X", np.array([["a", "b"]] * 2, dtype="S1")),
            DataError,
            "not numbers",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, x: Any, change: Any, error: type[Exception], text: str
) -> None:
    path = h5ad(tmp_path / "a.h5ad", x)
    if change is not None:
        damage(path, change)
    with pytest.raises(error, match=text) as caught:
        read(path)
    assert "a.h5ad" in str(caught.value)


def test_links_to_other_files_are_refused(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", np.ones((2, 2)))
    h5ad(tmp_path / "b.h5ad", np.ones((2, 2)))

    def outside(file: h5py.File) -> None:
        del file["X"]
        file["X"] = h5py.ExternalLink(str(tmp_path / "b.h5ad"), "/X")

    with pytest.raises(ReadError, match="takes its values from other files"):
        read(damage(path, outside))


def test_values_in_other_files_are_refused(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", np.ones((2, 2)))
    (tmp_path / "secret").write_bytes(bytes(32))

    def outside(file: h5py.File) -> None:
        del file["X"]
        external = [(str(tmp_path / "secret"), 0, 32)]
        file.create_dataset("X", shape=(2, 2), dtype="f8", external=external)

    with pytest.raises(ReadError, match="takes its values from other files"):
        read(damage(path, outside))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("missing.h5mu", "does not exist"),
        ("table.csv", "cannot be read in parts"),
        ({"a": pd.DataFrame({"x": [1.0]})}, "is a DataFrame; give its path"),
        ({}, "no views given"),
        (3, "not int"),
        ("a.parquet", "give it a name"),
    ],
)
def test_what_cannot_be_read_in_parts_is_refused(source: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        read(source)


def test_features_in_rows_are_refused(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="have to stand in rows"):
        read(write_backed(incomplete, tmp_path, "h5mu"), features_in_rows=True)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ReadError, match="zarr"):
        read(tmp_path / "a.zarr")


def test_row_groups_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.data.disk.parquet._LARGEST_GROUP", 100)
    frame = pd.DataFrame(np.ones((20, 3)), index=[f"s{i}" for i in range(20)], columns=list("abc"))
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row_group_size=1 or less"):
        read({"a": tmp_path / "a.parquet"})


def test_text_columns_of_parquet_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}, index=["s1", "s2"])
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"column 'b' holds .*string"):
        read({"a": tmp_path / "a.parquet"})


def test_closing_closes_the_file(
    incomplete: MultiOmics, write_backed: Write, tmp_path: Path
) -> None:
    path = write_backed(incomplete, tmp_path, "h5mu")
    cohort = read(path)
    cohort.close()
    with pytest.raises(ReadError, match="cannot be read"):
        cohort.load()
    shutil.move(path, tmp_path / "moved.h5mu")
