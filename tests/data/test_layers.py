"""Layers of AnnData: chosen by name on every way in, and named where none was chosen."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.errors import DataError, SettingsError

anndata = pytest.importorskip("anndata")
COUNTS = np.random.default_rng(0).poisson(5, size=(12, 4)).astype(np.float32)
LOGGED = np.log1p(COUNTS)


def data(*, with_x: bool = True) -> Any:
    obs = pd.DataFrame(index=[f"s{n}" for n in range(12)])
    var = pd.DataFrame(index=["g1", "g2", "g3", "g4"])
    layers = {"lognorm": LOGGED.copy(), "scaled": LOGGED / 2}
    return anndata.AnnData(COUNTS.copy() if with_x else None, obs=obs, var=var, layers=layers)


@pytest.fixture(params=["object", "h5ad", "h5ad alone", "h5mu", "h5ad on disk", "zarr", "view"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, bool]:
    kind: str = request.param
    if kind == "object":
        return {"a": data()}, False
    if kind == "view":
        return {"a": data()[:, :]}, False
    path = tmp_path / f"a.{kind.split()[0]}"
    with warnings.catch_warnings():
        # What these libraries say of their own plans.
        warnings.simplefilter("ignore")
        if kind == "h5mu":
            import mudata

            mudata.MuData({"a": data()}).write(path)
            return path, False
        if kind == "zarr":
            data().write_zarr(path)
            return path, True
        data().write_h5ad(path)
    return (path if kind == "h5ad alone" else {"a": path}), kind == "h5ad on disk"


def values(source: tuple[Any, bool], layer: Any) -> tuple[np.ndarray[Any, Any], set[str]]:
    views, backed = source
    cohort = poems.read(views, layer=layer, backed=backed)
    codes = {each.code for each in cohort.findings}
    if not backed:
        return cohort["a"].values, codes
    with cohort:  # type: ignore[attr-defined]
        return cohort.load()["a"].values, codes  # type: ignore[attr-defined]


@pytest.mark.parametrize("layer", ["lognorm", {"a": "lognorm"}])
def test_the_layer_that_is_named_is_read(source: tuple[Any, bool], layer: Any) -> None:
    found, codes = values(source, layer)
    np.testing.assert_array_equal(found, LOGGED)
    assert "layers" not in codes


def test_without_a_layer_x_is_read_and_the_others_are_named(source: tuple[Any, bool]) -> None:
    found, codes = values(source, None)
    np.testing.assert_array_equal(found, COUNTS)
    assert "layers" in codes


def test_a_layer_that_is_not_there_names_those_that_are(source: tuple[Any, bool]) -> None:
    with pytest.raises(DataError, match=r"has no layer 'counts'; there are 'lognorm', 'scaled'"):
        values(source, "counts")


def test_without_x_a_layer_has_to_be_chosen() -> None:
    with pytest.raises(DataError, match=r"has no X, but it has the layers 'lognorm', 'scaled'"):
        poems.read({"a": data(with_x=False)})
    np.testing.assert_array_equal(
        poems.read({"a": data(with_x=False)}, layer="lognorm")["a"].values, LOGGED
    )


def test_one_layer_for_all_is_that_of_those_that_can_have_layers() -> None:
    table = pd.DataFrame(COUNTS, index=[f"s{n}" for n in range(12)]).rename(columns="p{}".format)
    cohort = poems.read({"a": data(), "b": table}, layer="lognorm")
    np.testing.assert_array_equal(cohort["a"].values, LOGGED)
    np.testing.assert_array_equal(cohort["b"].values, COUNTS)
    for layer, message in (("x", "none of the views"), ({"b": "x"}, "has no layers")):
        with pytest.raises((SettingsError, DataError), match=message):
            poems.read({"b": table}, layer=layer)
    with pytest.raises(SettingsError, match="names the view 'c'"):
        poems.read({"a": data()}, layer={"c": "x"})


def test_the_command_line_takes_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.h5ad"
    data(with_x=False).write_h5ad(path)
    assert poems_here("check", path) == 1
    assert "--layer" in capsys.readouterr().out
    assert poems_here("check", path, "--layer", "a=lognorm") == 0
    assert poems_here("check", path, "--layer", "lognorm") == 0
    assert poems_here("check", path, "--layer", "a=", "--layer", "b=x") == 2
