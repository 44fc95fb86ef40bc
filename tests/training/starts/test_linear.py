from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import poems
from poems.evaluation.matching import support_scores
from poems.scaling.batch import Batch
from poems.training.starts.linear import n_supported, principal_scores, sparse_linear_start, varimax

f64 = torch.float64


def criterion(loadings: Tensor) -> float:
    """The varimax criterion: the variance of the squares, summed over columns."""
    return loadings.square().var(dim=0, correction=0).sum().item()


def whole(values: dict[str, Tensor]) -> Batch:
    n = len(next(iter(values.values())))
    return Batch(values, dict.fromkeys(values), torch.ones(n, len(values), dtype=torch.bool))


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 2**31))
def test_varimax_rotates_and_never_worsens_the_criterion(d: int, k: int, seed: int) -> None:
    torch.manual_seed(seed)
    loadings = torch.randn(d, k, dtype=f64)
    rotation = varimax(loadings)
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(k, dtype=f64))
    assert criterion(loadings @ rotation) >= criterion(loadings) - 1e-9


def test_varimax_finds_simple_structure_behind_a_rotation() -> None:
    simple = torch.zeros(60, 3, dtype=f64)
    for k in range(3):
        simple[20 * k : 20 * k + 20, k] = 1 + torch.rand(20, dtype=f64)
    mixed, _ = torch.linalg.qr(torch.randn(3, 3, dtype=f64))
    found = (simple @ mixed) @ varimax(simple @ mixed)
    # Up to sign and order: each column is one of the blocks again.
    overlap = (found.T @ simple).abs() / (found.norm(dim=0)[:, None] * simple.norm(dim=0))
    torch.testing.assert_close(
        overlap.max(dim=0).values, torch.ones(3, dtype=f64), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("n", [30, 90])
def test_scores_are_the_leading_singular_vectors_in_both_branches(n: int) -> None:
    blocks = [torch.randn(n, 20, dtype=f64), torch.randn(n, 40, dtype=f64)]
    blocks = [block - block.mean(dim=0) for block in blocks]
    scores, loadings = principal_scores(blocks, 4)
    x = torch.cat([blocks[0] / 20**0.5, blocks[1] / 40**0.5], dim=1)
    left, singular, right = torch.linalg.svd(x, full_matrices=False)
    sign = torch.sign((scores * left[:, :4]).sum(dim=0))
    torch.testing.assert_close(scores * sign, left[:, :4] * n**0.5)
    torch.testing.assert_close(loadings * sign, (right[:4].T * singular[:4]) / n**0.5)


def test_both_branches_agree() -> None:
    # Columns of zeros make the matrix wide without changing its scores, but for the scale.
    x = torch.randn(50, 30, dtype=f64)
    tall = principal_scores([x], 3)[0]
    wide = principal_scores([torch.cat([x, torch.zeros(50, 60, dtype=f64)], dim=1)], 3)[0]
    torch.testing.assert_close(tall.abs(), wide.abs())


@pytest.mark.parametrize("shape", [(10, 4), (4, 10)])
def test_no_components_give_no_columns(shape: tuple[int, int]) -> None:
    scores, loadings = principal_scores([torch.randn(*shape)], 0)
    assert scores.shape == (shape[0], 0)
    assert loadings.shape == (shape[1], 0)


def test_planted_loadings_are_recovered_up_to_sign_and_order() -> None:
    truth = poems.simulate(
        400, {"a": 100, "b": 60}, 4, density=0.15, effect=(1.0, 2.0), n_subtypes=1, seed=3
    )
    values = {}
    for name, view in truth.cohort.views.items():
        values[name] = torch.from_numpy((view.values - view.values.mean(0)) / view.values.std(0))
    start = sparse_linear_start(whole(values), 4)
    found = {name: W.numpy() for name, (W, _) in start.items()}
    planted = {name: table.to_numpy() for name, table in truth.loadings.items()}
    assert support_scores(planted, found, threshold=0.25).f1 > 0.95
    for name, (_, noise) in start.items():
        expected = np.sqrt(1 - truth.r2[name].to_numpy())
        np.testing.assert_allclose(noise.numpy(), expected, atol=0.12)


@pytest.mark.parametrize(("n", "d", "rank"), [(4, 20, 3), (30, 2, 2), (2, 5, 1)])
def test_factors_beyond_the_rank_start_at_zero(n: int, d: int, rank: int) -> None:
    W, noise = sparse_linear_start(whole({"a": torch.randn(n, d)}), 6)["a"]
    assert W.shape == (d, 6)
    assert torch.equal(W[:, rank:], torch.zeros(d, 6 - rank))
    assert (W[:, :rank] != 0).any(dim=0).all()
    assert (noise > 0).all()


@pytest.mark.parametrize("d", [5, 40])
def test_duplicated_samples_change_nothing(d: int) -> None:
    x = 2.0 * torch.randn(12, 3) @ torch.randn(3, d) + torch.randn(12, d)
    once, twice = (sparse_linear_start(whole({"a": y}), 3)["a"] for y in (x, torch.cat([x, x])))
    # Twice the samples make smaller loadings significant, and change none.
    found = once[0] != 0
    assert (twice[0] != 0)[found].all()
    torch.testing.assert_close(once[0].abs()[found], twice[0].abs()[found], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(once[1], twice[1], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("d", [5, 60])
def test_a_cohort_of_low_rank_stays_finite(d: int) -> None:
    x = torch.randn(40, 2) @ torch.randn(2, d)
    W, noise = sparse_linear_start(whole({"a": x}), 4)["a"]
    assert torch.isfinite(W).all()
    assert (noise > 0).all()


def test_what_unmeasured_rows_hold_does_not_matter(batch: Batch) -> None:
    reference = sparse_linear_start(batch, 2)
    for garbage in (torch.nan, torch.inf, 1e30):
        values = dict(batch.values)
        values["b"] = values["b"].clone()
        values["b"][:3] = garbage
        spoiled = sparse_linear_start(Batch(values, batch.observed, batch.measured), 2)
        for name, pair in reference.items():
            for one, other in zip(pair, spoiled[name], strict=True):
                assert torch.equal(one, other)


def test_a_view_without_a_measured_sample_starts_at_zero(batch: Batch) -> None:
    batch.measured[:, 1] = False
    W, noise = sparse_linear_start(batch, 2)["b"]
    assert torch.equal(W, torch.zeros(4, 2))
    assert torch.isfinite(noise).all()


@pytest.mark.parametrize("n", [60, 400])
def test_loadings_of_noise_alone_begin_at_zero(n: int) -> None:
    z = torch.randn(n, 1)
    x = torch.cat([z + 0.5 * torch.randn(n, 5), torch.randn(n, 95)], dim=1)
    W, _ = sparse_linear_start(whole({"a": x}), 1)["a"]
    assert (W[:5] != 0).all()
    # Scores fit some of the noise of a small cohort, so a few of 95 pass the threshold.
    assert (W[5:] != 0).sum() <= 5


@given(st.integers(40, 300), st.integers(30, 200), st.integers(0, 2**31))
@settings(max_examples=20)
def test_of_noise_no_component_stands_out(n: int, d: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(5):
        x = torch.randn(n, d, generator=generator, dtype=f64)
        x = x - x.mean(dim=0)
        _, loadings = principal_scores([x], min(n, d) // 2)
        found.append(n_supported(loadings, x.square().mean(dim=0) / d, n))
    # The edge is that of infinite cohorts; of finite ones a component may pass it, or more in one.
    assert sorted(found)[2] <= 2
    factors = torch.randn(n, 3, generator=generator, dtype=f64)
    x = x + 2.0 * factors @ torch.randn(3, d, generator=generator, dtype=f64)
    x = x - x.mean(dim=0)
    _, loadings = principal_scores([x], min(n, d) // 2)
    assert 3 <= n_supported(loadings, x.square().mean(dim=0) / d, n) <= 4


def test_factors_that_no_component_stands_for_start_at_zero() -> None:
    x = torch.randn(100, 3) @ torch.randn(3, 60) + torch.randn(100, 60)
    W, _ = sparse_linear_start(whole({"a": x}), 12)["a"]
    assert (W[:, 7:] == 0).all(), "three that stand out, and four to spare"
    assert (W != 0).any(dim=0).sum() >= 3
