from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.errors import DataError
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.schema import Settings

Write = Callable[[MultiOmics, Path, str], Any]


@pytest.fixture(scope="module", params=["h5mu", "h5mu-csr", "parquet"])
def both(
    request: pytest.FixtureRequest,
    incomplete: MultiOmics,
    write_backed: Write,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Batch, BackedBatches]:
    """The same samples in memory and on disk."""
    source = write_backed(incomplete, tmp_path_factory.mktemp("batches"), request.param)
    cohort = poems.read(source, backed=True)
    assert isinstance(cohort, BackedCohort)
    preprocessing, _ = fit_preprocessing(cohort, Settings().preprocessing)
    return preprocessing.apply(cohort.load())[0], preprocessing.apply_backed(cohort)[0]


def assert_same(one: Batch, other: Batch) -> None:
    assert torch.equal(one.measured, other.measured)
    for i, name in enumerate(one.values):
        rows = one.measured[:, i]
        assert torch.equal(one.values[name][rows], other.values[name][rows])
        masks = one.observed[name], other.observed[name]
        assert (masks[0] is None) == (masks[1] is None)
        if masks[0] is not None and masks[1] is not None:
            assert torch.equal(masks[0][rows], masks[1][rows])


def small(data: BackedBatches, n_rows: int) -> BackedBatches:
    """The same with a buffer of so many samples."""
    return replace(data, buffer_bytes=data.sample_bytes * n_rows)


def test_values_are_bit_for_bit_those_in_memory(both: tuple[Batch, BackedBatches]) -> None:
    memory, disk = both
    assert_same(memory, disk.load())
    rows = torch.tensor([3, 50, 4, 20])
    assert_same(memory.take(rows), disk.take(rows).load())
    parts = list(disk.chunks(10))
    assert [len(part) for part in parts] == [10] * 7 + [2]
    assert_same(memory.take(torch.arange(20, 30)), parts[2])


def test_columns_are_those_of_the_rows(
    both: tuple[Batch, BackedBatches], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.scaling.disk.batches.CHUNK_BYTES", 4 * 72 * 7)
    memory, disk = both
    for data, given_ in (
        (memory, disk),
        (memory.take(torch.arange(9)), disk.take(torch.arange(9))),
    ):
        for i, name in enumerate(disk.n_features):
            found = list(given_.columns(name))
            rows = data.measured[:, i]
            values = torch.cat([values for values, _ in found], dim=1)
            assert torch.equal(values[rows], data.values[name][rows])


def test_counts_are_those_in_memory_also_of_a_part(both: tuple[Batch, BackedBatches]) -> None:
    memory, disk = both
    rows = torch.arange(0, 72, 3)
    for name in memory.values:
        assert torch.equal(memory.n_measured(name), disk.n_measured(name))
        assert torch.equal(memory.take(rows).n_measured(name), disk.take(rows).n_measured(name))


def test_with_one_buffer_batches_are_those_in_memory(both: tuple[Batch, BackedBatches]) -> None:
    memory, disk = both
    for batch_size in (20, 71):
        torch.manual_seed(3)
        expected = list(memory.batches(batch_size))
        torch.manual_seed(3)
        for one, other in zip(expected, small(disk, 72).batches(batch_size), strict=True):
            assert_same(one, other)


@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 2**31))
def test_every_sample_is_seen_once_an_epoch(n_buffer: int, batch_size: int, seed: int) -> None:
    data = small(numbered(), n_buffer)
    torch.manual_seed(seed)
    batches = list(data.batches(batch_size))
    seen = torch.cat([batch.values["a"][:, 0] for batch in batches])
    assert seen.sort().values.tolist() == list(range(len(data)))
    sizes = [len(batch) for batch in batches]
    assert len(sizes) == -(-len(data) // batch_size)
    assert max(sizes) - min(sizes) <= 1
    torch.manual_seed(seed)
    again = torch.cat([batch.values["a"][:, 0] for batch in data.batches(batch_size)])
    assert torch.equal(seen, again), "the same seed, the same batches"


def test_batches_mix_blocks_and_change_from_epoch_to_epoch() -> None:
    data = small(numbered(4000), 1000)
    first, second = (next(iter(data.batches(100))).values["a"][:, 0] for _ in range(2))
    assert not torch.equal(first, second)
    assert (first.sort().values.diff() > 500).any(), "from far apart in the file"


class Numbered:
    """A view whose values are the positions of its samples."""

    def __init__(self, n: int) -> None:
        from poems.data.disk.matrix import DenseArray

        self.view = type("V", (), {})()
        self.view.matrix = DenseArray(np.zeros((n, 1)), "numbers")
        self.view.position = np.arange(n)

    def rows(self, which: np.ndarray) -> Any:
        from poems.scaling.disk.scaled import ScaledRows

        return ScaledRows(which[:, None].astype(np.float32))


def numbered(n: int = 61) -> BackedBatches:
    return BackedBatches(
        views={"a": Numbered(n)},  # type: ignore[dict-item]
        n_features={"a": 1},
        measured=torch.ones(n, 1, dtype=torch.bool),
        rows=np.arange(n),
        gaps={"a": np.zeros(1, dtype=np.int64)},
    )


def test_an_error_while_reading_ahead_ends_training_with_its_text(
    both: tuple[Batch, BackedBatches], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small(both[1], 20)

    def fail(*_: object) -> None:
        raise DataError("the file is damaged")

    batches = data.batches(10)
    next(batches)
    monkeypatch.setattr("poems.scaling.disk.scaled.ScaledView.rows", fail)
    with pytest.raises(DataError, match="the file is damaged"):
        list(batches)
    assert not [each for each in threading.enumerate() if "poems-prefetch" in each.name]


def test_blocks_are_chunks_of_the_file_unless_too_few_would_fit(
    both: tuple[Batch, BackedBatches],
) -> None:
    data = both[1]
    chunk = max(view.view.matrix.chunk_rows for view in data.views.values() if view is not None)
    assert small(data, 72).block_rows >= chunk
    assert small(data, 8).block_rows <= 2
    assert small(data, 1).block_rows == 1
