"""A view on disk on the model's scale, dense or sparse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from poems.data.disk.matrix import CsrArrays, DenseArray
from poems.data.disk.view import BackedView
from poems.scaling.disk.scaled import ScaledView
from poems.scaling.view_scaling import ViewScaling

N, WIDTH = 12, 4


@pytest.mark.parametrize("lower", [-1.0, 0.5], ids=["zeros within", "zeros beyond the limits"])
def test_sparse_rows_are_scaled_clipped_and_counted_as_dense_ones(lower: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 1.5, size=(N, WIDTH)) * (rng.random((N, WIDTH)) < 0.5)
    features = pd.Index([f"g{j}" for j in range(WIDTH)])
    scaling = ViewScaling(
        features=features,
        log1p=False,
        lower=np.full(WIDTH, lower),
        upper=np.full(WIDTH, 2.0),
        offset=np.arange(WIDTH) / 2,
        scale=np.arange(1.0, WIDTH + 1),
        fill=np.zeros(WIDTH),
        variance=np.ones(WIDTH),
    )
    rows = sparse.csr_array(x)
    matrices = (
        DenseArray(x, "dense"),
        CsrArrays(rows.indptr, rows.indices, rows.data, x.shape, "sparse"),
    )
    dense, spread = (
        ScaledView(
            "rna", BackedView(matrix, features, np.arange(N)), scaling, np.arange(WIDTH)
        ).rows(np.arange(2, 9))
        for matrix in matrices
    )
    np.testing.assert_array_equal(dense.values, spread.values)
    clipped = (x[2:9] < lower) | (x[2:9] > 2.0)
    assert dense.n_clipped == spread.n_clipped == clipped.sum()
    assert clipped.any()
