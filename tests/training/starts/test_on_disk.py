from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import poems
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.schema import Settings
from poems.training.starts import on_disk
from poems.training.starts.linear import sparse_linear_start
from poems.training.starts.on_disk import backed_linear_start, is_exact

Write = Callable[[MultiOmics, Path, str], Any]


def prepared(cohort: MultiOmics, source: Any) -> tuple[Batch, BackedBatches]:
    disk = poems.read(source, backed=True)
    assert isinstance(disk, BackedCohort)
    preprocessing, _ = fit_preprocessing(disk, Settings().preprocessing)
    return preprocessing.apply(disk.load())[0], preprocessing.apply_backed(disk)[0]


def assert_same_up_to_sign(
    expected: dict[str, tuple[torch.Tensor, torch.Tensor]],
    found: dict[str, tuple[torch.Tensor, torch.Tensor]],
    tolerance: float,
) -> None:
    stacked = torch.cat([W for W, _ in expected.values()])
    sign = torch.sign((stacked * torch.cat([W for W, _ in found.values()])).sum(dim=0))
    for name, (W, noise) in expected.items():
        torch.testing.assert_close(found[name][0] * sign, W, atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(found[name][1], noise, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("n_features", [30, 300])
def test_the_start_is_that_in_memory(
    n_features: int, part: bool, write_backed: Write, tmp_path: Path
) -> None:
    """Also where samples lack views or entries, and of some of the samples."""
    cohort = poems.simulate(
        n_samples=90,
        n_features={"a": n_features, "b": 20},
        missing_views=0.2,
        missing_entries=0.03,
        seed=0,
    ).cohort
    memory, disk = prepared(cohort, write_backed(cohort, tmp_path, "h5mu"))
    if part:
        rows = torch.arange(0, 90, 2)
        memory, disk = memory.take(rows), disk.take(rows)
    assert is_exact(disk)
    expected = sparse_linear_start(memory, 5)
    assert_same_up_to_sign(expected, backed_linear_start(disk, 5), 1e-4)


def test_more_factors_than_components_leave_zeros(write_backed: Write, tmp_path: Path) -> None:
    cohort = poems.simulate(n_samples=10, n_features=20, seed=0).cohort
    memory, disk = prepared(cohort, write_backed(cohort, tmp_path, "h5mu"))
    found = backed_linear_start(disk, 12)
    for name, (W, _) in sparse_linear_start(memory, 12).items():
        assert found[name][0].shape == W.shape
        assert not found[name][0][:, 9:].any()


def test_randomised_iteration_finds_the_same(
    write_backed: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = poems.simulate(
        n_samples=150, n_features={"a": 120, "b": 60}, n_factors=4, missing_views=0.1, seed=0
    ).cohort
    memory, disk = prepared(cohort, write_backed(cohort, tmp_path, "h5mu"))
    monkeypatch.setattr(on_disk, "LARGEST_EXACT", 50)
    assert not is_exact(disk)
    expected, found = sparse_linear_start(memory, 3), backed_linear_start(disk, 3)
    for name, (W, noise) in expected.items():
        # Loadings near the threshold may fall on its other side.
        off = (W.abs() - found[name][0].abs()).abs() > 1e-2
        assert off.double().mean() < 0.05
        torch.testing.assert_close(found[name][1], noise, atol=1e-2, rtol=1e-2)
    torch.manual_seed(1)
    first = backed_linear_start(disk, 3)
    torch.manual_seed(1)
    second = backed_linear_start(disk, 3)
    assert all(torch.equal(first[name][0], second[name][0]) for name in first)
