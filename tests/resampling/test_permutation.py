from __future__ import annotations

import numpy as np
import torch

import poems
from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems
from poems.resampling.permutation import latents_of_truth, permuted_cohort, permuted_settings


def parts(model: FittedPoems, cohort: MultiOmics) -> tuple[dict, dict]:
    """Predictions and values of a cohort on the model's scale."""
    batch, _ = model.preprocessing.apply(cohort)
    with torch.no_grad():
        eta = model.module.decode(model.sample_estimates.loc)
    return {v: e.numpy() for v, e in eta.items()}, {v: x.numpy() for v, x in batch.values.items()}


def test_effects_stay_and_residuals_move_as_rows(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    permuted = permuted_cohort(fitted, simulation.cohort, seed=1)
    eta, x = parts(fitted, simulation.cohort)
    for view in simulation.cohort.views:
        before = x[view] - eta[view]
        after = permuted[view].values - eta[view]
        # Every row is one of the residuals, each used once, and nearly all at another place.
        gaps = np.abs(after[:, None] - before[None]).max(axis=2)
        source = gaps.argmin(axis=1)
        assert gaps.min(axis=1).max() < 1e-5
        assert sorted(source) == list(range(len(source)))
        assert (source == np.arange(len(source))).mean() < 0.2
        np.testing.assert_allclose(np.cov(after.T), np.cov(before.T), atol=1e-5)


def test_factors_of_zeros_and_ones_are_as_strong_in_the_permuted_cohort() -> None:
    """Latents are drawn as widely as they are known: means and variances are the posterior's."""
    planted = poems.simulate(
        60, 40, 2, density=0.3, n_views=2, effect=(1.5, 2.0), n_subtypes=1, seed=0,
        kinds={"view1": "bernoulli"},
    )  # fmt: skip
    model = poems.fit(planted.cohort, seed=0, epochs=10, n_latent=3, progress=False)
    known, rng = model.sample_estimates, np.random.default_rng(0)
    draws = torch.stack([latents_of_truth(model, rng) for _ in range(400)])
    error = (known.variance / len(draws)).sqrt()
    assert ((draws.mean(dim=0) - known.loc).abs() < 5 * error).all()
    torch.testing.assert_close(draws.var(dim=0), known.variance, rtol=0.4, atol=0.0)
    assert (known.variance > 0).all()


def test_what_was_not_measured_stays_so(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    permuted = permuted_cohort(fitted_incomplete, incomplete, seed=1)
    for name, view in permuted.views.items():
        np.testing.assert_array_equal(view.measured, incomplete[name].measured)
        assert np.isnan(view.values[~view.measured]).all()
        before = np.isnan(incomplete[name].values[view.measured])
        after = np.isnan(view.values[view.measured])
        # Missing entries move with their row: as many in each feature as before.
        np.testing.assert_array_equal(after.sum(axis=0), before.sum(axis=0))
        assert not np.array_equal(after, before)


def test_the_seed_decides(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    one, same, other = (permuted_cohort(fitted, simulation.cohort, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one["rna"].values, same["rna"].values)
    assert not np.array_equal(one["rna"].values, other["rna"].values)


def test_values_are_not_logged_twice() -> None:
    settings = poems.Settings().updated(log1p=("rna",), most_variable=10, epochs=7)
    again = permuted_settings(settings)
    assert (again.preprocessing.log1p, again.preprocessing.most_variable) == ((), None)
    assert again.training.epochs == 7
