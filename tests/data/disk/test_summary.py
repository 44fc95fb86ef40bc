from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from poems.data.container import View
from poems.data.disk import summary
from poems.data.disk.facts import backed_facts
from poems.data.disk.matrix import CsrArrays, DenseArray
from poems.data.disk.summary import summarise
from poems.data.disk.view import BackedView
from poems.data.facts import view_facts


def backed(x: np.ndarray, *, is_sparse: bool, position: np.ndarray | None = None) -> BackedView:
    features = pd.Index([f"g{j}" for j in range(x.shape[1])])
    matrix: CsrArrays | DenseArray = DenseArray(x, "x")
    if is_sparse:
        csr = sparse.csr_array(x)
        matrix = CsrArrays(csr.indptr, csr.indices, csr.data, x.shape, "x")
    return BackedView(matrix, features, np.arange(len(x)) if position is None else position)


def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.gamma(1.0, 1.0, size=(120, 30)) * (rng.random((120, 30)) < np.linspace(0.01, 1, 30))
    x[3, 7], x[10:14, 20], x[:, 2], x[:, 5], x[:, 6] = np.nan, np.nan, np.nan, 0.0, 2.0
    x[0, 25] = 900.0
    return x.astype(np.float32)


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("small", [True, False])
def test_statistics_do_not_depend_on_how_they_are_gathered(
    is_sparse: bool, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:
        monkeypatch.setattr(summary, "_GATHERED", 500)
        monkeypatch.setattr(summary, "_SORTED", 200)
        monkeypatch.setattr("poems.data.disk.matrix.PASS_BYTES", 1000)
    x = table()
    position = np.concatenate([[-1], np.arange(119, 9, -1)])
    used = x[10:].astype(np.float64)
    view = backed(x, is_sparse=is_sparse, position=position)
    found = summarise(view, log1p=False, n_sd=5.0)
    there = ~np.isnan(used).all(axis=0)
    np.testing.assert_array_equal(found.features.n_present, (~np.isnan(used)).sum(axis=0))
    np.testing.assert_allclose(found.features.mean[there], np.nanmean(used[:, there], axis=0))
    np.testing.assert_allclose(
        found.features.upper_quartile[there], np.nanquantile(used[:, there], 0.75, axis=0)
    )
    assert found.values.total == pytest.approx(np.nansum(used))
    assert found.values.median() == pytest.approx(np.nanmedian(used), rel=0.01)
    assert summarise(view, log1p=False, n_sd=5.0) is found, "computed once"


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("log1p", [True, False])
@pytest.mark.parametrize("kind", ["measured", "counts", "levels", "constant"])
def test_facts_are_those_in_memory(is_sparse: bool, log1p: bool, kind: str) -> None:
    x = table()
    if kind == "counts":
        x = np.round(x * 100)
    elif kind == "levels":
        x = np.clip(np.round(x), 0, 2)
    elif kind == "constant":
        x = np.ones_like(x)
    view = backed(x, is_sparse=is_sparse)
    samples = pd.Index([f"s{i}" for i in range(len(x))])
    expected = view_facts("v", View(x, view.features, view.measured), samples, log1p)
    found = backed_facts("v", view, samples, log1p)
    for name in ("empty", "constant", "rare"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("n_measured", "n_missing", "n_entries", "n_incomplete", "levels", "transformed"):
        assert getattr(found, name) == getattr(expected, name), name
    assert (found.scale is None) == (expected.scale is None)
    if expected.scale is not None:
        assert found.scale == pytest.approx(expected.scale)
    assert (found.raw is None) == (expected.raw is None)
    if expected.raw is not None and found.raw is not None:
        assert found.raw.median == pytest.approx(expected.raw.median, rel=0.01)
        assert found.raw.largest == expected.raw.largest
    assert (found.outliers is None) == (expected.outliers is None)
    if expected.outliers is not None and found.outliers is not None:
        assert found.outliers.features == expected.outliers.features
        assert found.outliers.sample == expected.outliers.sample
        assert found.outliers.n == expected.outliers.n
