"""Checkpoints of a fit: the model as it stands, and what training needs to go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from poems.errors import SettingsError, StorageError
from poems.fitting.record import TRAINING, Arrays, Record, TrainingRecord, read_record
from poems.fitting.result import FittedPoems
from poems.fitting.storage import save
from poems.scaling.preprocessing import Preprocessing
from poems.settings.schema import Settings
from poems.training.state import TrainingState


@dataclass(frozen=True)
class CheckpointPlan:
    """Where and how often to save the state of training.

    Parameters
    ----------
    path
        The file.
    epochs, seconds
        As :class:`poems.training.checkpoints.Checkpoints` takes them.
    about
        What is to be known of the fit when it is gone on with, as JSON holds it.
    """

    path: Path
    epochs: int | None = None
    seconds: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(fitted: FittedPoems, state: TrainingState, plan: CheckpointPlan) -> None:
    """Write a model with the state of its training; the earlier file stays until it is whole."""
    record = TrainingRecord(**state.record(), about=dict(plan.about))
    tensors = {name: value.detach().cpu().numpy() for name, value in state.tensors.items()}
    save(fitted, plan.path, training=record, of_training=tensors)


def read_about(path: str | Path) -> dict[str, Any]:
    """Return what was written beside a checkpoint.

    Raises
    ------
    StorageError
        If there is none, or it is damaged.
    """
    return _training(path, read_record(path)[0]).about


def state_of_same_fit(
    path: str | Path,
    preprocessing: Preprocessing,
    samples: pd.Index,
    settings: Settings,
    seed: int,
) -> TrainingState:
    """Read the state of training, of this fit and no other.

    Parameters
    ----------
    path
        The checkpoint.
    preprocessing, samples
        Of the cohort that is to be gone on with.
    settings, seed
        With which it was begun.

    Raises
    ------
    StorageError
        If the file is no checkpoint, is damaged, or is of other data.
    SettingsError
        If it is of another seed or of other settings.
    """
    record, arrays = read_record(path)
    found = _training(path, record)
    if record.seed != seed or record.settings != settings:
        raise SettingsError(
            f"the checkpoint {path} is of a fit with another seed or other settings; go on with "
            "those, or begin anew"
        )
    if not _same_data(record, arrays, preprocessing, samples):
        raise StorageError(
            f"the checkpoint {path} is of a fit to other data: samples, features or values differ; "
            "give the tables as they were, or begin anew"
        )
    tensors = {
        name.removeprefix(TRAINING): torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith(TRAINING)
    }
    return TrainingState(tensors, found.epoch, found.best_epoch, found.settled, list(found.history))


def _training(path: str | Path, record: Record) -> TrainingRecord:
    if record.training is None:
        raise StorageError(
            f"{path} is a model without the state of its training, so that this cannot go on"
        )
    return record.training


def _same_data(
    record: Record, arrays: Arrays, preprocessing: Preprocessing, samples: pd.Index
) -> bool:
    """Compare names and what was learnt of every feature, which other values would change."""
    if record.samples != list(map(str, samples)):
        return False
    views = preprocessing.views
    if [view.name for view in record.views] != list(views):
        return False
    for at, (view, scaling) in enumerate(zip(record.views, views.values(), strict=True)):
        if view.features != list(map(str, scaling.features)):
            return False
        for name in ("offset", "scale", "variance"):
            stored = arrays[f"scaling.{name}.{at}"]
            if not np.array_equal(stored, getattr(scaling, name), equal_nan=True):
                return False
    return True
