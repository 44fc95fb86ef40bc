from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from poems.nn.distributions.posteriors import (
    GaussianPosterior,
    MixturePosterior,
    gaussian_log_prob,
    kl_to_prior,
    tempered,
)

f64 = torch.float64


def standard_normal(z: Tensor) -> Tensor:
    return Normal(0.0, 1.0).log_prob(z).sum(dim=-1)


def normal(loc: Tensor, log_precision: Tensor) -> Normal:
    return Normal(loc, torch.exp(-0.5 * log_precision))


def random_mixture(n_views: int = 3) -> MixturePosterior:
    gates = torch.softmax(torch.randn(5, n_views, dtype=f64), dim=1)
    loc = torch.randn(n_views, 5, 2, dtype=f64)
    return MixturePosterior(loc, torch.randn(n_views, 5, 2, dtype=f64), gates)


def mixture_reference(q: MixturePosterior) -> MixtureSameFamily:
    parts = normal(q.loc.permute(1, 0, 2), q.log_precision.permute(1, 0, 2))
    return MixtureSameFamily(Categorical(q.gates), Independent(parts, 1))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-6, 6))
def test_gaussian_log_prob_is_that_of_torch(z: float, loc: float, log_precision: float) -> None:
    args = [torch.tensor([value], dtype=f64) for value in (z, loc, log_precision)]
    expected = normal(args[1], args[2]).log_prob(args[0]).sum()
    torch.testing.assert_close(gaussian_log_prob(*args), expected)


def test_gaussian_kl_is_that_of_torch_and_of_the_draws() -> None:
    q = GaussianPosterior(torch.randn(4, 3, dtype=f64), torch.randn(4, 3, dtype=f64))
    reference = normal(q.loc, q.log_precision)
    expected = kl_divergence(reference, Normal(torch.zeros_like(q.loc), 1.0)).sum(dim=1)
    torch.testing.assert_close(q.kl_standard_normal(), expected)

    draws = torch.cat([q.rsample()[0] for _ in range(20_000)])
    weights = torch.full(draws.shape[:2], 1 / len(draws), dtype=f64)
    estimate = kl_to_prior(q, draws, weights, standard_normal)
    torch.testing.assert_close(estimate, expected, rtol=0.05, atol=0.05)


def test_gaussian_draws_have_its_mean_and_variance() -> None:
    q = GaussianPosterior(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]]))
    draws = torch.cat([q.rsample()[0] for _ in range(20_000)])
    torch.testing.assert_close(draws.mean(dim=0), q.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(draws.var(dim=0), q.variance, atol=0.03, rtol=0)
    torch.testing.assert_close(q.variance, torch.tensor([[1.0, math.exp(-2)]]))


def test_derivatives_of_gaussian_draws_and_kl_are_those_of_finite_differences() -> None:
    def draw(loc: Tensor, log_precision: Tensor) -> Tensor:
        torch.manual_seed(0)
        return GaussianPosterior(loc, log_precision).rsample()[0]

    def kl(loc: Tensor, log_precision: Tensor) -> Tensor:
        return GaussianPosterior(loc, log_precision).kl_standard_normal()

    inputs = [torch.randn(4, 3, dtype=f64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(draw, inputs)
    assert torch.autograd.gradcheck(kl, inputs)


def test_mixture_moments_and_density_are_those_of_torch() -> None:
    q = random_mixture()
    reference = mixture_reference(q)
    torch.testing.assert_close(q.mean, reference.mean)
    torch.testing.assert_close(q.variance, reference.variance)
    z = torch.randn(7, 5, 2, dtype=f64)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))


def test_stratified_draws_of_a_mixture_have_its_mean_and_variance() -> None:
    q = random_mixture()
    pairs = [q.rsample() for _ in range(5000)]
    z, weights = torch.cat([z for z, _ in pairs]), torch.cat([w for _, w in pairs])
    mean = (weights[..., None] * z).sum(dim=0) / len(pairs)
    second = (weights[..., None] * z.square()).sum(dim=0) / len(pairs)
    torch.testing.assert_close(mean, q.mean, atol=0.06, rtol=0.05)
    torch.testing.assert_close(second - mean.square(), q.variance, atol=0.1, rtol=0.1)


def test_mixture_variance_does_not_cancel_for_experts_that_agree_far_from_zero() -> None:
    loc, log_precision = torch.full((2, 1, 1), 1000.0), torch.full((2, 1, 1), 12.0)
    q = MixturePosterior(loc, log_precision, torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(q.variance, torch.exp(-log_precision[0]))


def test_mixture_kl_of_a_single_expert_is_the_gaussian_kl() -> None:
    loc, log_precision = torch.randn(1, 4, 3, dtype=f64), torch.randn(1, 4, 3, dtype=f64)
    q = MixturePosterior(loc, log_precision, torch.ones(4, 1, dtype=f64))
    z = torch.cat([q.rsample()[0] for _ in range(20_000)])
    weights = torch.full(z.shape[:2], 1 / len(z), dtype=f64)
    expected = GaussianPosterior(loc[0], log_precision[0]).kl_standard_normal()
    torch.testing.assert_close(
        kl_to_prior(q, z, weights, standard_normal), expected, rtol=0.05, atol=0.05
    )
    assert q.kl_standard_normal() is None


def test_an_expert_of_weight_zero_does_not_count_even_where_it_alone_lies() -> None:
    loc = torch.tensor([[[0.0]], [[100.0]]], dtype=f64)
    q = MixturePosterior(loc, torch.zeros_like(loc), torch.tensor([[1.0, 0.0]], dtype=f64))
    z = loc[1][None]
    torch.testing.assert_close(q.log_prob(z), gaussian_log_prob(z, loc[0], torch.zeros_like(z)))


def test_an_expert_of_weight_zero_neither_counts_nor_breaks_the_gradient() -> None:
    loc = torch.randn(2, 3, 2, dtype=f64)
    loc[1] = 1e6
    logits = torch.zeros(3, 2, dtype=f64, requires_grad=True)
    hidden = torch.tensor([False, True]).expand(3, 2)
    gates = torch.softmax(logits.masked_fill(hidden, -math.inf), dim=1)
    q = MixturePosterior(loc, torch.zeros_like(loc), gates)
    z = torch.randn(1, 3, 2, dtype=f64)
    expected = gaussian_log_prob(z, loc[0], torch.zeros(3, 2, dtype=f64))
    torch.testing.assert_close(q.log_prob(z), expected)
    torch.testing.assert_close(q.mean, loc[0])
    q.log_prob(z).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@given(share=st.floats(0.0, 1.0), loc=st.floats(-5.0, 5.0), log_precision=st.floats(-3.0, 3.0))
def test_a_tempered_gaussian_is_its_power_times_that_of_the_standard_normal(
    share: float, loc: float, log_precision: float
) -> None:
    one = torch.tensor([[1.0]], dtype=f64)
    given_loc, given_log = loc * one, log_precision * one
    found_loc, found_log = tempered(given_loc, given_log, share * one)
    z = torch.linspace(-2, 2, 5, dtype=f64)[:, None]
    own = gaussian_log_prob(z, given_loc, given_log)
    standard = gaussian_log_prob(z, 0.0 * one, 0.0 * one)
    found = gaussian_log_prob(z, found_loc, found_log)
    away = found - share * own - (1.0 - share) * standard
    # Equal but for the constant that makes its integral 1.
    torch.testing.assert_close(away, away.mean().expand_as(away), rtol=0, atol=1e-8)
