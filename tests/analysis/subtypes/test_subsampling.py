from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.analysis.subtypes.subsampling import (
    consensus_of,
    jaccard_of,
    mean_consensus,
    subsampled_clusterings,
)


def blobs(sizes: list[int], apart: float = 9.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.repeat(apart * np.eye(len(sizes), 4), sizes, axis=0)
    return centres + rng.normal(size=centres.shape)


def test_clear_groups_stay_together() -> None:
    labels = subsampled_clusterings(blobs([20, 15, 10]), 3, n_rounds=30, seed=1)
    assert labels is not None
    assert ((labels >= 0).sum(axis=1) == 36).all()
    codes = np.repeat([0, 1, 2], [20, 15, 10])
    matrix = consensus_of(labels)
    np.testing.assert_array_equal(matrix, (codes[:, None] == codes).astype(float))
    assert jaccard_of(codes, labels, 3).tolist() == [1.0, 1.0, 1.0]


def test_one_blob_falls_apart_in_many_ways() -> None:
    points = blobs([60])
    labels = subsampled_clusterings(points, 4, n_rounds=40, seed=0)
    assert labels is not None
    codes = np.argsort(np.argsort(points[:, 0])) % 4
    assert jaccard_of(codes, labels, 4).max() < 0.5


@given(st.lists(st.lists(st.integers(-1, 3), min_size=6, max_size=6), min_size=1, max_size=5))
def test_consensus_is_counted_over_rounds_with_both(rounds: list[list[int]]) -> None:
    labels = np.array(rounds)
    matrix = consensus_of(labels)
    for i in range(6):
        for j in range(i):
            both = (labels[:, i] >= 0) & (labels[:, j] >= 0)
            together = both & (labels[:, i] == labels[:, j])
            expected = together.sum() / both.sum() if both.any() else np.nan
            np.testing.assert_allclose([matrix[i, j], matrix[j, i]], expected)


def test_draws_are_those_of_the_seed_whatever_the_number() -> None:
    points = blobs([20, 20])
    two = subsampled_clusterings(points, 2, n_rounds=4, seed=3)
    three = subsampled_clusterings(points, 3, n_rounds=4, seed=3)
    other = subsampled_clusterings(points, 2, n_rounds=4, seed=4)
    assert two is not None and three is not None and other is not None  # noqa: PT018
    np.testing.assert_array_equal(two >= 0, three >= 0)
    assert ((two >= 0) != (other >= 0)).any()


def test_too_few_points_give_nothing() -> None:
    assert subsampled_clusterings(np.zeros((10, 2)), 2, n_rounds=3) is None
    assert subsampled_clusterings(blobs([5]), 4, n_rounds=3) is None
    one = subsampled_clusterings(np.zeros((5, 0)), 1, n_rounds=3)
    assert one is not None
    assert one.max() == 0


def test_mean_consensus_leaves_out_the_sample_itself() -> None:
    matrix = np.array([[1.0, 0.4, 0.2], [0.4, 1.0, 0.6], [0.2, 0.6, 1.0]])
    mean = mean_consensus(matrix, np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(mean[:, 0], [0.4, 0.4, 0.4])
    np.testing.assert_allclose(mean[:, 1], [0.2, 0.6, np.nan])


def test_a_lost_subtype_is_told_from_a_kept_one() -> None:
    codes = np.repeat([0, 1, 2], 10)
    kept = np.repeat([0, 1, 1], 10)
    found = jaccard_of(codes, np.stack([codes, kept]), 3)
    assert found.tolist() == pytest.approx([1.0, 0.75, 0.75])
