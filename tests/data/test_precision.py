"""Values far from zero keep their digits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems.data.precision import far_from_zero

X = np.random.default_rng(0).normal(size=(40, 12))


def cohort(offset: float) -> poems.MultiOmics:
    names = {"index": [f"s{n}" for n in range(40)], "columns": [f"g{n}" for n in range(12)]}
    return poems.read({"rna": pd.DataFrame(X + offset, **names)})


def test_ordinary_values_take_single_precision() -> None:
    assert cohort(8.0)["rna"].values.dtype == np.float32


def test_an_offset_changes_nothing() -> None:
    near = poems.fit(cohort(0.0), epochs=3, progress=False)
    far = poems.fit(cohort(1e8), epochs=3, progress=False)
    np.testing.assert_allclose(far.latent, near.latent, atol=2e-3)
    predicted = far.reconstruct()["rna"].to_numpy() - 1e8
    np.testing.assert_allclose(predicted, near.reconstruct()["rna"], atol=2e-3)


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
