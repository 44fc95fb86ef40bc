import subprocess
import sys

import mudata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems import DataError, ReadError
from poems.data.mudata_io import read_h5mu, to_mudata


def cohort(samples=("s3", "s1", "s2", "s4")):
    rng = np.random.default_rng(0)
    samples = pd.Index(samples)
    rna = pd.DataFrame(rng.normal(size=(4, 3)), index=samples, columns=["TP53", "EGFR", "KRAS"])
    rna.iloc[0, 1] = np.nan
    obs = pd.DataFrame(
        {
            "age": [50.0, np.nan, 70, 81],
            "stage": ["i", None, "ii", "i"],
            "grade": pd.Categorical(["low", "high", "low", np.nan]),
            "treated": np.array([True, np.nan, False, True], dtype=object),
        },
        index=samples,
    )
    cnv = rna.iloc[[3, 1]].fillna(0).round()
    return poems.read({"rna": rna.iloc[:3], "cnv": cnv, "late": rna.iloc[[2, 0]]}, obs=obs)


def assert_same(one, other):
    assert list(one) == list(other)
    assert list(one.samples) == list(other.samples)
    for name in one:
        pd.testing.assert_frame_equal(one.frame(name), other.frame(name))
        np.testing.assert_array_equal(one[name].measured, other[name].measured)
    for column in one.obs:
        ours, theirs = one.obs[column].astype(object), other.obs[column].astype(object)
        np.testing.assert_array_equal(ours.isna(), theirs.isna())
        assert ours.dropna().tolist() == theirs.dropna().tolist()


def test_round_trip_in_memory():
    original = cohort()
    again = poems.read(to_mudata(original))
    assert_same(original, again)
    assert list(original.obs.columns) == list(again.obs.columns)


def test_round_trip_through_a_file(tmp_path):
    original = cohort()
    to_mudata(original).write_h5mu(tmp_path / "cohort.h5mu")
    assert_same(original, poems.read(tmp_path / "cohort.h5mu"))


def test_reading_and_writing_say_nothing_and_leave_logging_alone(tmp_path):
    path = tmp_path / "cohort.h5mu"
    to_mudata(cohort()).write_h5mu(path)
    # In a process of its own: pytest handles the messages of this one.
    code = (
        "import logging, sys, poems\n"
        "from poems.data.mudata_io import to_mudata\n"
        "to_mudata(poems.read(sys.argv[1]))\n"
        "assert logging.root.handlers == [], logging.root.handlers\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_options_of_mudata_are_put_back():
    mudata.set_options(pull_on_update=True)
    to_mudata(cohort())
    assert mudata.set_options(pull_on_update=None).opts == {"pull_on_update": True}


@settings(max_examples=15)
@given(st.permutations(range(4)))
def test_order_of_samples_survives(order):
    reordered = cohort().take(order)
    assert_same(reordered, poems.read(to_mudata(reordered)))


def test_views_hold_their_measured_samples_only():
    result = to_mudata(cohort())
    assert result["cnv"].obs_names.tolist() == ["s1", "s4"]
    assert result["cnv"].var_names.tolist() == result["rna"].var_names.tolist()
    assert not any(len(view.obsm) for view in result.mod.values())


@pytest.mark.filterwarnings("ignore:Cannot join columns:UserWarning")
def test_samples_removed_since_are_gone():
    result = to_mudata(cohort())
    part = result[["s1", "s2"]].copy()
    assert set(poems.read(part).samples) == {"s1", "s2"}


def test_obs_given_takes_the_place_of_its_own():
    original = cohort()
    obs = pd.DataFrame({"x": range(4)}, index=original.samples)
    assert poems.read(to_mudata(original), obs=obs).obs.columns.tolist() == ["x"]


def test_a_cohort_without_obs_columns():
    bare = poems.read({"rna": cohort().frame("rna").dropna(how="all")})
    assert_same(bare, poems.read(to_mudata(bare)))


def test_obs_of_mixed_types_can_be_written(tmp_path):
    original = cohort()
    obs = pd.DataFrame(
        {"mixed": np.array([1, "a", None, 2.5], dtype=object), "day": pd.Timestamp("2020-01-01")},
        index=original.samples,
    )
    views = {name: original.frame(name).dropna(how="all") for name in original}
    to_mudata(poems.read(views, obs=obs)).write_h5mu(tmp_path / "cohort.h5mu")
    again = poems.read(tmp_path / "cohort.h5mu").obs
    assert again["mixed"].astype(object).dropna().tolist() == ["1", "a", "2.5"]


def test_damaged_and_misnamed_files(tmp_path):
    path = tmp_path / "cohort.h5mu"
    to_mudata(cohort()).write_h5mu(path)
    with pytest.raises(ReadError, match=r"is h5mu .*: name it so"):
        poems.read({"rna": path.rename(tmp_path / "rna.h5ad")})
    whole = (tmp_path / "rna.h5ad").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="damaged HDF5 file"):
        read_h5mu(path)
    with pytest.raises(ReadError, match=r"no\.h5mu does not exist"):
        poems.read(tmp_path / "no.h5mu")
    to_mudata(cohort())["rna"].write_h5ad(path)
    with pytest.raises(ReadError, match="is not h5mu: it holds no views"):
        poems.read(path)


@pytest.mark.filterwarnings("ignore:obs_names are not unique:UserWarning")
def test_views_that_share_features_are_refused():
    views = to_mudata(cohort())
    with mudata.set_options(pull_on_update=False):
        stacked = mudata.MuData({name: views[name].copy() for name in ("rna", "cnv")}, axis=1)
    with pytest.raises(DataError, match=r"sharing features, not samples \(axis=1\)"):
        poems.read(stacked)
