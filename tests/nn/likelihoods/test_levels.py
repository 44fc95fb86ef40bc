from __future__ import annotations

import pytest
import torch

from poems.nn.likelihoods import OwnScaleLikelihood
from poems.nn.likelihoods.levels import fitted_level
from poems.settings.parts import LIKELIHOODS

OWN_SCALE = [name for name in LIKELIHOODS if issubclass(LIKELIHOODS.find(name), OwnScaleLikelihood)]


def drawn(name: str) -> tuple[OwnScaleLikelihood, torch.Tensor, torch.Tensor]:
    """A likelihood, what is predicted of 300 samples of 5 features, and values of these."""
    likelihood = LIKELIHOODS.find(name)(torch.ones(5))
    assert isinstance(likelihood, OwnScaleLikelihood)
    generator = torch.Generator().manual_seed(3)
    eta = 0.7 * torch.randn(300, 5, generator=generator)
    return likelihood, eta, likelihood.sample(eta, generator).detach()


@pytest.mark.parametrize("name", OWN_SCALE)
def test_a_level_that_was_taken_away_is_found_again(name: str) -> None:
    likelihood, eta, x = drawn(name)
    best = fitted_level(likelihood, x, eta, None)
    at = eta + best
    error = likelihood.information(at).sum(dim=0).rsqrt()
    assert (likelihood.score(x, at).sum(dim=0) * error).abs().max() < 0.01, "it is the likeliest"
    for away in (-2.5, 1.5):
        found = fitted_level(likelihood, x, eta + away, None)
        torch.testing.assert_close(found + away, best, atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", OWN_SCALE)
def test_what_was_not_observed_does_not_count(name: str) -> None:
    likelihood, eta, x = drawn(name)
    there = torch.arange(300)[:, None].expand(300, 5) % 3 > 0
    there = there & (torch.arange(5) != 4)
    spoiled = x.where(there, likelihood.placeholder)
    found = fitted_level(likelihood, spoiled, eta, there)
    rows = there[:, 0]
    expected = fitted_level(likelihood, x[rows], eta[rows], None)
    torch.testing.assert_close(found[:4], expected[:4], atol=1e-3, rtol=0)
    assert found[4] == 0, "of a feature without a value nothing is known"
