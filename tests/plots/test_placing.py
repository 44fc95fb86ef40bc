"""Networks are laid out by the lengths of their paths."""

from __future__ import annotations

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest

from poems.plots.pairs.placing import components, path_lengths, placed_by_paths


def energy(points: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> float:
    """Kamada & Kawai's, at the scale that suits the points best."""
    upper = np.triu_indices(len(lengths), 1)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)[upper] / lengths[upper]
    return float(((apart * apart.sum() / (apart**2).sum() - 1) ** 2).sum())


@pytest.mark.parametrize("seed", range(4))
def test_paths_are_as_long_as_they_are(seed: int) -> None:
    graph = nx.gnp_random_graph(12, 0.15, seed=seed)
    assert np.array_equal(path_lengths(12, graph.edges), nx.floyd_warshall_numpy(graph))
    parts = sorted(map(sorted, nx.connected_components(graph)), key=lambda part: (-len(part), part))
    assert components(path_lengths(12, graph.edges)) == parts


def test_a_line_is_drawn_straight_and_a_ring_round() -> None:
    line = path_lengths(5, [(at, at + 1) for at in range(4)])
    assert energy(placed_by_paths(line), line) < 1e-3
    ring = placed_by_paths(path_lengths(6, [(at, (at + 1) % 6) for at in range(6)]))
    assert np.ptp(np.linalg.norm(ring, axis=1)) < 0.01


def test_leaves_of_one_node_do_not_lie_on_each_other() -> None:
    star = placed_by_paths(path_lengths(9, [(0, leaf) for leaf in range(1, 9)]))
    apart = np.linalg.norm(star[:, None] - star[None], axis=2) + 9 * np.eye(9)
    assert apart.min() > 0.3


def test_the_energy_is_about_that_of_the_reference_or_less() -> None:
    own, theirs = 0.0, 0.0
    for seed in range(6):
        graph = nx.bipartite.random_graph(5, 12, 0.4, seed=seed)
        part = max(nx.connected_components(graph), key=len)
        members = sorted(part)
        lengths = path_lengths(17, graph.edges)[np.ix_(members, members)]
        own += energy(placed_by_paths(lengths), lengths)
        places = nx.kamada_kawai_layout(graph.subgraph(members))
        theirs += energy(np.array([places[each] for each in members]), lengths)
    assert own < 1.1 * theirs


def test_it_lies_in_its_frame() -> None:
    points = placed_by_paths(path_lengths(4, [(0, 1), (1, 2), (1, 3)]))
    assert np.abs(points.mean(axis=0)).max() < 1e-12
    assert np.abs(points).max() == pytest.approx(1.0)
