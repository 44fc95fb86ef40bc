from __future__ import annotations

import numpy as np

from poems.clustering.found_again import beyond_chance, embedded, jaccard_indices, subsamples
from poems.clustering.groupless import GrouplessCohorts
from poems.clustering.how_many import try_numbers
from poems.clustering.kmeans import by_size, clusterings_of, one_thread
from poems.clustering.redraws import PointRedraws
from poems.clustering.tried import NumberTried, number_to_report


def _tried(points: np.ndarray, last: int = 7) -> tuple[NumberTried, ...]:
    with one_thread():
        formed = clusterings_of(points, None, range(2, last), 0)
        redraws = PointRedraws(points, points)
        return try_numbers(redraws, {k: by_size(labels) for k, labels in formed.items()})


def test_no_number_is_clearest_where_one_has_a_gap() -> None:
    points = np.repeat(9.0 * np.eye(3), 30, axis=0) + np.random.default_rng(0).normal(size=(90, 3))
    tried = _tried(points)
    assert number_to_report(tried) == 3
    assert not any(each.clearest for each in tried)
    assert all(each.again_without_groups is None for each in tried)


def test_what_is_found_again_in_every_subsample_has_an_index_of_one() -> None:
    labels = np.repeat([0, 1, 2], 20)
    rows = subsamples(60, 5, np.random.default_rng(0))
    assert rows.shape == (5, 48)
    renamed = np.array([2, 0, 1])[labels][rows]
    np.testing.assert_allclose(jaccard_indices(labels, 3, rows, renamed), 1.0)


def test_a_limit_grows_with_how_well_parts_of_a_continuum_are_found_again() -> None:
    # Two halves of a line are found again in any draw, eight parts of a cloud in hardly any.
    rng = np.random.default_rng(0)
    points = rng.standard_normal((100, 4)) * [6.0, 1.0, 1.0, 1.0]
    cohorts = GrouplessCohorts(PointRedraws(points, points), rng)
    found = beyond_chance(cohorts, {2: 1.0, 8: 1.0}, rng)
    assert found[2].limit > found[8].limit
    assert found[8].beyond
    assert found[2].surplus < found[8].surplus


def test_a_subsample_is_embedded_as_if_there_were_no_others() -> None:
    points = np.random.default_rng(0).standard_normal((30, 2))
    rows = subsamples(30, 3, np.random.default_rng(1))
    np.testing.assert_array_equal(embedded(PointRedraws(points, points), rows), points[rows])
