"""Zeros of their own beside those of a negative binomial."""

from __future__ import annotations

import pytest
import torch

from poems.nn.likelihoods.zero_inflated import ZeroInflatedLikelihood

f64 = torch.float64


def planted(share: float, dispersion: float) -> ZeroInflatedLikelihood:
    likelihood = ZeroInflatedLikelihood(torch.ones(30, dtype=f64))
    with torch.no_grad():
        likelihood.log_odds.fill_(torch.logit(torch.tensor(share)).item())
        likelihood.log_dispersion.fill_(torch.tensor(dispersion).log().item())
    return likelihood


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_learning_begins_at_the_share_of_zeros_that_chance_does_not_make(share: float) -> None:
    truth, generator = planted(share, 0.5), torch.Generator().manual_seed(0)
    sizes = 0.5 * torch.randn(3000, dtype=f64, generator=generator)
    eta = torch.linspace(0.0, 3.0, 30, dtype=f64).expand(3000, 30)
    x = truth.sample(eta + sizes[:, None], generator)
    found = ZeroInflatedLikelihood(torch.ones(30, dtype=f64))
    null = found.begin(x, sizes, torch.ones(x.shape, dtype=torch.bool))
    # The mean is that of both parts, whatever the share.
    torch.testing.assert_close(null, eta[0], atol=0.2, rtol=0)
    shares = torch.sigmoid(found.log_odds.detach())
    assert abs(float(shares.median()) - share) < 0.1
    assert abs(float(found.log_dispersion.detach().exp().median()) - 0.5) < 0.3


def test_a_sample_of_zeros_is_likelier_than_under_a_negative_binomial() -> None:
    zeros, eta = torch.zeros(1, 30, dtype=f64), torch.full((1, 30), 3.0, dtype=f64)
    few, many = (
        float(planted(share, 0.2).log_prob(zeros, eta).detach().mean()) for share in (0.01, 0.3)
    )
    assert many > few + 1
    assert many == pytest.approx(-1.204, abs=0.2)


def test_a_zero_that_is_of_its_own_says_nothing_of_the_mean() -> None:
    likelihood = planted(0.5, 0.01)
    eta = torch.full((1, 30), 6.0, dtype=f64)
    assert (likelihood.score(torch.zeros_like(eta), eta).detach().abs() < 1e-6).all()
    inside = likelihood.score(torch.full_like(eta, 100.0), eta)
    assert (inside.detach().abs() > 1).all()
