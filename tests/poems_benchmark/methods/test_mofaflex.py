from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from poems.data.container import MultiOmics, View
from poems.simulation.cohort import simulate
from poems_benchmark.methods.mofaflex import MofaFlex

# Importing it takes seconds: not while tests are collected.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mofaflex") is None, reason="mofaflex is not installed"),
]


def test_planted_factors_are_found_in_silence(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simulation = simulate(80, 40, 2, n_views=2, density=0.4, r2=0.7, n_subtypes=1, seed=1)
    states = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())
    result = MofaFlex(n_factors=2, max_epochs=200).fit(simulation.cohort, 0)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    # So short a training leaves the factors rotated, but all that was planted is in them.
    found = LinearRegression().fit(result.embedding, simulation.latent)
    assert found.score(result.embedding, simulation.latent) > 0.7


def test_the_seed_decides_and_gaps_are_missing() -> None:
    cohort = simulate(40, 20, 3, n_views=2, missing_views=0.3, missing_entries=0.1, seed=1).cohort
    name = next(iter(cohort))
    values = cohort[name].values.copy()
    values[:, 3] = 2.0
    views = dict(cohort.views) | {name: View(values, cohort[name].features, cohort[name].measured)}
    cohort = MultiOmics(views, cohort.samples, cohort.obs)
    method = MofaFlex(n_factors=3, max_epochs=10)
    first, again, other = (method.fit(cohort, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.embedding, again.embedding)
    assert not np.allclose(first.embedding, other.embedding)
    assert first.embedding.index.equals(cohort.samples)
    assert first.loadings is not None
    assert first.loadings[name].index.equals(cohort[name].features)
    assert (first.loadings[name].iloc[3] == 0).all()
