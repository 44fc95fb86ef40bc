from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from poems.distributions.posteriors import GaussianPosterior
from poems.nn.prior import PRIORS, MixturePrior, NormalPrior


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
    with torch.no_grad():
        prior.logits.copy_(torch.randn(4))
        prior.log_precision.copy_(torch.randn(4, 2))
    log_precision = 6 * torch.tanh(prior.log_precision / 6)
    parts = Independent(Normal(prior.loc, torch.exp(-0.5 * log_precision)), 1)
    reference = MixtureSameFamily(Categorical(logits=prior.logits), parts)
    z = torch.randn(3, 5, 2)
    torch.testing.assert_close(prior.log_prob(z), reference.log_prob(z))

    joint = parts.log_prob(z[0][:, None]) + torch.log_softmax(prior.logits, 0)
    expected = torch.exp(joint - reference.log_prob(z[0])[:, None])
    torch.testing.assert_close(prior.component_probabilities(z[0]), expected)


def test_a_component_can_not_collapse_onto_a_sample() -> None:
    prior = MixturePrior(2, 3)
    with torch.no_grad():
        prior.log_precision.fill_(1e6)
    assert torch.isfinite(prior.log_prob(prior.loc)).all()
    assert (prior.log_prob(prior.loc) < 6 + 1).all()


@pytest.mark.parametrize("name", PRIORS)
def test_one_standard_component_has_the_closed_form_in_expectation(name: str) -> None:
    prior = PRIORS[name](2, 1)
    for parameter in prior.parameters():
        torch.nn.init.zeros_(parameter)
    posterior = GaussianPosterior(torch.randn(1, 2), torch.randn(1, 2))
    repeated = GaussianPosterior(
        posterior.loc.expand(20_000, 2), posterior.log_precision.expand(20_000, 2)
    )
    kl = prior.kl(repeated, *repeated.rsample()).mean()
    torch.testing.assert_close(kl, posterior.kl_standard_normal()[0], atol=0.05, rtol=0.02)
