"""Training that goes on from a checkpoint ends as if it had not been interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.errors import SettingsError, StorageError
from poems.simulation.cohort import Simulation
from poems.training.loop import Epoch

SIZE: dict[str, Any] = {"seed": 1, "epochs": 9, "n_latent": 3, "progress": False}


def _stop(row: Epoch) -> None:
    if row.epoch == 7:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 24},
        {"prior": "mixture", "n_components": 3, "kl_warmup": 0.2},
        {"stopping": "held_out", "patience": 2},
        {"inference": "amortised", "decoder": "dense", "encoder_dropout": 0.2},
    ],
    ids=["batches", "mixture", "held out", "dense"],
)
def test_every_bit_is_that_of_the_uninterrupted_fit(
    options: dict[str, Any], simulation: Simulation, tmp_path: Path
) -> None:
    given = SIZE | options
    checkpoint = tmp_path / "checkpoint.poems"
    whole = poems.fit(simulation.cohort, **given)
    stopped = {**given, "progress": _stop, "checkpoint": checkpoint, "checkpoint_every": 3}
    poems.fit(simulation.cohort, **stopped)
    resumed = poems.fit(simulation.cohort, **given, resume=checkpoint)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[name]), name
    pd.testing.assert_frame_equal(whole.history, resumed.history, check_exact=True)
    pd.testing.assert_frame_equal(whole.latent, resumed.latent, check_exact=True)
    assert poems.load(checkpoint).status.startswith("Unfinished")


def test_what_is_not_the_same_fit_is_refused(simulation: Simulation, tmp_path: Path) -> None:
    cohort, path = simulation.cohort, tmp_path / "checkpoint.poems"
    given = SIZE | {"epochs": 2}
    model = poems.fit(cohort, **given, checkpoint=path, checkpoint_every=1)
    for change in ({"seed": 2}, {"epochs": 3}, {"n_latent": 4}):
        with pytest.raises(SettingsError, match="another seed or other settings"):
            poems.fit(cohort, **(given | change), resume=path)
    view = cohort.views["rna"]
    values = view.values.copy()
    values[3, 2] += 0.5
    others = {
        "values": replace(cohort, views={**cohort.views, "rna": replace(view, values=values)}),
        "samples": cohort.take(np.arange(cohort.n_samples)[::-1]),
        "views": cohort.select(["rna"]),
    }
    for other in others.values():
        with pytest.raises(StorageError, match="is of a fit to other data"):
            poems.fit(other, **given, resume=path)
    model.save(tmp_path / "model.poems")
    with pytest.raises(StorageError, match="a model without the state of its training"):
        poems.fit(cohort, **given, resume=tmp_path / "model.poems")
