"""Everything that training needs to go on where it was, as arrays and numbers to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class TrainingState:
    """The state of training after an epoch.

    Parameters
    ----------
    tensors
        By name: the model's, those of its best state, the optimiser's moments, the
        generators of random numbers.
    epoch
        The last one that was finished, from 1.
    best_epoch
        That of the best state.
    settled
        Whether every schedule was at full strength.
    history
        Terms of the objective, a row an epoch.
    """

    tensors: Mapping[str, Tensor]
    epoch: int
    best_epoch: int
    settled: bool
    history: list[dict[str, float]]

    def record(self) -> dict[str, Any]:
        """Return what is not a tensor, as JSON holds it."""
        return {
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "settled": self.settled,
            "history": self.history,
        }


def generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators of random numbers that training draws from."""
    states = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        states["random_device"] = torch.cuda.get_rng_state(device)
    return states


def set_generators(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Bring the generators back to what :func:`generators` returned."""
    torch.set_rng_state(tensors["random"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random_device"], device)


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's tensors under names of their own."""
    return {f"model.{name}": value for name, value in model.state_dict().items()}


def set_tensors(into: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Copy stored tensors into those of the same names, in place.

    Raises
    ------
    ValueError
        If one is not stored, or of another shape.
    """
    for name, value in into.items():
        if name not in tensors or tensors[name].shape != value.shape:
            raise ValueError(f"it does not hold the training's '{name}' in its shape")
    with torch.no_grad():
        for name, value in into.items():
            value.copy_(tensors[name])
