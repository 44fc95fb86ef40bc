"""Features of a view that say the same count less: c of them as the root of c."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import poems
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.scaling import redundancy as module
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import fit_preprocessing
from poems.scaling.redundancy import Redundancy, redundancy, redundancy_findings
from poems.settings.schema import Settings

Write = Callable[[MultiOmics, Path, str], Any]


def whole(x: Tensor, observed: Tensor | None = None) -> Batch:
    return Batch({"a": x}, {"a": observed}, torch.ones(len(x), 1, dtype=torch.bool))


def weights(x: Tensor, observed: Tensor | None = None) -> Tensor:
    return redundancy(whole(x, observed))["a"].weights


def in_groups(sizes: list[int], n: int = 200, noise: float = 0.2, seed: int = 0) -> Tensor:
    """Groups of features that are one variable each, but for noise."""
    generator = torch.Generator().manual_seed(seed)
    each = torch.randn(n, len(sizes), generator=generator)
    x = each.repeat_interleave(torch.tensor(sizes), dim=1)
    return x + noise * torch.randn(x.shape, generator=generator)


def test_features_of_a_group_count_as_the_root_of_their_number() -> None:
    sizes = [1, 2, 5, 40]
    expected = torch.cat([torch.full((size,), size**-0.5) for size in sizes])
    torch.testing.assert_close(weights(in_groups(sizes)), expected)


def test_the_sign_scale_and_place_of_a_feature_do_not_matter() -> None:
    x = in_groups([3, 1, 6])
    turned = x * torch.tensor([1.0, -2.0, 50.0, 1.0, -1.0, 1.0, 3.0, 1.0, -1.0, 1.0]) + 7.0
    torch.testing.assert_close(weights(turned), weights(x))


def test_weights_move_with_their_features() -> None:
    x, order = in_groups([4, 1, 9, 2, 1]), torch.randperm(17)
    torch.testing.assert_close(weights(x[:, order]), weights(x)[order])


def test_the_count_is_that_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 150)
    x = in_groups([7, 3, 12, 1, 9], n=60, noise=0.5)
    r = np.abs(np.corrcoef(x.numpy().T))
    chance = math.tanh(math.sqrt(2 * math.log(32)) / math.sqrt(57))
    expected = (r >= max(0.8, chance)).sum(axis=1) ** -0.5
    assert len(set(expected)) > 3
    np.testing.assert_allclose(weights(x), expected, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 6, 10, 20])
def test_few_samples_do_not_make_features_of_noise_say_the_same(n: int) -> None:
    """Though of 2,000 features hundreds are correlated above 0.8 with each at 6 samples."""
    assert float(weights(torch.randn(n, 2000)).mean()) > 0.6


def test_features_that_are_constant_resemble_none() -> None:
    x = in_groups([3, 1])
    x[:, [0, 3]] = 2.0
    torch.testing.assert_close(weights(x), torch.tensor([1.0, 0.5**0.5, 0.5**0.5, 1.0]))


def test_copies_that_lack_different_entries_are_copies() -> None:
    x = in_groups([4, 1, 1], noise=0.05)
    observed = torch.rand(x.shape) > 0.4
    expected = torch.tensor([0.5] * 4 + [1.0] * 2)
    for garbage in (0.0, 1e6, torch.nan):
        torch.testing.assert_close(weights(x.where(observed, garbage), observed), expected)


def test_features_that_share_hardly_a_sample_are_not_compared() -> None:
    x = in_groups([2, 1], noise=0.0)
    observed = torch.ones(x.shape, dtype=torch.bool)
    observed[2:, 0] = False
    observed[0, 1] = False
    torch.testing.assert_close(weights(x, observed), torch.ones(3))


def test_samples_without_the_view_are_not_read() -> None:
    x = in_groups([3, 2])
    rows = torch.rand(len(x)) > 0.3
    spoilt = torch.where(rows[:, None], x, torch.nan)
    other = torch.ones_like(rows)
    batch = Batch(
        {"a": spoilt, "b": torch.randn(len(x), 2)},
        {"a": None, "b": None},
        torch.stack([rows, other], dim=1),
    )
    torch.testing.assert_close(redundancy(batch)["a"].weights, weights(x[rows]))


def test_wide_views_are_compared_with_some_features_and_their_number_scaled_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A group of half the view is weighed within a fifth, and all features that are alone count."""
    x = in_groups([300, *[1] * 300])
    exact = weights(x)
    monkeypatch.setattr(module, "LARGEST_EXACT", 500)
    monkeypatch.setattr(module, "N_REFERENCES", 200)
    monkeypatch.setattr(module, "_BLOCK", 10_000)
    found = redundancy(whole(x))["a"]
    assert found.n_compared == 200
    assert float(found.weights[:300].sum()) == pytest.approx(float(exact[:300].sum()), rel=0.2)
    assert torch.equal(found.weights[300:], exact[300:])
    assert torch.equal(redundancy(whole(x))["a"].weights, found.weights)
    (note,) = [f for f in redundancy_findings({"a": found}) if f.code == "redundancy-subset"]
    assert "200 of 600 features" in note.message


def test_torchs_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    weights(torch.randn(700, 5, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("most", [512, 40])
@pytest.mark.parametrize("kind", ["h5mu", "parquet"])
def test_weights_on_disk_are_those_in_memory(
    kind: str, most: int, write_backed: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where samples lack views or entries, and of some of the samples."""
    monkeypatch.setattr(module, "MOST_SAMPLES", most)
    monkeypatch.setattr(module, "_FEWEST_SAMPLES", 10)
    cohort = poems.simulate(
        n_samples=90,
        n_features={"a": 30, "b": 20},
        missing_views=0.2,
        missing_entries=0.03,
        seed=0,
    ).cohort
    # Some features three times over.
    for view in cohort.views.values():
        view.values[:, 3:6] = view.values[:, :1]
    disk = poems.read(write_backed(cohort, tmp_path, kind), backed=True)
    assert isinstance(disk, BackedCohort)
    preprocessing, _ = fit_preprocessing(disk, Settings().preprocessing)
    memory = redundancy(preprocessing.apply(disk.load())[0])
    found = redundancy(preprocessing.apply_backed(disk)[0])
    for name in ("a", "b"):
        assert torch.equal(found[name].weights, memory[name].weights)
        assert float(memory[name].weights[:6].min()) < 0.55
        assert found[name].n_samples == memory[name].n_samples <= most


def test_a_view_that_says_little_is_named_and_a_diverse_one_is_not() -> None:
    found = redundancy(whole(in_groups([1, 36, 36])))
    (note,) = redundancy_findings(found)
    assert (note.severity, note.code, note.view) == ("note", "features-redundant", "a")
    assert "73 features count as 13," in note.message
    assert not list(redundancy_findings(redundancy(whole(torch.randn(100, 20)))))


def test_what_rests_on_some_samples_is_said() -> None:
    some = {"a": Redundancy(torch.ones(4), n_samples=512, of_samples=9000, n_compared=4)}
    (note,) = redundancy_findings(some)
    assert note.code == "redundancy-subset"
    assert "512 of 9000 samples" in note.message
