from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import poems
from poems import companions
from poems.errors import TrainingError
from poems.training.loop import Status, Training


def quick(cohort: Any, **changes: Any) -> poems.FittedPoems:
    options = {"epochs": 6, "n_latent": 4, "encoder_layers": (16,), "progress": False}
    return poems.fit(cohort, **{**options, **changes})


def test_companions_change_the_network_and_nothing_else(simulation: Any) -> None:
    alone = quick(simulation.cohort, companions=0)
    together = quick(simulation.cohort, companions=2)
    assert together.latent.equals(alone.latent)
    assert together.loadings["rna"].equals(alone.loadings["rna"])
    assert not together.embedding().equals(alone.embedding())
    assert quick(simulation.cohort, companions=2).embedding().equals(together.embedding())


@pytest.mark.parametrize("reason", ["error", "interrupt", "interrupted training"])
def test_a_companion_cut_short_leaves_the_model(
    simulation: Any, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    calls: list[int] = []
    real = companions.train

    def train(*args: Any, **kwargs: Any) -> Training:
        calls.append(1)
        if len(calls) < 2:
            return real(*args, **kwargs)
        if reason == "error":
            raise TrainingError("the objective is not finite")
        if reason == "interrupt":
            raise KeyboardInterrupt
        return Training(Status.INTERRUPTED)

    monkeypatch.setattr(companions, "train", train)
    model = quick(simulation.cohort, companions=3)
    assert len(calls) == 2
    (finding,) = [each for each in model.findings if each.code == "companions-cut-short"]
    assert finding.message.startswith("1 of 3 companions done (")
    assert np.isfinite(model.embedding()).all().all()


def test_large_cohorts_have_neither_network_nor_companions(
    simulation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.fitting.LARGEST_NETWORK", 71)
    monkeypatch.setattr("poems.fitting.companion_latents", None)
    model = quick(simulation.cohort)
    assert model.default_metric == "latent"
    (finding,) = [each for each in model.findings if each.code == "network-left-out"]
    assert finding.message.startswith(
        "72 samples are too many for a network of samples (at most 71)"
    )


def test_the_network_depends_less_on_the_seed_with_companions(simulation: Any) -> None:
    def spread(n_companions: int) -> float:
        fits = [
            quick(simulation.cohort, epochs=30, companions=n_companions, seed=seed)
            for seed in (0, 1)
        ]
        similar = [fit.embedding().to_numpy() @ fit.embedding().to_numpy().T for fit in fits]
        return float(np.abs(similar[0] - similar[1]).mean())

    assert spread(4) < spread(0)
