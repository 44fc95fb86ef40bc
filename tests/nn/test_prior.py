from __future__ import annotations

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
