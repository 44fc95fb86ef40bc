"""Numbers that no fit can have left are not loaded, whatever their checksum says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poems
from poems.errors import StorageError
from poems.files.tensors import read_state, write_state


@pytest.fixture(scope="module")
def saved(
    tmp_path_factory: pytest.TempPathFactory, fitted_incomplete: poems.FittedPoems
) -> tuple[dict[str, Any], dict[str, Any]]:
    path = tmp_path_factory.mktemp("sensible") / "a.poems"
    fitted_incomplete.save(path)
    return read_state(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("samples.loc", np.nan, "holds numbers that are not finite"),
        ("module.decoders.0.loadings", np.inf, "holds numbers that are not finite"),
        ("module.prior.log_weights", np.nan, "holds numbers that are not finite"),
        ("samples.variance", -1.0, "they are above 0"),
        ("samples.variance", 0.0, "they are above 0"),
        ("samples.gates", 0.9, "sum to 1 for each sample"),
        ("samples.gates", -0.2, "they lie from 0 to 1"),
        ("samples.components", 2.0, "they lie from 0 to 1"),
        ("features.size.0", -1.0, "they are at least 0"),
        ("scaling.scale.1", 0.0, "they are above 0"),
        ("scaling.variance.0", -1.0, "they are at least 0"),
    ],
)
def test_a_number_out_of_its_range_is_named(
    saved: tuple[dict[str, Any], dict[str, Any]],
    tmp_path: Path,
    name: str,
    value: float,
    said: str,
) -> None:
    tensors, record = saved
    changed = tensors[name].copy()
    changed.reshape(-1)[0] = value
    write_state(tmp_path / "b.poems", {**tensors, name: changed}, record)
    with pytest.raises(StorageError, match=rf"'{name}'.*{said}"):
        poems.load(tmp_path / "b.poems")


def test_a_share_explained_is_at_most_one(
    saved: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    tensors, record = saved
    views = [{**record["views"][0], "r2": 1.5}, *record["views"][1:]]
    write_state(tmp_path / "b.poems", tensors, {**record, "views": views})
    with pytest.raises(StorageError, match="the share explained of view 'rna' is above 1"):
        poems.load(tmp_path / "b.poems")


def test_limits_and_weights_of_what_is_gone_may_be_infinite(
    saved: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    tensors, record = saved
    open_ended = {**tensors, "scaling.upper.0": np.full_like(tensors["scaling.upper.0"], np.inf)}
    gone = tensors["module.prior.log_weights"].copy()
    gone[0] = -np.inf
    open_ended["module.prior.log_weights"] = gone
    write_state(tmp_path / "b.poems", open_ended, record)
    assert poems.load(tmp_path / "b.poems").n_active >= 0
