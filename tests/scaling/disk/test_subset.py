from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import poems
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.scaling.disk import subset
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import bounded, feature_subset, load_features, random_rows
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.schema import Settings


@pytest.fixture
def data(
    incomplete: MultiOmics, write_backed: Callable[[MultiOmics, Path, str], Any], tmp_path: Path
) -> BackedBatches:
    cohort = poems.read(write_backed(incomplete, tmp_path, "h5mu"), backed=True)
    assert isinstance(cohort, BackedCohort)
    preprocessing, _ = fit_preprocessing(cohort, Settings().preprocessing)
    return preprocessing.apply_backed(cohort)[0]


def test_rows_are_distinct_ordered_and_seeded() -> None:
    rows = random_rows(1000, 50, seed=1)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(rows) == 50
    assert torch.equal(rows, random_rows(1000, 50, seed=1))
    assert not torch.equal(rows, random_rows(1000, 50, seed=2))


def test_features_are_all_kept_where_they_fit(data: BackedBatches) -> None:
    assert feature_subset(data, len(data), seed=0) is None


def test_views_share_the_room_and_the_limit_holds(
    data: BackedBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subset, "MOST_ENTRIES", 64 * len(data))
    found = feature_subset(data, len(data), seed=0)
    assert found is not None
    widths = {name: len(columns) for name, columns in found.items()}
    assert sum(widths.values()) <= 64
    assert min(widths.values()) >= 16, "half of the room is shared evenly"
    whole, part = data.load(), load_features(data, found)
    for name, columns in found.items():
        assert torch.equal(part.values[name], whole.values[name][:, columns])
        mask, of_part = whole.observed[name], part.observed[name]
        assert mask is not None
        assert of_part is not None
        assert torch.equal(of_part, mask[:, columns])


def test_what_does_not_fit_is_drawn_and_told(
    data: BackedBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, findings = bounded(data, 0, "the diagnosis")
    assert (len(kept), findings) == (72, ())
    monkeypatch.setattr(subset, "MOST_HELD_BYTES", 10 * data.sample_bytes)
    kept, findings = bounded(data, 0, "the diagnosis")
    assert len(kept) == 10
    assert "random subset of 10 of 72 held-out samples" in findings[0].message
