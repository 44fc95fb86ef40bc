from __future__ import annotations

import torch

from poems.scaling.batch import Batch


def test_taking_rows_keeps_values_masks_and_measured_together(batch: Batch) -> None:
    rows = torch.tensor([7, 4, 0])
    taken = batch.take(rows)
    assert len(taken) == 3
    assert torch.equal(taken.values["a"], batch.values["a"][rows])
    assert torch.equal(taken.measured, batch.measured[rows])
    assert taken.observed["b"] is None
    mask = taken.observed["a"]
    assert mask is not None
    assert mask.sum() == 17
    assert not mask[1, 2]


def test_counts_leave_out_unmeasured_rows_and_missing_entries(batch: Batch) -> None:
    assert batch.n_measured("a").tolist() == [10, 10, 9, 10, 10, 10]
    assert batch.n_measured("b").tolist() == [7, 7, 7, 7]
    # The entry that is missing lies in a row that is unmeasured now: it counts once only.
    batch.measured[4, 0] = False
    assert batch.n_measured("a").tolist() == [9] * 6


def test_moving_keeps_everything(batch: Batch) -> None:
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.values["b"], batch.values["b"])
    assert torch.equal(moved.measured, batch.measured)
    assert moved.observed["b"] is None
    assert list(moved.values) == ["a", "b"]


def test_all_views_side_by_side_with_what_is_there(batch: Batch) -> None:
    assert torch.equal(batch.joined(), torch.cat([batch.values["a"], batch.values["b"]], dim=1))
    observed = batch.observed_jointly()
    assert observed is not None
    mask = batch.observed["a"]
    assert mask is not None
    assert torch.equal(observed[:, :6], mask)
    assert torch.equal(observed[:, 6:], batch.measured[:, 1:].expand(10, 4))
    assert Batch(batch.values, {"a": None, "b": None}, batch.measured).observed_jointly() is None
