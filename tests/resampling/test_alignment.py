from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.resampling.alignment import align, aligned_loadings, chance_similarity

N_FACTORS = 4


def planted(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    loadings = {}
    for view, size in {"rna": 60, "protein": 30}.items():
        w = rng.uniform(0.5, 1.5, (size, N_FACTORS)) * rng.choice([-1, 1], (size, N_FACTORS))
        loadings[view] = w * (rng.random(w.shape) < 0.2)
        loadings[view][:N_FACTORS] = np.eye(N_FACTORS)
    return loadings, rng.standard_normal((40, N_FACTORS))


@given(seed=st.integers(0, 10_000))
def test_order_and_signs_of_a_refit_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, sign = rng.permutation(N_FACTORS), rng.choice([-1.0, 1.0], N_FACTORS)
    loadings, latent = planted(seed)
    other = {view: (w * sign)[:, order] for view, w in loadings.items()}
    alignment = align(loadings, latent, other, 3.0 * (latent * sign)[:, order] + 1.0)
    np.testing.assert_array_equal(order[alignment.factor], np.arange(N_FACTORS))
    np.testing.assert_array_equal(alignment.sign, sign)
    np.testing.assert_allclose(alignment.similarity, 1.0)
    assert alignment.found.all()
    for view, table in aligned_loadings(other, alignment).items():
        np.testing.assert_allclose(table, loadings[view])


def test_the_sign_comes_from_the_latents_where_effects_have_no_direction() -> None:
    loadings, latent = planted(0)
    rng = np.random.default_rng(1)
    scrambled = {view: w * rng.choice([-1.0, 1.0], w.shape) for view, w in loadings.items()}
    alignment = align(loadings, latent, scrambled, -latent)
    np.testing.assert_array_equal(alignment.factor, np.arange(N_FACTORS))
    np.testing.assert_array_equal(alignment.sign, -1.0)


def test_a_factor_that_is_not_there_is_not_found_and_selects_nothing() -> None:
    loadings, latent = planted(0)
    other = {view: w[:, [2, 0]].copy() for view, w in loadings.items()}
    # In place of the second factor one with loadings elsewhere.
    for view, w in loadings.items():
        other[view][:, 1] = (w == 0).all(axis=1)
    alignment = align(loadings, latent, other, latent[:, [2, 0]])
    np.testing.assert_array_equal(alignment.found, [False, False, True, False])
    aligned = aligned_loadings(other, alignment)
    for view, table in aligned.items():
        np.testing.assert_array_equal(table[:, 2], loadings[view][:, 2])
        assert not table[:, [0, 1, 3]].any()


def test_a_refit_without_factors_has_none_of_the_references() -> None:
    loadings, latent = planted(0)
    empty = {view: w[:, :0] for view, w in loadings.items()}
    alignment = align(loadings, latent, empty, latent[:, :0])
    assert not alignment.found.any()
    assert not aligned_loadings(empty, alignment)["rna"].any()


def test_chance_is_well_below_a_match_and_grows_with_density() -> None:
    loadings, _ = planted(0)
    rng = np.random.default_rng(0)
    sparse = chance_similarity(loadings, loadings, rng).mean()
    dense = {view: np.abs(w) + 0.5 for view, w in loadings.items()}
    assert sparse < 0.5
    assert chance_similarity(dense, dense, rng).mean() > 0.7
    again = chance_similarity(loadings, loadings, np.random.default_rng(0)).mean()
    assert sparse == pytest.approx(again)
