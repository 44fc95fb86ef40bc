from __future__ import annotations

import numpy as np
import pytest

from poems.clustering.distances import pairwise_distances
from poems.clustering.groupless import GrouplessCohorts, separated
from poems.clustering.how_many import drawn_rows, try_numbers
from poems.clustering.networks import coordinates_from_distances, neighbours
from poems.clustering.redraws import Groupless, NetworkRedraws, PointRedraws, Shape


def _halves(apart: float, n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of two groups, and which they are in."""
    groups = np.arange(n) % 2
    points = np.random.default_rng(seed).standard_normal((n, 3))
    return points + apart * groups[:, None] * np.eye(3)[0], groups


class _Counted(GrouplessCohorts):
    """Cohorts without groups that tell how many were asked for."""

    def __init__(self, redraws: PointRedraws) -> None:
        super().__init__(redraws, np.random.default_rng(0))
        self.asked: dict[Shape, int] = {}

    def of(self, shape: Shape, start: int, stop: int) -> list[Groupless]:
        self.asked[shape] = stop
        return super().of(shape, start, stop)


def _asked(apart: float, seed: int = 0) -> dict[Shape, int]:
    points, groups = _halves(apart, seed=seed)
    redraws = PointRedraws(points, points)
    cohorts = _Counted(redraws)
    separated(redraws, {2: groups}, [2], cohorts, np.random.default_rng(1))
    return cohorts.asked


def test_a_cohort_is_drawn_once_for_all_who_ask_for_it() -> None:
    points, _ = _halves(0.0)
    cohorts = GrouplessCohorts(PointRedraws(points, points), np.random.default_rng(0))
    first = cohorts.of("even", 0, 4)
    assert all(a is b for a, b in zip(first, cohorts.of("even", 0, 6), strict=False))
    assert len(cohorts.of("even", 4, 30)) == 26


def test_clear_answers_take_few_cohorts_without_groups() -> None:
    assert _asked(9.0) == {"bent": 4, "even": 4, "gaussian": 4}
    # What bent continua are as well is not tried with others.
    assert _asked(1.0) == {"bent": 4}


def test_close_answers_take_more_cohorts_of_the_shape_that_decides() -> None:
    asked = [_asked(apart, seed) for apart in (4.2, 4.6, 5.0) for seed in range(3)]
    assert max(max(each.values()) for each in asked) >= 16
    assert all(list(each.values()).count(4) >= len(each) - 1 for each in asked)


def test_a_network_of_some_samples_has_the_same_share_of_neighbours() -> None:
    points, _ = _halves(3.0, n=250)
    distances = pairwise_distances(points, np.ones(points.shape, dtype=bool))[None]
    redraws = NetworkRedraws(points, distances.astype(np.float32))
    rows = np.arange(125)
    assert (neighbours(125), neighbours(125, 250)) == (12, 10)
    expected = coordinates_from_distances(
        points[rows], [redraws.distances[0][:125, :125].astype(float)], rounds=3, cohort_size=250
    )
    np.testing.assert_array_equal(redraws.of_some(rows), expected)
    np.testing.assert_array_equal(redraws.some(rows).of_some(rows), expected)


@pytest.mark.parametrize("n", [500, 900])
def test_a_subtype_of_one_in_twenty_is_not_lost_among_many_samples(n: int) -> None:
    rng = np.random.default_rng(0)
    groups = np.digitize(np.arange(n) % 20, [10, 19])
    points = 9.0 * np.eye(3)[groups] + rng.standard_normal((n, 3))
    rows = drawn_rows(n, seed=0)
    (three,) = try_numbers(PointRedraws(points[rows], points[rows]), {3: groups[rows]})
    assert three.smallest >= 15
    assert three.found_again
    assert three.apart


@pytest.mark.parametrize("lacking", [0, 8])
def test_a_network_of_rotated_samples_is_that_of_their_distances(lacking: int) -> None:
    """Their principal coordinates are those of the samples, rotated, and not sought again."""
    rng = np.random.default_rng(0)
    latents, there = rng.standard_normal((60, 3)), np.ones((60, 40), dtype=bool)
    views = [latents @ rng.standard_normal((3, 40)) + rng.standard_normal((60, 40)) for _ in "ab"]
    distances = [pairwise_distances(views[0], there)]
    there[:lacking] = False
    distances.append(pairwise_distances(views[1], there))
    # What is drawn has distances in single precision; what its network is made of has not.
    drawn = NetworkRedraws(latents, np.stack(distances).astype(np.float32)).without_groups(
        np.random.default_rng(1), "even"
    )
    again = drawn.of_some(np.arange(60))
    np.testing.assert_allclose(drawn.points, again, atol=1e-4)
