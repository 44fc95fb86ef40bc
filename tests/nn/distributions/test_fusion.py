from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from poems.nn.distributions.fusion import (
    FusionRule,
    mixture_of_experts,
    product_of_experts,
    product_with_prior_expert,
)
from poems.settings.parts import FUSIONS

f64 = torch.float64


def experts(n_views: int = 3, n_samples: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    gates = torch.softmax(torch.randn(n_samples, n_views, dtype=f64), dim=1)
    loc = torch.randn(n_views, n_samples, 2, dtype=f64)
    return loc, torch.randn(n_views, n_samples, 2, dtype=f64), gates


@given(st.integers(1, 4), st.integers(0, 2**31))
def test_the_product_is_that_of_gaussians_raised_to_their_gates(n_views: int, seed: int) -> None:
    torch.manual_seed(seed)
    loc, log_precision, gates = experts(n_views)
    fused = product_of_experts(loc, log_precision, gates)
    # Completing the square: the precisions add up, each times its gate.
    weighted = gates.T[..., None] * log_precision.exp()
    torch.testing.assert_close(1 / fused.variance, weighted.sum(dim=0))
    torch.testing.assert_close(fused.mean, (weighted * loc).sum(dim=0) / weighted.sum(dim=0))
    # It never is sharper than the sharpest expert.
    assert (fused.log_precision <= log_precision.max(dim=0).values + 1e-12).all()


@given(st.integers(1, 4), st.integers(0, 2**31))
def test_the_prior_expert_follows_its_formula(n_views: int, seed: int) -> None:
    torch.manual_seed(seed)
    loc, log_precision, gates = experts(n_views)
    fused = product_with_prior_expert(loc, log_precision, gates)
    weighted = n_views * gates.T[..., None] * log_precision.exp()
    precision = 1 + weighted.sum(dim=0)
    torch.testing.assert_close(1 / fused.variance, precision)
    torch.testing.assert_close(fused.mean, (weighted * loc).sum(dim=0) / precision)


def test_equal_gates_with_a_prior_expert_give_the_classical_product() -> None:
    loc, log_precision, _ = experts(2)
    fused = product_with_prior_expert(loc, log_precision, torch.full((5, 2), 0.5, dtype=f64))
    precision = 1 + log_precision.exp().sum(dim=0)
    torch.testing.assert_close(1 / fused.variance, precision)


@pytest.mark.parametrize("name", FUSIONS)
def test_the_order_of_experts_does_not_matter(name: str) -> None:
    loc, log_precision, gates = experts()
    order = [2, 0, 1]
    one = FUSIONS[name](loc, log_precision, gates)
    other = FUSIONS[name](loc[order], log_precision[order], gates[:, order])
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.variance, other.variance)
    z = torch.randn(1, 5, 2, dtype=f64)
    torch.testing.assert_close(one.log_prob(z), other.log_prob(z))


@pytest.mark.parametrize("name", FUSIONS)
def test_a_gate_of_zero_removes_the_expert_whatever_it_says(name: str) -> None:
    loc, log_precision, gates = experts()
    gates[:, 1] = 0.0
    gates = gates / gates.sum(dim=1, keepdim=True)
    loc[1], log_precision[1] = 1e30, 300.0
    loc.requires_grad_()
    fused = FUSIONS[name](loc, log_precision, gates)
    without = FUSIONS[name](loc[[0, 2]], log_precision[[0, 2]], gates[:, [0, 2]])
    torch.testing.assert_close(fused.mean, without.mean)
    torch.testing.assert_close(fused.variance, without.variance)
    fused.mean.sum().backward()
    assert loc.grad is not None
    assert torch.equal(loc.grad[1], torch.zeros_like(loc.grad[1]))
    assert torch.isfinite(loc.grad).all()


@pytest.mark.parametrize("name", ["poe", "moe"])
def test_a_single_expert_is_returned_as_it_is(name: str) -> None:
    loc, log_precision, _ = experts(1)
    fused = FUSIONS[name](loc, log_precision, torch.ones(5, 1, dtype=f64))
    torch.testing.assert_close(fused.mean, loc[0])
    torch.testing.assert_close(fused.variance, torch.exp(-log_precision[0]))


def test_extreme_precisions_do_not_overflow() -> None:
    loc, gates = torch.randn(2, 3, 1), torch.full((3, 2), 0.5)
    for rule in (product_of_experts, product_with_prior_expert, mixture_of_experts):
        posterior = rule(loc, torch.full((2, 3, 1), 80.0), gates)
        assert torch.isfinite(posterior.mean).all()
        assert torch.isfinite(posterior.variance).all()


@pytest.mark.parametrize("fuse", [product_of_experts, product_with_prior_expert])
@pytest.mark.parametrize("missing", [False, True])
def test_derivatives_of_products_are_those_of_finite_differences(
    fuse: FusionRule, missing: bool
) -> None:
    loc, log_precision, gates = experts()
    if missing:
        gates[0, 1] = 0.0
        gates = gates / gates.sum(dim=1, keepdim=True)
    there = gates > 0

    def fused(loc: Tensor, log_precision: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(logits, dim=1).where(there, 0.0)
        posterior = fuse(loc, log_precision, weights)
        return posterior.mean, posterior.variance

    inputs = (loc, log_precision, torch.randn(5, 3, dtype=f64))
    assert torch.autograd.gradcheck(fused, [x.requires_grad_() for x in inputs])
