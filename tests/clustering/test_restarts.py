"""K-means of our own against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from poems.clustering.kmeans import one_thread
from poems.clustering.restarts import restarted_kmeans


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("k", [2, 3, 7])
def test_it_finds_what_scikit_learn_finds_to_the_last_bit(k: int, grouped: bool) -> None:
    rng = np.random.default_rng(k)
    points = rng.normal(size=(80, 5))
    if grouped:
        points += 6 * rng.normal(size=(k, 5))[np.arange(80) % k]
    for seed in range(3):
        # Sums over several threads are rounded otherwise.
        with one_thread():
            expected = KMeans(k, n_init=4, random_state=seed).fit(points)
        labels, within = restarted_kmeans(points, k, n_starts=4, seed=seed)
        assert (labels == expected.labels_).all()
        assert within == expected.inertia_


def test_the_order_of_memory_changes_nothing() -> None:
    points = np.random.default_rng(0).normal(size=(40, 3))
    first = restarted_kmeans(points, 3, n_starts=2, seed=0)
    second = restarted_kmeans(np.asfortranarray(points), 3, n_starts=2, seed=0)
    assert (first[0] == second[0]).all()
    assert first[1] == second[1]


def test_points_stay_as_they_were() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    before = points.copy()
    restarted_kmeans(points, 2, n_starts=2, seed=0)
    assert (points == before).all()


def test_as_many_clusters_as_points_leave_nothing_within() -> None:
    points = np.arange(5.0)[:, None] ** 2
    labels, within = restarted_kmeans(points, 5, n_starts=3, seed=0)
    assert sorted(labels) == [0, 1, 2, 3, 4]
    assert within == pytest.approx(0.0, abs=1e-12)
