from __future__ import annotations

import pytest

from poems.training.checkpoints import Checkpoints
from poems.training.loop import Epoch, Status, Training
from poems.training.state import TrainingState

STATE = TrainingState({}, 1, 1, False, [])


def _saved(checkpoints: Checkpoints, n_epochs: int) -> None:
    rows: list[Epoch] = []
    for epoch in range(1, n_epochs + 1):
        rows.append(Epoch(epoch, n_epochs, {"objective": 1.0}))
        checkpoints(rows, lambda: STATE)


@pytest.mark.parametrize(("every", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_every_so_many_epochs_are_saved_with_the_history_so_far(
    every: int, expected: list[int]
) -> None:
    saved: list[tuple[int, Status, int]] = []

    def save(training: Training, state: TrainingState) -> None:
        assert state is STATE
        saved.append((training.best_epoch, training.status, len(training.history)))

    _saved(Checkpoints(save, epochs=every), 5)
    assert saved == [(epoch, Status.UNFINISHED, epoch) for epoch in expected]


def test_or_every_so_many_seconds_the_saving_not_counted() -> None:
    now, saved = [0.0], []

    def save(training: Training, _: TrainingState) -> None:
        saved.append(training.best_epoch)
        now[0] += 25.0

    checkpoints = Checkpoints(save, seconds=60.0, clock=lambda: now[0])
    rows: list[Epoch] = []
    for epoch in range(1, 13):
        now[0] += 20.0
        rows.append(Epoch(epoch, 12, {}))
        checkpoints(rows, lambda: STATE)
    assert saved == [3, 6, 9, 12]
