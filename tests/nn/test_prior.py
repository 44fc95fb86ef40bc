from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from poems.nn.distributions.posteriors import GaussianPosterior
from poems.nn.prior import MixturePrior, NormalPrior
from poems.settings.parts import PRIORS


def test_the_normal_prior_is_standard_normal() -> None:
    z = torch.randn(3, 5, 2)
    expected = Normal(0.0, 1.0).log_prob(z).sum(dim=-1)
    torch.testing.assert_close(NormalPrior(2, 1).log_prob(z), expected)
    assert NormalPrior(2, 1).component_probabilities(z[0]) is None


def test_the_normal_prior_takes_the_closed_form() -> None:
    posterior = GaussianPosterior(torch.randn(5, 2), torch.randn(5, 2))
    z, weights = posterior.rsample()
    kl = NormalPrior(2, 1).kl(posterior, z, weights)
    torch.testing.assert_close(kl, posterior.kl_standard_normal())


def test_the_mixture_prior_is_that_of_torch() -> None:
    prior = MixturePrior(2, 4)
    prior.loc.copy_(torch.randn(4, 2))
    prior.variance.copy_(torch.rand(4, 2) + 0.1)
    prior.log_weights.copy_(torch.log_softmax(torch.randn(4), 0))
    parts = Independent(Normal(prior.loc, prior.variance.sqrt()), 1)
    reference = MixtureSameFamily(Categorical(logits=prior.log_weights), parts)
    z = torch.randn(3, 5, 2)
    torch.testing.assert_close(prior.log_prob(z), reference.log_prob(z))

    joint = parts.log_prob(z[0][:, None]) + prior.log_weights
    expected = torch.exp(joint - reference.log_prob(z[0])[:, None])
    torch.testing.assert_close(prior.component_probabilities(z[0]), expected)


def test_the_mixture_prior_begins_as_the_standard_normal() -> None:
    z = torch.randn(7, 3)
    torch.testing.assert_close(MixturePrior(3, 5).log_prob(z), NormalPrior(3, 1).log_prob(z))


def learned(z: Tensor, rounds: int = 12, **options: Any) -> MixturePrior:
    prior = MixturePrior(z.shape[1], 8)
    variance = torch.full_like(z, 0.05)
    for at in range(rounds):
        prior.learn(z, variance, z.shape[1], options.get("concentration"), emptying=at > 2)
    return prior


@pytest.mark.parametrize("n_groups", [1, 2, 4])
def test_the_number_of_components_is_found(n_groups: int) -> None:
    centres = 5.0 * torch.eye(4, 5)[:n_groups]
    z = centres.repeat_interleave(60, dim=0) + torch.randn(60 * n_groups, 5)
    prior = learned(z)
    assert prior.n_components == n_groups
    labels = prior.component_probabilities(z).argmax(dim=1).reshape(n_groups, 60)
    assert (labels == labels.mode(dim=1, keepdim=True).values).float().mean() > 0.95
    torch.testing.assert_close(torch.exp(prior.log_weights).sum(), torch.tensor(1.0))


def test_a_smaller_concentration_leaves_fewer_components() -> None:
    centres = 6.0 * torch.eye(3, 4)
    sizes = torch.tensor([80, 60, 12])
    z = centres.repeat_interleave(sizes, dim=0) + torch.randn(152, 4)
    assert learned(z, concentration=1.0).n_components == 3
    assert learned(z, concentration=-30.0).n_components == 2


def test_components_stay_until_they_may_go() -> None:
    z = torch.randn(100, 3)
    prior = MixturePrior(3, 8)
    for _ in range(5):
        prior.learn(z, torch.full_like(z, 0.1), 3, None, emptying=False)
    assert prior.n_components == 8


def test_a_component_can_not_collapse_onto_a_sample() -> None:
    z = torch.zeros(30, 2)
    z[0] = 50.0
    prior = MixturePrior(2, 3)
    for _ in range(5):
        prior.learn(z, torch.zeros_like(z), 2, 1.0, emptying=False)
    assert torch.isfinite(prior.log_prob(z)).all()
    assert (prior.variance >= 1e-2).all()


@pytest.mark.parametrize("name", PRIORS)
def test_one_standard_component_has_the_closed_form_in_expectation(name: str) -> None:
    prior = PRIORS[name](2, 1)
    posterior = GaussianPosterior(torch.randn(1, 2), torch.randn(1, 2))
    repeated = GaussianPosterior(
        posterior.loc.expand(20_000, 2), posterior.log_precision.expand(20_000, 2)
    )
    kl = prior.kl(repeated, *repeated.rsample()).mean()
    torch.testing.assert_close(kl, posterior.kl_standard_normal()[0], atol=0.05, rtol=0.02)


def two_components(distance: float, n_each: int = 40) -> tuple[MixturePrior, Tensor]:
    """A prior at two groups, with their means and variances, and their samples."""
    z = torch.randn(2 * n_each, 1)
    z[:n_each] -= distance / 2
    z[n_each:] += distance / 2
    prior = MixturePrior(1, 2)
    prior.placed.fill_(1.0)
    for at, own in enumerate(z.split(n_each)):
        prior.loc[at], prior.variance[at] = own.mean(dim=0), own.var(dim=0, correction=0)
    return prior, z


def test_the_gaussian_that_stands_for_the_mixture_has_its_slope() -> None:
    prior = MixturePrior(2, 3)
    prior.loc.copy_(torch.randn(3, 2))
    prior.variance.copy_(torch.rand(3, 2) + 0.2)
    prior.log_weights.copy_(torch.log_softmax(torch.randn(3), 0))
    z = torch.randn(6, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(prior.log_prob(z).sum(), z)
    loc, precision = prior.quadratic(z.detach())
    torch.testing.assert_close(precision * (loc - z.detach()), slope, rtol=1e-4, atol=1e-5)


def test_a_component_pays_for_its_parameters_with_its_weight() -> None:
    prior, z = two_components(30.0)
    z = z[: 40 + 10]
    prior._step(z, torch.zeros_like(z), cost=6.0)
    expected = torch.tensor([40.0 - 6.0, 10.0 - 6.0]) / 38.0
    torch.testing.assert_close(prior.log_weights.exp(), expected, rtol=1e-4, atol=1e-4)


def test_components_merge_where_the_distinction_is_worth_less_than_its_parameters() -> None:
    torch.manual_seed(3)
    merged, differences = [], []
    for distance in torch.linspace(0.5, 4.5, 60).tolist():
        prior, z = two_components(distance)
        whole = Normal(z.mean(), z.std(correction=0))
        # Of both together, means and variances are those of all samples.
        spread = prior.variance.mean() + (prior.loc - prior.loc.mean()).square().mean()
        torch.testing.assert_close(spread, whole.variance)
        differences.append(float(prior.log_prob(z).sum() - whole.log_prob(z[:, 0]).sum()))
        prior._merge(z, torch.zeros_like(z), n_driving=1)
        merged.append(int(torch.isfinite(prior.log_weights).sum()) == 1)
    least = 1.5 * math.log(80)
    assert merged == [difference <= least for difference in differences]
    # The half for the weight decides in some.
    assert any(math.log(80) < difference <= least for difference in differences)
    assert not all(merged)
