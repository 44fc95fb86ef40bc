from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from poems.clustering.distances import expected_distances, pairwise_distances, summed_distances
from poems.clustering.networks import (
    coordinates_from_distances,
    diffusion_coordinates,
    fuse,
    neighbours,
    network_coordinates,
    similarities,
)


def groups(
    rng: np.random.Generator, n_each: int, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(len(centres)), n_each)
    return centres[labels] + rng.standard_normal((len(labels), centres.shape[1])), labels


def complete(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x, np.ones(x.shape, dtype=bool)


def test_distances_are_root_mean_squares_over_common_features() -> None:
    x = np.random.default_rng(0).standard_normal((12, 5))
    expected = squareform(pdist(x)) / np.sqrt(5)
    np.testing.assert_allclose(pairwise_distances(*complete(x)), expected, atol=1e-7)


def test_missing_entries_are_left_out_of_a_distance_and_never_read() -> None:
    x = np.random.default_rng(1).standard_normal((6, 4))
    there = np.ones(x.shape, dtype=bool)
    there[0, 0], there[1, 1], there[2] = False, False, False
    spoilt = np.where(there, x, np.nan)
    distances = pairwise_distances(spoilt, there)
    assert distances[0, 1] == pytest.approx(np.sqrt(np.mean((x[0, 2:] - x[1, 2:]) ** 2)))
    # Sample 2 has nothing: it is far from and near to nobody.
    assert np.isnan(np.delete(distances[2], 2)).all()
    np.testing.assert_array_equal(distances, distances.T)


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_similarities_do_not_depend_on_the_unit(scale: float, shift: float) -> None:
    x = np.random.default_rng(2).standard_normal((15, 3))
    before = similarities(pairwise_distances(*complete(x)), 4)
    after = similarities(pairwise_distances(*complete(scale * x + shift)), 4)
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert ((before >= 0) & (before <= 1)).all()


def test_copies_of_a_sample_are_alike() -> None:
    x = np.repeat(np.random.default_rng(3).standard_normal((5, 2)), 8, axis=0)
    network = similarities(pairwise_distances(*complete(x)), 4)
    assert np.isfinite(network).all()
    assert (network[np.arange(0, 40, 8)][:, :8][0] == 1).all()
    assert np.isfinite(diffusion_coordinates(fuse([network, network], 4), 5)).all()


def test_the_fused_network_is_symmetric_and_does_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(4)
    networks = [
        similarities(pairwise_distances(*complete(rng.standard_normal((30, 3)))), 5)
        for _ in range(3)
    ]
    fused = fuse(networks, 5)
    np.testing.assert_allclose(fused, fused.T, atol=1e-12)
    # In single precision, in which networks are diffused.
    np.testing.assert_allclose(fuse(networks[::-1], 5), fused, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("n_neighbours", [1, 12])
def test_networks_are_fused_by_the_formula(n_neighbours: int) -> None:
    rng = np.random.default_rng(5)
    points = rng.standard_normal((3, 60, 3))
    networks = [similarities(pairwise_distances(*complete(x)), 5) for x in points]
    # A sample's nearest are what others have it among theirs, too; few of them make an array that
    # is kept sparse.
    near = []
    for network in networks:
        kept = np.argsort(-network, axis=1)[:, :n_neighbours]
        one_sided = np.zeros_like(network)
        np.put_along_axis(one_sided, kept, np.take_along_axis(network, kept, axis=1), axis=1)
        both = (one_sided + one_sided.T) / 2.0
        near.append(both / both.sum(axis=1, keepdims=True))
    states = [network / network.sum(axis=1, keepdims=True) for network in networks]
    for _ in range(2):
        moved = []
        for v, S in enumerate(near):
            others = (sum(states) - states[v]) / 2.0
            spread = S @ others @ S.T
            spread = (spread + spread.T) / 2.0 + np.eye(60)
            moved.append(spread / spread.sum(axis=1, keepdims=True))
        states = moved
    mean = sum(states) / 3.0
    fused = fuse(networks, n_neighbours, rounds=2)
    np.testing.assert_allclose(fused, (mean + mean.T) / 2.0, rtol=1e-5, atol=1e-8)


def test_networks_are_fused_alike_with_sparse_arrays_and_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    networks = [similarities(pairwise_distances(*complete(rng.random((70, 4)))), 7) for _ in "ab"]
    compiled = fuse(networks, 7)
    monkeypatch.setattr("poems.clustering.networks._CROWDED", 1.0)
    sparse = fuse(networks, 7)
    np.testing.assert_allclose(compiled, sparse, rtol=2e-5)


def test_more_rounds_than_it_takes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    networks = [
        similarities(pairwise_distances(*complete(groups(rng, 20, centres)[0])), 6)
        for centres in (np.eye(3), 3.0 * np.eye(3)[::-1], np.zeros((3, 2)))
    ]
    settled = fuse(networks, 6)
    monkeypatch.setattr("poems.clustering.networks._SETTLED", 0.0)
    every_round = fuse(networks, 6)
    assert not np.array_equal(settled, every_round)
    assert np.abs(settled - every_round).sum() < 1e-3 * every_round.sum()
    assert np.abs(fuse(networks, 6, rounds=2) - every_round).sum() > 0.01 * every_round.sum()


def test_a_permutation_of_the_samples_permutes_the_coordinates() -> None:
    rng = np.random.default_rng(5)
    x, _ = groups(rng, 12, np.array([[0.0, 0], [6, 0], [0, 6]]))
    view = rng.standard_normal((36, 8))
    order = rng.permutation(36)
    points = network_coordinates(x, [complete(view)], n_coordinates=5)
    permuted = network_coordinates(x[order], [complete(view[order])], n_coordinates=5)
    distance = squareform(pdist(points))
    np.testing.assert_allclose(
        squareform(pdist(permuted)), distance[np.ix_(order, order)], atol=1e-6
    )


def test_groups_that_no_view_shows_alone_are_found() -> None:
    # Four groups: one view separates two pairs, the other the members of each pair.
    rng = np.random.default_rng(6)
    labels = np.repeat(np.arange(4), 25)
    first = 3.0 * (labels // 2)[:, None] + rng.standard_normal((100, 6))
    second = 3.0 * (labels % 2)[:, None] + rng.standard_normal((100, 6))
    latent = 3.0 * np.stack([labels // 2, labels % 2], axis=1) + rng.standard_normal((100, 2))
    points = network_coordinates(latent, [complete(first), complete(second)])
    found = KMeans(4, n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(labels, found) > 0.8


def test_coordinates_solve_the_random_walk() -> None:
    rng = np.random.default_rng(12)
    graph = rng.random((12, 12))
    graph = graph + graph.T
    np.fill_diagonal(graph, 0.0)
    points = diffusion_coordinates(graph, 4)
    walk = graph / graph.sum(axis=1, keepdims=True)
    # Rows were scaled, which a ratio undoes; the first column belongs to the constant.
    for vector in (points[:, 1:] / points[:, :1]).T:
        vector = vector / np.linalg.norm(vector)
        moved = walk @ vector
        np.testing.assert_allclose(moved, (moved @ vector) * vector, atol=1e-6)


def test_samples_without_a_view_are_placed_by_their_latents() -> None:
    rng = np.random.default_rng(7)
    latent, labels = groups(rng, 30, np.array([[0.0, 0], [8, 0]]))
    view, there = complete(6.0 * labels[:, None] + rng.standard_normal((60, 5)))
    there[::3] = False
    view[~there] = np.nan
    points = network_coordinates(latent, [(view, there)])
    found = KMeans(2, n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(labels, found) == 1.0


def test_a_factor_that_sets_few_samples_apart_does_not_decide_alone() -> None:
    # Without the flattened network, three outliers on a factor of their own would take a
    # coordinate of their own before the groups do.
    rng = np.random.default_rng(8)
    latent, labels = groups(rng, 40, np.array([[0.0, 0], [5, 0]]))
    latent[:3, 1] = 60.0
    points = network_coordinates(latent, [])
    found = KMeans(2, n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(labels, found) > 0.9


@pytest.mark.parametrize(("n_samples", "n_coordinates"), [(2, 2), (3, 3), (8, 8), (40, 11)])
def test_tiny_cohorts_have_coordinates(n_samples: int, n_coordinates: int) -> None:
    x = np.random.default_rng(9).standard_normal((n_samples, 3))
    points = network_coordinates(x, [complete(x)])
    assert points.shape == (n_samples, n_coordinates)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0)


def test_a_model_without_factors_is_placed_by_its_views() -> None:
    rng = np.random.default_rng(10)
    view, labels = groups(rng, 20, np.array([[0.0] * 6, [7] * 6]))
    points = network_coordinates(np.zeros((40, 0)), [complete(view)])
    found = KMeans(2, n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(labels, found) == 1.0


@pytest.mark.parametrize(("n_samples", "expected"), [(3, 2), (20, 5), (150, 15), (5000, 20)])
def test_neighbours_grow_with_the_cohort(n_samples: int, expected: int) -> None:
    assert neighbours(n_samples) == expected


def test_samples_that_lack_the_same_views_are_not_drawn_together() -> None:
    # Four groups seen by each of three views; of every sample but a few one view is missing.
    rng = np.random.default_rng(11)
    labels = rng.integers(4, size=200)
    centres = 1.2 * rng.standard_normal((4, 40))
    absent = rng.integers(4, size=200)
    views = []
    for number in range(3):
        values, there = complete(centres[labels] + rng.standard_normal((200, 40)))
        there[absent == number] = False
        values[~there] = np.nan
        views.append((values, there))
    points = network_coordinates(None, views)
    found = KMeans(4, n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(labels, found) > 0.95
    assert adjusted_rand_score(absent, found) < 0.05


def test_distances_and_coordinates_do_not_depend_on_how_features_are_cut() -> None:
    rng = np.random.default_rng(0)
    x, there = rng.normal(size=(30, 12)), rng.random((30, 12)) < 0.9
    weights = rng.random(12) + 0.1
    cuts = (slice(0, 5), slice(5, 12))
    blocks = [(x[:, some], there[:, some], weights[some]) for some in cuts]
    whole = pairwise_distances(x, there, weights)
    np.testing.assert_allclose(summed_distances(blocks), whole, atol=1e-12)
    latent = rng.normal(size=(30, 3))
    for latents in (latent, None):
        found = coordinates_from_distances(latents, iter([whole]), n_coordinates=4)
        expected = network_coordinates(latents, [(x, there, weights)], n_coordinates=4)
        np.testing.assert_array_equal(found, expected)


def test_expected_distances_are_those_of_draws() -> None:
    rng = np.random.default_rng(3)
    means, variances = rng.normal(size=(5, 2)), rng.random((5, 2))
    draws = means + np.sqrt(variances) * rng.standard_normal((40_000, 5, 2))
    squares = np.square(draws[:, :, None] - draws[:, None]).mean(axis=(0, 3))
    found = expected_distances(means, variances)
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(found[off] ** 2, squares[off], rtol=0.03)
    np.testing.assert_array_equal(found.diagonal(), 0.0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_samples_of_which_little_is_known_are_no_group_for_that(seed: int) -> None:
    # Three factors that one view alone tells of, and 30 % of the samples lack it: exact posteriors.
    rng = np.random.default_rng(seed)
    z, lacks = rng.standard_normal((120, 3)), rng.random(120) < 0.3
    loadings = 0.35 * rng.standard_normal((3, 100))
    telling = z @ loadings + rng.standard_normal((120, 100))
    covariance = np.linalg.inv(np.eye(3) + loadings @ loadings.T)
    means = np.where(lacks[:, None], 0.0, telling @ loadings.T @ covariance)
    variances = np.where(lacks[:, None], 1.0, covariance.diagonal())
    other = rng.standard_normal((120, 40))
    views = [(telling, np.broadcast_to(~lacks[:, None], telling.shape)), complete(other)]

    def agreement(known: np.ndarray | None) -> float:
        points = network_coordinates(means, views, variances=known, rounds=5)
        found = KMeans(2, n_init=5, random_state=0).fit_predict(points)
        return float(adjusted_mutual_info_score(lacks, found))

    assert agreement(variances) < 0.2
    assert agreement(None) > 0.5


def test_where_a_sample_lacks_a_view_its_network_takes_the_similarities_of_all_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    latents, _ = groups(rng, 12, np.array([[0.0, 0.0], [6.0, 0.0]]))
    lacking = np.zeros((24, 24), dtype=bool)
    lacking[[3, 20]] = lacking[:, [3, 20]] = True
    np.fill_diagonal(lacking, False)
    distances = [squareform(pdist(latents + rng.normal(size=latents.shape))) for _ in range(2)]
    distances[1] = np.where(lacking, np.nan, distances[1])
    fused: list[np.ndarray] = []

    def keep(given: list[np.ndarray], *rest: int) -> np.ndarray:
        fused.extend(given)
        return fuse(given, *rest)

    monkeypatch.setattr("poems.clustering.networks.fuse", keep)
    coordinates_from_distances(latents, distances)
    first, flattened, whole, lacks = fused
    np.testing.assert_allclose(lacks[lacking], ((first + flattened) / 2)[lacking])
    assert (lacks[lacking] > 0).any()
    np.testing.assert_allclose(whole, similarities(distances[0], neighbours(24)))


def test_weights_count_over_the_features_that_both_samples_have() -> None:
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(9, 6)), rng.uniform(0.2, 3.0, size=6)
    there = rng.random((9, 6)) < 0.7
    there[:, 0] = True
    found = pairwise_distances(np.where(there, x, 1e6), there, weights)
    for one in range(9):
        for other in range(9):
            both = there[one] & there[other]
            squares = (weights * (x[one] - x[other]) ** 2)[both]
            expected = np.sqrt(squares.sum() / weights[both].sum())
            np.testing.assert_allclose(found[one, other], expected, atol=1e-7)
