from __future__ import annotations

import pytest

from poems.training.checkpoints import Checkpoints
from poems.training.loop import Epoch, Status, Training


@pytest.mark.parametrize(("every", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_every_so_many_epochs_are_saved_with_the_history_so_far(
    every: int, expected: list[int]
) -> None:
    saved: list[tuple[int, Status, int]] = []

    def save(training: Training) -> None:
        saved.append((training.best_epoch, training.status, len(training.history)))

    checkpoints = Checkpoints(every, save)
    for epoch in range(1, 6):
        checkpoints(Epoch(epoch, 5, {"objective": 1.0}))
    assert saved == [(epoch, Status.UNFINISHED, epoch) for epoch in expected]
