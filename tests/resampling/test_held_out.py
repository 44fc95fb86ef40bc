from __future__ import annotations

import numpy as np
import pytest
import torch

import poems
from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems
from poems.resampling.held_out import held_out_r2
from poems.scaling.batch import Batch


def test_both_equal_the_formula(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    training, held_out = batch.take(torch.arange(50)), batch.take(torch.arange(50, 72))
    model, pca = held_out_r2(fitted, training, held_out)
    projection = fitted.reconstruct(simulation.cohort.take(range(50, 72)))
    stacked = np.hstack([x.numpy() / x.shape[1] ** 0.5 for x in batch.values.values()])
    mean = stacked[:50].mean(axis=0)
    _, _, axes = np.linalg.svd(stacked[:50] - mean, full_matrices=False)
    axes = axes[: fitted.n_active]
    fit = (stacked[50:] - mean) @ axes.T @ axes + mean
    start = 0
    for view, values in batch.values.items():
        x, m = values.numpy()[50:], values.numpy()[:50].mean(axis=0)
        total = np.square(x - m).sum()
        scaling = fitted.preprocessing.views[view]
        predicted = (projection[view].to_numpy() - scaling.offset) / scaling.scale
        assert model[view] == pytest.approx(1 - np.square(x - predicted).sum() / total, abs=1e-5)
        block = fit[:, start : start + x.shape[1]] * x.shape[1] ** 0.5
        assert pca[view] == pytest.approx(1 - np.square(x - block).sum() / total, abs=1e-5)
        start += x.shape[1]


def test_missing_entries_do_not_count(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    batch, _ = fitted_incomplete.preprocessing.apply(incomplete)
    spoiled = {}
    for i, (view, x) in enumerate(batch.values.items()):
        there = batch.measured[:, i][:, None].expand_as(x)
        spoiled[view] = torch.where(there, x, 1e6)
    other = Batch(spoiled, batch.observed, batch.measured)
    rows = torch.arange(20)
    expected = held_out_r2(fitted_incomplete, batch, batch.take(rows))
    assert held_out_r2(fitted_incomplete, other, other.take(rows)) == expected


def test_a_view_that_no_sample_has_has_no_score(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    measured = batch.measured.clone()
    measured[:10, 1] = False
    held_out = Batch(batch.values, batch.observed, measured).take(torch.arange(10))
    model, pca = held_out_r2(fitted, batch, held_out)
    assert np.isnan([model["protein"], pca["protein"]]).all()
    assert np.isfinite([model["rna"], pca["rna"]]).all()
