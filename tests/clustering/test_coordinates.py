from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.clustering.coordinates import principal_coordinates
from poems.clustering.distances import pairwise_distances


def distances(view: np.ndarray, there: np.ndarray | None = None) -> np.ndarray:
    mask = np.ones(view.shape, dtype=bool) if there is None else there
    return pairwise_distances(view, mask)


@given(st.integers(3, 20), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
def test_of_complete_views_they_are_principal_scores(n: int, d1: int, d2: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    views = [rng.standard_normal((n, d)) for d in (d1, d2)]
    points = principal_coordinates([distances(view) for view in views], 4)
    side_by_side = np.hstack([(x - x.mean(axis=0)) / np.sqrt(x.shape[1]) for x in views])
    left, singular, _ = np.linalg.svd(side_by_side, full_matrices=False)
    k = points.shape[1]
    assert k == min(4, int((singular > 1e-5 * singular[0]).sum()))
    # Up to rotation, for two may be equally strong; and of the same strength.
    np.testing.assert_allclose(points @ points.T, n * left[:, :k] @ left[:, :k].T, atol=1e-4 * n)


def test_a_sample_without_a_view_stands_where_its_other_views_say() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((120, 2))
    views = [z @ rng.standard_normal((2, 60)) + 0.3 * rng.standard_normal((120, 60)) for _ in "ab"]
    there = np.ones((120, 60), dtype=bool)
    there[:30] = False
    points = principal_coordinates([distances(views[0]), distances(views[1], there)], 2)
    axes = np.linalg.lstsq(points[30:], z[30:], rcond=None)[0]
    missed = np.square(z[:30] - points[:30] @ axes).sum() / np.square(z[:30]).sum()
    # With the view's mean in the gap they are drawn to the centre: a quarter is missed.
    assert missed < 0.05


def test_what_cannot_be_told_is_finite() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 4))
    nothing = np.full((6, 6), np.nan)
    np.fill_diagonal(nothing, 0.0)
    alone = principal_coordinates([distances(x)], 3)
    np.testing.assert_allclose(
        np.abs(principal_coordinates([distances(x), nothing], 3)), np.abs(alone), atol=0.2
    )
    apart = distances(x)
    apart[0, 1] = apart[1, 0] = np.nan
    assert np.isfinite(principal_coordinates([apart], 3)).all()
    assert principal_coordinates([np.zeros((5, 5))], 3).shape == (5, 0)


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_cohorts(n: int) -> None:
    x = np.arange(float(n))[:, None]
    assert principal_coordinates([distances(x)], 16).shape == (n, n - 1)
