"""Checkpoints: the state of training handed over for saving every so often."""

from __future__ import annotations

import time
from collections.abc import Callable

from poems.training.loop import Epoch, Status, Training
from poems.training.state import TrainingState

Save = Callable[[Training, TrainingState], None]


class Checkpoints:
    """Passes the state of training on every ``epochs`` epochs, or every ``seconds``.

    Parameters
    ----------
    save
        Saves the model as it stands, given the training so far and its state.
    epochs
        Epochs between two checkpoints; ``None`` to go by time alone.
    seconds
        Seconds from the start to the first checkpoint, and between two;
        ``None`` to go by epochs alone.
    clock
        Tells the time.
    """

    def __init__(
        self,
        save: Save,
        *,
        epochs: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._save = save
        self._epochs = epochs
        self._seconds = seconds
        self._clock = clock
        self._last = clock()

    def __call__(self, rows: list[Epoch], state: Callable[[], TrainingState]) -> None:
        """Take in that an epoch has ended; save when it is time."""
        epoch = rows[-1].epoch
        by_epoch = self._epochs is not None and epoch % self._epochs == 0
        late = self._seconds is not None and self._clock() - self._last >= self._seconds
        if by_epoch or late:
            self._save(Training(Status.UNFINISHED, epoch, list(rows)), state())
            # From the end of it: what takes long to save should not fill the time.
            self._last = self._clock()
