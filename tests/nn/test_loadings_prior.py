from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from poems.nn.decoder import SparseDecoder
from poems.nn.loadings_prior import penalty_rates, update_priors
from poems.settings.groups import ModelSettings, SparsitySettings


def sparse(n_features: int = 9, **sparsity: float) -> SparseDecoder:
    return SparseDecoder(n_features, 3, ModelSettings(), SparsitySettings(**sparsity))


def test_updating_the_prior_follows_the_ramp() -> None:
    decoder = sparse(lambda_spike=20.0)
    noise, n_measured = torch.ones(9), torch.full((9,), 50.0)
    for ramp, rate in ((0.0, 1.0), (0.5, 10.0), (1.0, 20.0)):
        update_priors([decoder], ramp, noise, n_measured)
        torch.testing.assert_close(decoder.lambda_spike, torch.full((9,), rate))
    # With spike and slab alike, no loading is told from another.
    update_priors([decoder], 0.0, noise, n_measured)
    assert decoder.inclusion().std(dim=0).max() < 1e-6
    torch.testing.assert_close(penalty_rates([decoder]), torch.ones(9, 3))


def test_the_rate_from_the_data_knows_noise_and_samples() -> None:
    decoder = sparse()
    noise, n_measured = torch.linspace(0.2, 2, 9), torch.arange(10.0, 100.0, 10.0)
    update_priors([decoder], 1.0, noise, n_measured)
    expected = 1.5 * torch.sqrt(2 * n_measured * math.log(27)) / noise
    torch.testing.assert_close(decoder.lambda_spike, expected)


def test_inclusion_theta_and_penalty_fit_together() -> None:
    decoder = sparse(lambda_spike=30.0, theta_b=2.0)
    update_priors([decoder], 1.0, torch.ones(9), torch.full((9,), 50.0))
    before = torch.full((3,), 0.0)  # Theta started at one half.
    size = decoder.loadings.detach().abs()
    p = torch.sigmoid(before + math.log(1 / 30) + 29.0 * size)
    theta = (p.sum(dim=0) + 0.5) / (2.0 * 9 + 9 - 1 + 1)
    torch.testing.assert_close(torch.sigmoid(decoder.theta_logit), theta)
    rate = penalty_rates([decoder])
    assert not rate.requires_grad
    assert ((rate >= 1.0) & (rate <= 30.0)).all()


def test_without_a_slab_every_loading_has_the_rate_of_its_feature() -> None:
    decoder = SparseDecoder(5, 3, ModelSettings(), SparsitySettings(slab=False))
    with torch.no_grad():
        decoder.loadings[0, 0] = 9.0
        decoder.loadings[1] = 0.0
    noise, n_measured = torch.full((5,), 0.5), torch.arange(10.0, 60.0, 10.0)
    update_priors([decoder], 1.0, noise, n_measured)
    rate = penalty_rates([decoder])
    assert (rate == rate[:, :1]).all()
    assert (rate[1:, 0] > rate[:-1, 0]).all()
    torch.testing.assert_close(decoder.inclusion(), (decoder.loadings != 0).float())


@pytest.mark.parametrize("density_ratio", [True, False])
def test_views_have_each_their_own_prior(density_ratio: bool) -> None:
    decoders = [sparse(n, density_ratio=density_ratio, theta_b=0.5).double() for n in (9, 4)]
    for decoder in decoders:
        with torch.no_grad():
            decoder.loadings[torch.rand(decoder.loadings.shape) < 0.6] = 0.0
        decoder.theta_logit.normal_()
    noise, n_measured = (torch.rand(13, dtype=torch.float64) + x for x in (0.1, 20.0))
    before = [decoder.theta_logit.clone() for decoder in decoders]
    update_priors(decoders, 0.7, noise, n_measured)
    rates = torch.split(penalty_rates(decoders), [9, 4])
    for decoder, theta, part, rate in zip(
        decoders, before, (slice(9), slice(9, 13)), rates, strict=True
    ):
        n = len(decoder.loadings)
        full = 1.5 * torch.sqrt(2 * n_measured[part] * math.log(3 * n)) / noise[part]
        spike = (0.7 * full).clamp_min(1.0)
        torch.testing.assert_close(decoder.lambda_spike, spike)
        p = probabilities(decoder, theta, density_ratio)
        expected = torch.log(p.sum(dim=0) + 0.5) - torch.log(0.5 * n + n - 1 - p.sum(dim=0) + 0.5)
        torch.testing.assert_close(decoder.theta_logit, expected)
        p = probabilities(decoder, decoder.theta_logit, density_ratio)
        torch.testing.assert_close(decoder.inclusion(), p)
        torch.testing.assert_close(rate, p + (1 - p) * spike[:, None])


def probabilities(decoder: SparseDecoder, theta_logit: Tensor, density_ratio: bool) -> Tensor:
    """Probability of the slab for each loading, from both densities."""
    size, spike = decoder.loadings.detach().abs(), decoder.lambda_spike[:, None]
    theta, height = torch.sigmoid(theta_logit), spike if density_ratio else 1.0
    slab = theta * torch.exp(-size)
    return slab / (slab + (1 - theta) * height * torch.exp(-spike * size))


def test_loadings_beyond_all_doubt_have_finite_rates() -> None:
    decoder = sparse(2)
    with torch.no_grad():
        decoder.loadings.copy_(torch.tensor([[0.0, 1e-3, 1e3], [0.0, -1e3, 1.0]]))
    decoder.theta_logit.copy_(torch.tensor([-60.0, 0.0, 60.0]))
    decoder.lambda_spike.copy_(torch.tensor([1e4, 2.0]))
    rates = penalty_rates([decoder])
    assert torch.isfinite(rates).all()
    torch.testing.assert_close(rates[:, 0], torch.tensor([1e4, 2.0]))
    assert rates[0, 2] == rates[1, 1] == 1.0
    update_priors([decoder], 1.0, torch.tensor([1e-6, 1.0]), torch.tensor([1e6, 1.0]))
    assert torch.isfinite(decoder.theta_logit).all()
