"""Every table of annotations can be written into h5mu, and what was changed is said."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import poems
from poems.data.mudata_io import read_h5mu, to_mudata
from poems.data.stored.storable import storable, storable_and_said
from poems.errors import DataError

N = 4
SAMPLES = [f"s{n}" for n in range(N)]
TABLE = pd.DataFrame(np.arange(N * 2.0).reshape(N, 2), index=SAMPLES, columns=["g1", "g2"])
NAMES = ["_index", "a/b", "", ".", "..", "a/", "/", "x\0y", "\ud800", "__categories", "a\nb"]
VALUES: dict[str, Any] = {
    "lists": [[1], [2, 3], [], [4]],
    "durations": pd.to_timedelta([1, 2, 3, None], unit="D"),
    "dates": pd.to_datetime(["2020-01-01"] * 3 + [None]),
    "intervals": pd.cut(np.arange(4.0), 4),
    "mixed": [1, "a", None, 2.5],
    "mixed categories": pd.Categorical([1, "a", 1, "a"]),
    "categories of dates": pd.Categorical(pd.to_datetime(["2020", "2021", "2020", None])),
    "days": [datetime.date(2020, 1, 1)] * 4,
    "large": [10**30] * 4,
    "zero bytes": ["a\0b"] * 4,
    "half a pair": ["\ud800"] * 4,
    "sparse": pd.arrays.SparseArray([0, 0, 1, 0]),
    "long double": np.arange(4, dtype=np.longdouble),
    "true or missing": [True, None, False, True],
    "whole or missing": pd.array([1, None, 2, 3], dtype="Int64"),
}


def written(obs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    cohort = poems.read({"rna": TABLE})
    data = to_mudata(cohort)
    data.obs = storable(obs)
    data.write_h5mu(folder / "x.h5mu")
    return read_h5mu(folder / "x.h5mu").obs


def test_columns_of_any_name_are_written(tmp_path: Path) -> None:
    obs = pd.DataFrame({name: range(N) for name in [*NAMES, "age"]}, index=SAMPLES)
    table, findings = storable_and_said(obs)
    assert table.columns.is_unique
    found = written(obs, tmp_path)
    assert set(found.columns) == set(table.columns)
    assert (found == np.arange(N)[:, None]).all(axis=None)
    (said,) = [each for each in findings if each.code == "obs-renamed"]
    assert "'_index' is 'index'" in said.message


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    obs = pd.DataFrame([[1, 2, 3]], columns=["index", "_index", "index/"])
    assert list(storable(obs).columns) == ["index", "index_2", "index_3"]


@pytest.mark.parametrize("name", VALUES)
def test_columns_of_any_values_are_written(name: str, tmp_path: Path) -> None:
    obs = pd.DataFrame(index=SAMPLES)
    obs["it"] = pd.Series(VALUES[name], index=SAMPLES)
    found = written(obs, tmp_path)["it"]
    assert len(found) == N
    assert (found.isna().to_numpy() == obs["it"].isna().to_numpy()).all()


def test_what_can_be_held_is_left_as_it_is() -> None:
    obs = pd.DataFrame({"age": [1.5, 2, 3, 4], "grp": list("abab")}, index=SAMPLES)
    table, findings = storable_and_said(obs)
    pd.testing.assert_frame_equal(table, obs)
    assert findings == ()


@pytest.mark.parametrize("which", ["a", "b"])
def test_annotations_of_a_view_with_a_column_twice_are_refused(which: str) -> None:
    import anndata

    obs = pd.DataFrame({"age": range(N)}, index=SAMPLES)
    twice = pd.concat([obs, obs], axis=1)
    var = pd.DataFrame(index=TABLE.columns)
    views = {
        name: anndata.AnnData(TABLE.to_numpy(), obs=twice if name == which else obs, var=var)
        for name in ("a", "b")
    }
    with pytest.raises(DataError, match=rf"view '{which}'.*column names occur more than once"):
        poems.read(views)


def test_annotations_of_a_view_with_a_number_for_a_name_have_names_of_text() -> None:
    import anndata

    obs = pd.DataFrame({3: range(N)}, index=SAMPLES)
    view = anndata.AnnData(TABLE.to_numpy(), obs=obs, var=pd.DataFrame(index=TABLE.columns))
    assert list(poems.read({"a": view}).obs.columns) == ["3"]
