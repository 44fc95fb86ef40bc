"""Checkpoints: the model handed over for saving every few epochs."""

from __future__ import annotations

from collections.abc import Callable

from poems.training.loop import Epoch, Status, Training


class Checkpoints:
    """A callback that gathers the history and passes it on every ``every`` epochs.

    Parameters
    ----------
    every
        Epochs between two checkpoints.
    save
        Saves the model as it stands, given the training so far.
    """

    def __init__(self, every: int, save: Callable[[Training], None]) -> None:
        self._every = every
        self._save = save
        self._rows: list[Epoch] = []

    def __call__(self, row: Epoch) -> None:
        """Take in an epoch; save when it is time."""
        self._rows.append(row)
        if row.epoch % self._every == 0:
            self._save(Training(Status.UNFINISHED, row.epoch, self._rows))
