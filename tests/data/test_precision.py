"""Values far from zero keep their digits."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import poems
from poems.data.disk.matrix import CsrArrays, DenseArray
from poems.data.disk.scan import scan
from poems.data.disk.view import BackedView
from poems.data.precision import far_from_zero

X = np.random.default_rng(0).normal(size=(40, 12))


def cohort(offset: float) -> poems.MultiOmics:
    names = {"index": [f"s{n}" for n in range(40)], "columns": [f"g{n}" for n in range(12)]}
    return poems.read({"rna": pd.DataFrame(X + offset, **names)})


def test_ordinary_values_take_single_precision() -> None:
    assert cohort(8.0)["rna"].values.dtype == np.float32


def test_a_feature_is_far_from_zero_beyond_ten_thousand_deviations() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 2))
    assert far_from_zero(noise + np.array([3e4, 3e3])).tolist() == [True, False]


def test_an_offset_changes_nothing() -> None:
    """Numbers of single precision lie 8 apart there; rounding may move a loading at the threshold.

    By the encoders' answers, for exact posteriors rest at kinks, where rounding decides.
    """
    options = {"epochs": 3, "inference": "amortised", "progress": False}
    near, far = (poems.fit(cohort(offset), **options) for offset in (0.0, 1e8))
    np.testing.assert_allclose(far.latent, near.latent, atol=1e-5)
    apart = np.abs(far.reconstruct()["rna"].to_numpy() - 1e8 - near.reconstruct()["rna"].to_numpy())
    assert np.quantile(apart, 0.9) < 1e-6
    assert apart.max() < 0.02


def test_one_new_sample_far_from_zero_keeps_its_digits() -> None:
    model = poems.fit(cohort(1e8), epochs=2, progress=False)
    whole = model.transform(cohort(1e8)).latent
    one = model.transform(poems.read({"rna": cohort(1e8).frame("rna").iloc[3:4]})).latent
    np.testing.assert_allclose(one, whole.iloc[3:4], atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(offset=st.floats(0, 1e12), scale=st.floats(1e-3, 1e3), gaps=st.booleans())
def test_what_takes_single_precision_loses_no_more_than_a_thousandth(
    offset: float, scale: float, gaps: bool
) -> None:
    values = X * scale + offset
    values[0, 0] = np.nan if gaps else values[0, 0]
    near = ~far_from_zero(values)
    lost = np.abs(values.astype(np.float32).astype(np.float64) - values)
    assert (np.nanmax(lost, axis=0)[near] <= 2e-3 * np.nanstd(values, axis=0)[near]).all()


@pytest.mark.parametrize("values", [np.full((30, 3), np.nan), np.zeros((0, 3)), np.ones((30, 3))])
def test_what_does_not_vary_is_not_far(values: np.ndarray) -> None:
    assert not far_from_zero(values).any()


def on_disk(cohort: poems.MultiOmics, path: Path) -> poems.MultiOmics:
    """The same cohort with its values left in a file, in double precision."""
    frame = cohort.frame("rna").astype(np.float64)
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=7)
    else:
        whole = sparse.csr_matrix(frame.to_numpy()) if "csr" in path.name else frame.to_numpy()
        obs, var = pd.DataFrame(index=frame.index), pd.DataFrame(index=frame.columns)
        data = anndata.AnnData(whole, obs=obs, var=var)
        data.write_h5ad(path) if path.suffix == ".h5ad" else data.write_zarr(path)
    return poems.read({"rna": path}, backed=True)


@pytest.mark.filterwarnings("ignore::UserWarning:anndata.*", "ignore:Writing zarr:UserWarning")
@pytest.mark.parametrize("name", ["a.parquet", "a.h5ad", "csr.h5ad", "a.zarr"])
def test_values_on_disk_keep_the_digits_that_they_keep_in_memory(tmp_path: Path, name: str) -> None:
    far = cohort(1e8)
    backed = on_disk(far, tmp_path / name)
    assert backed["rna"].rows(slice(None)).dtype == np.float64
    np.testing.assert_array_equal(backed["rna"].rows(slice(None)), far["rna"].values)
    np.testing.assert_array_equal(backed.load()["rna"].values, far["rna"].values)
    ordinary = on_disk(cohort(8.0), tmp_path / f"near.{name}")
    assert ordinary["rna"].rows(slice(None)).dtype == np.float32


@pytest.mark.parametrize("name", ["a.parquet", "csr.h5ad"])
def test_an_offset_changes_nothing_on_disk_either(tmp_path: Path, name: str) -> None:
    near, far = cohort(0.0), cohort(1e8)
    backed = on_disk(far, tmp_path / name)
    fitted, in_memory = (poems.fit(x, epochs=2, progress=False) for x in (backed, near))
    # Batches from a file come in another order, which moves them as far without an offset.
    np.testing.assert_allclose(fitted.latent, in_memory.latent, atol=5e-3)
    again = in_memory.transform(near).latent
    moved = poems.fit(far, epochs=2, progress=False)
    np.testing.assert_allclose(
        moved.transform(backed).latent, moved.transform(far).latent, atol=1e-5
    )
    np.testing.assert_allclose(moved.transform(backed).latent, again, atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(
    offset=st.sampled_from([0.0, 10.0, 4e3, 9e3, 1.1e4, 1e6, 1e8]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    n=st.sampled_from([5, 40]),
    gaps=st.booleans(),
    stored=st.sampled_from(["dense", "csr"]),
)
def test_on_disk_the_same_features_are_far_from_zero(
    offset: float, scale: float, n: int, gaps: bool, stored: str
) -> None:
    values = X[:n] * scale + offset
    values[0, 0] = np.nan if gaps else values[0, 0]
    x = sparse.csr_array(values)
    matrix = (
        DenseArray(values, "x")
        if stored == "dense"
        else CsrArrays(x.indptr, x.indices, x.data, values.shape, "x")
    )
    view = BackedView(matrix, pd.Index([f"g{j}" for j in range(12)]), np.arange(n))
    scan(view, "rna", pd.Index([f"s{i}" for i in range(n)]))
    assert (matrix.dtype is np.float64) == bool(far_from_zero(values).any())
