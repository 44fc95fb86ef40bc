"""Planted factors are found again, up to their order and sign."""

from __future__ import annotations

import numpy as np
import pytest

import poems
from poems.evaluation.matching import match_factors, support_scores
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation


def simulated(truth: str = "linear", **options: object) -> Simulation:
    return poems.simulate(
        n_samples=200,
        n_features={"rna": 120, "methylation": 120},
        n_factors=4,
        density=0.1,
        effect=(0.8, 1.6),
        truth=truth,
        seed=5,
        **options,
    )


@pytest.fixture(scope="module")
def planted() -> Simulation:
    return simulated()


@pytest.fixture(scope="module")
def recovered(planted: Simulation) -> FittedPoems:
    return poems.fit(planted.cohort, seed=0, n_latent=8, epochs=150, progress=False)


@pytest.mark.slow
def test_planted_factors_are_recovered(planted: Simulation, recovered: FittedPoems) -> None:
    assert recovered.n_active == 4
    scores = support_scores(planted.loadings, recovered.loadings)
    assert scores.f1 >= 0.9, scores


@pytest.mark.slow
def test_latents_follow_the_planted_factors(planted: Simulation, recovered: FittedPoems) -> None:
    match = match_factors(planted.loadings, recovered.loadings)
    latent = recovered.latent.to_numpy()[:, match.estimated]
    for k in range(4):
        correlation = np.corrcoef(latent[:, k], planted.latent.iloc[:, k])[0, 1]
        # The sign of a loading that is linear in truth tells the sign of its factor.
        assert correlation * match.sign[k] > 0.9


@pytest.mark.slow
def test_a_differentiated_penalty_gives_no_exact_zeros(planted: Simulation) -> None:
    model = poems.fit(planted.cohort, seed=0, n_latent=8, epochs=60, proximal=False, progress=False)
    assert model.n_active == 8
    assert all((table != 0).all().all() for table in model.weights.values())


@pytest.mark.slow
def test_factors_are_recovered_from_an_incomplete_cohort() -> None:
    planted = simulated(missing_views=0.2, missing_entries=0.1)
    model = poems.fit(planted.cohort, seed=0, n_latent=8, epochs=150, progress=False)
    assert support_scores(planted.loadings, model.loadings).f1 >= 0.9
