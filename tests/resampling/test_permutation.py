from __future__ import annotations

import numpy as np
import torch

import poems
from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems
from poems.resampling.permutation import permuted_cohort, permuted_settings


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
