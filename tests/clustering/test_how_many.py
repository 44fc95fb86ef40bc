from __future__ import annotations

import numpy as np
import pytest

from poems.clustering.chance import EVEN_HALVES
from poems.clustering.distances import pairwise_distances
from poems.clustering.how_many import try_numbers
from poems.clustering.kmeans import by_size, clusterings_of, one_thread
from poems.clustering.lloyd import kmeans_of_each
from poems.clustering.networks import coordinates_from_distances
from poems.clustering.redraws import NetworkRedraws
from poems.clustering.separation import least_separation
from poems.clustering.tried import NumberTried, number_to_report
from poems.clustering.without_groups import (
    completed_products,
    even_rotation,
    gaussian_rotation,
    rotated_distances,
)

_CENTRES = 7.0 * np.eye(6) / np.sqrt(2)


def _latents(k: int, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % k
    shift = _CENTRES[groups] if k > 1 else 0.0
    return rng.standard_normal((n, 6)) + shift


def _views(latents: np.ndarray, seed: int, lacking: float = 0.0) -> np.ndarray:
    """Distances of the samples in two views that the latents drive."""
    rng = np.random.default_rng([seed, 1])
    found = []
    for share in (0.0, lacking):
        values = latents @ rng.standard_normal((6, 40)) + 3.0 * rng.standard_normal(
            (len(latents), 40)
        )
        there = np.repeat((rng.random(len(latents)) >= share)[:, None], 40, axis=1)
        found.append(pairwise_distances(values, there))
    return np.stack(found)


def _tried(latents: np.ndarray, distances: np.ndarray, last: int = 6) -> tuple[NumberTried, ...]:
    with one_thread():
        points = coordinates_from_distances(latents, list(distances))
        formed = clusterings_of(points, None, range(2, last), 0)
        redraws = NetworkRedraws(latents, distances.astype(np.float32))
        return try_numbers(redraws, {k: by_size(labels) for k, labels in formed.items()})


@pytest.mark.parametrize(("planted", "lacking"), [(2, 0.0), (3, 0.3), (4, 0.0)])
def test_planted_groups_are_counted_in_most_cohorts(planted: int, lacking: float) -> None:
    found = []
    for seed in range(4):
        latents = _latents(planted, 90, seed)
        found.append(number_to_report(_tried(latents, _views(latents, seed, lacking))))
    assert found.count(planted) >= 3, found
    assert max(found) <= planted


def test_groups_that_touch_hold_if_they_are_found_again_beyond_chance() -> None:
    found, clearest = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        latents = rng.standard_normal((150, 6)) + 3.7 * np.eye(6)[np.arange(150) % 5] / np.sqrt(2)
        tried = _tried(latents, _views(latents, seed), last=7)
        found.append(number_to_report(tried))
        clearest += [each for each in tried if each.clearest]
    assert found.count(5) >= 3, found
    assert set(found) <= {1, 5}
    assert clearest
    for each in clearest:
        assert each.n_clusters == 5
        assert each.holds
        assert not each.apart
        assert each.again_without_groups is not None
        assert each.mean_jaccard > each.again_without_groups


def test_latents_of_one_gaussian_are_hardly_ever_groups() -> None:
    found = []
    for seed in range(6):
        latents = _latents(1, 80, seed) * [3.0, 2.0, 1.0, 1.0, 1.0, 1.0]
        found.append(number_to_report(_tried(latents, _views(latents, seed, 0.3))))
    assert found.count(1) >= 5, found


def test_a_bent_continuum_is_no_groups() -> None:
    angle = np.linspace(0.0, np.pi, 120)
    latents = np.column_stack([np.cos(angle), np.sin(angle), np.zeros((120, 4))]) * 4.0
    latents += 0.3 * np.random.default_rng(0).standard_normal(latents.shape)
    assert number_to_report(_tried(latents, _views(latents, 0))) == 1


def test_the_order_of_samples_and_views_does_not_change_the_number() -> None:
    latents = _latents(3, 90, 0)
    distances = _views(latents, 0)
    rows = np.random.default_rng(0).permutation(90)
    turned = distances[::-1][:, rows[:, None], rows[None, :]]
    first, again = _tried(latents, distances), _tried(latents[rows], turned)
    assert number_to_report(first) == number_to_report(again) == 3
    apart = [each.separation for each in first], [each.separation for each in again]
    np.testing.assert_allclose(apart[0][1], apart[1][1], rtol=1e-6)


def test_too_few_samples_hold_no_number_above_one() -> None:
    latents = _latents(2, 8, 0)
    assert number_to_report(_tried(latents, _views(latents, 0), last=4)) == 1


@pytest.mark.parametrize("shape", ["gaussian", "even", "bent"])
def test_rotated_samples_have_the_same_mean_and_covariances(shape: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((30, 12)) @ rng.standard_normal((12, 12))
    values -= values.mean(axis=0)
    scores = np.linalg.svd(values, full_matrices=False)[0][:, :10]
    turn = (
        gaussian_rotation(30, rng)
        if shape == "gaussian"
        else even_rotation(scores, rng, bent=shape == "bent")
    )
    turned = turn @ values
    np.testing.assert_allclose(turned.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(turned.T @ turned, values.T @ values, atol=1e-8)
    everywhere = np.ones(30, dtype=bool)
    distances = rotated_distances(values @ values.T, everywhere, turn)
    direct = np.linalg.norm(turned[:, None] - turned[None, :], axis=2)
    np.testing.assert_allclose(distances, direct, atol=1e-6)
    assert not np.allclose(turned, values)


def test_an_absent_view_is_completed_and_absent_again() -> None:
    latents = _latents(1, 60, 0)
    distances = _views(latents, 0, lacking=0.4)
    rng = np.random.default_rng(0)
    products, there = completed_products(list(distances), latents, rng)[1]
    assert 0 < there.sum() < 60
    assert (np.diag(products) > 0).all()
    lent, own = np.diag(products)[~there].mean(), np.diag(products)[there].mean()
    assert 0.7 < lent / own < 1.4
    turned = rotated_distances(products, there, gaussian_rotation(60, rng))
    assert np.isnan(turned[~there][:, there]).all()
    assert np.isfinite(turned[np.ix_(there, there)]).all()


def test_how_far_clusters_are_apart_does_not_hang_on_axes_or_scales() -> None:
    rng = np.random.default_rng(0)
    points, labels = _latents(3, 150, 0), np.arange(150) % 3
    expected = least_separation(points, labels, 3)
    assert 6.0 < expected < 8.0
    mixed = points @ rng.standard_normal((6, 6)) + 5.0
    assert least_separation(mixed, labels, 3) == pytest.approx(expected, rel=0.02)
    renamed = np.array([2, 0, 1])[labels]
    assert least_separation(points, renamed, 3) == pytest.approx(expected)


def test_parts_of_an_even_line_are_no_farther_apart_than_its_halves() -> None:
    line = np.linspace(0.0, 1.0, 240)[:, None]
    for k in (2, 3, 4, 6):
        assert least_separation(line, np.arange(240) * k // 240, k) <= EVEN_HALVES


def test_more_clusters_than_distinct_points_leave_some_empty() -> None:
    points = np.repeat([[[0.0], [1.0]]], 6, axis=1)
    labels = kmeans_of_each(points, 5, np.random.default_rng(0))[0]
    assert len(set(zip(points[0, :, 0], labels, strict=True))) == len(set(labels)) == 2


def test_many_sets_are_clustered_as_each_by_itself_would_be() -> None:
    from sklearn.cluster import KMeans

    sets = np.stack([_latents(4, 60, seed) for seed in range(5)])
    found = kmeans_of_each(sets, 4, np.random.default_rng(0))
    for points, labels in zip(sets, found, strict=True):
        within = sum(
            ((points[labels == k] - points[labels == k].mean(axis=0)) ** 2).sum() for k in range(4)
        )
        best = KMeans(4, n_init=20, random_state=0).fit(points).inertia_
        assert within <= 1.001 * best
