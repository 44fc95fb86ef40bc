from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from poems.data.container import MultiOmics
from poems.evaluation.paper.protocol import kmeans_scores
from poems.settings.schema import Settings
from poems.simulation.cohort import simulate
from poems_benchmark.methods.autoencoder import Autoencoder

FEW = Autoencoder(Settings().updated(epochs=5, n_latent=4, encoder_layers=(8,)))


def test_planted_subtypes_are_found() -> None:
    simulation = simulate(90, 60, 4, n_views=2, density=0.3, n_subtypes=3, separation=8, seed=0)
    points = Autoencoder(Settings().updated(epochs=40)).fit(simulation.cohort, 0).embedding
    assert points.shape == (90, Settings().model.n_latent)
    assert kmeans_scores(points, simulation.subtypes).mean["nmi"] > 0.9


def test_training_lowers_the_loss() -> None:
    cohort = simulate(90, 60, 4, n_views=2, density=0.3, separation=8, seed=0).cohort
    losses = [
        Autoencoder(Settings().updated(epochs=epochs)).fit(cohort, 0).details["loss"]
        for epochs in (1, 60)
    ]
    # The mean of each view's features gives 1 a view.
    assert losses[1] < 0.8 * losses[0]


def test_the_seed_decides_and_the_random_state_is_left_alone(incomplete: MultiOmics) -> None:
    state = torch.get_rng_state()
    first, again, other = (FEW.fit(incomplete, seed).embedding for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_what_stands_in_unmeasured_rows_changes_nothing(
    incomplete: MultiOmics, spoil: Callable[[MultiOmics], MultiOmics]
) -> None:
    np.testing.assert_array_equal(
        FEW.fit(incomplete, 0).embedding, FEW.fit(spoil(incomplete), 0).embedding
    )
