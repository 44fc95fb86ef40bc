from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from poems.data.disk.sorted_columns import SortedColumns
from poems.scaling.view_scaling import _limits

VALUES = st.sampled_from([-8.0, -1.0, -0.5, 0.0, 0.0, 0.0, 0.25, 1.0, 3.0, 40.0])
TABLES = npst.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=VALUES)


def sorted_columns(x: np.ndarray, *, stored: bool) -> SortedColumns:
    """The columns of a table, zeros stored or counted."""
    columns = [np.sort(column if stored else column[column != 0]) for column in x.T]
    n_zeros = np.zeros(x.shape[1], dtype=np.int64) if stored else np.sum(x == 0, axis=0)
    return SortedColumns(np.concatenate(columns), np.cumsum([len(c) for c in columns]), n_zeros)


@given(TABLES, st.booleans())
def test_order_statistics_and_moments_are_those_of_numpy(x: np.ndarray, stored: bool) -> None:
    columns = sorted_columns(x, stored=stored)
    for q in (0.0, 0.25, 0.5, 0.75, 1.0):
        np.testing.assert_allclose(columns.quantile(q), np.quantile(x, q, axis=0), atol=1e-12)
    np.testing.assert_allclose(columns.mean, x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(columns.variance, x.var(axis=0), atol=1e-9)
    np.testing.assert_array_equal(columns.lowest, x.min(axis=0))
    np.testing.assert_array_equal(columns.highest, x.max(axis=0))


@given(TABLES, st.booleans(), st.floats(-5, 0.4), st.floats(0.4, 5))
def test_clipping_and_counting_are_those_of_numpy(
    x: np.ndarray, stored: bool, lower: float, upper: float
) -> None:
    columns = sorted_columns(x, stored=stored)
    low, high = np.full(x.shape[1], lower), np.full(x.shape[1], upper)
    mean, variance = columns.clipped(low, high)
    clipped = np.clip(x, lower, upper)
    np.testing.assert_allclose(mean, clipped.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(variance, clipped.var(axis=0), atol=1e-9)
    np.testing.assert_array_equal(columns.count_beyond(low, high), (clipped != x).sum(axis=0))
    for value in (0.0, 1.0, 7.0):
        wanted = np.full(x.shape[1], value)
        np.testing.assert_array_equal(columns.count_of(wanted), (x == value).sum(axis=0))


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("n_sd", [None, 2.0, 5.0])
def test_limits_settle_where_those_in_memory_do(stored: bool, n_sd: float | None) -> None:
    rng = np.random.default_rng(0)
    share = np.linspace(0.004, 1.0, 40)  # from rare mutations to measurements
    x = rng.gamma(0.5, 1.0, size=(400, 40)) * (rng.random((400, 40)) < share)
    x[0, 30] = 1e4
    expected = _limits(x.copy(), n_sd)
    found = sorted_columns(x, stored=stored).limits(n_sd)
    np.testing.assert_array_equal(found.settled, expected.settled)
    np.testing.assert_allclose(found.lower, expected.lower, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.upper, expected.upper, rtol=1e-9, atol=1e-12)


def test_columns_without_a_value_are_unknown() -> None:
    columns = SortedColumns(np.empty(0), np.zeros(2, dtype=np.int64), np.array([0, 3]))
    assert np.isnan(columns.mean[0])
    assert np.isnan(columns.lowest[0])
    assert columns.mean[1] == 0
    assert columns.varies.tolist() == [False, False]
