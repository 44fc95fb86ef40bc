from __future__ import annotations

import numpy as np
import pytest

from poems.clustering.chance import against_chance, needed_separation
from poems.clustering.how_many import try_numbers
from poems.clustering.redraws import PointRedraws
from poems.clustering.separation import told_apart_by


def _draws(mean: float, n: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.2, (n, 1))


def test_the_shape_in_which_chance_does_most_decides() -> None:
    none = {"gaussian": {2: _draws(3.0)}, "bent": {2: _draws(5.0)}}
    found = against_chance(np.array([4.6]), none, 2, 50)
    assert found.shape == "bent"
    assert found.chance > 0.5
    assert found.limit > 5.0
    assert against_chance(np.array([6.5]), none, 2, 50).chance < 1e-4


def test_the_space_in_which_clusters_are_far_enough_decides() -> None:
    none = {"even": {3: np.hstack([_draws(3.0), _draws(3.0, seed=1)])}}
    for own in ([3.0, 4.5], [4.5, 3.0]):
        found = against_chance(np.array(own), none, 3, 50)
        assert found.separation == 4.5 > found.limit


def test_halves_of_an_even_spread_are_never_far_enough_whatever_was_drawn() -> None:
    none = {"gaussian": {2: _draws(1.0)}}
    found = against_chance(np.array([3.6]), none, 2, 50)
    assert found.limit == needed_separation(50) > 3.6


def test_empty_clusters_in_every_draw_are_no_error() -> None:
    none = {"gaussian": {2: np.zeros((8, 1)), 3: np.zeros((8, 1))}}
    found = against_chance(np.array([0.0]), none, 2, 1)
    assert np.isfinite([found.limit, found.chance]).all()
    assert found.separation <= found.limit


@pytest.mark.parametrize("factor", [0, 2])
def test_parts_of_a_line_say_along_which_factor_it_runs(factor: int) -> None:
    rng = np.random.default_rng(0)
    latents = 0.3 * rng.standard_normal((60, 3))
    latents[:, factor] = np.linspace(-3.0, 3.0, 60)
    halves = (latents[:, factor] > 0).astype(np.intp)
    assert told_apart_by(latents, halves, 2).argmax() == factor
    (two,) = try_numbers(PointRedraws(latents, latents), {2: halves})
    assert two.along == (factor + 1,)
    assert two.found_again
    assert not two.apart


def test_the_same_draws_give_the_same_answer() -> None:
    rng = np.random.default_rng(1)
    latents = rng.standard_normal((40, 2))
    halves = (latents[:, 0] > 0).astype(np.intp)
    first, again = (try_numbers(PointRedraws(latents, latents), {2: halves}) for _ in range(2))
    assert first == again
