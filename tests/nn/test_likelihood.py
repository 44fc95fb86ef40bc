from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from poems.nn.likelihood import LIKELIHOODS, GaussianLikelihood


def test_the_density_is_that_of_scipy() -> None:
    variance = torch.rand(4, dtype=torch.float64) + 0.1
    x, eta = torch.randn(2, 6, 4, dtype=torch.float64)
    nll = GaussianLikelihood(variance).nll(x, eta, None)
    scale = np.sqrt(variance.numpy())
    expected = -stats.norm.logpdf(x.numpy(), eta.numpy(), scale).sum(axis=1)
    np.testing.assert_allclose(nll.detach(), expected)


def test_missing_entries_count_neither_in_value_nor_in_gradient() -> None:
    likelihood = GaussianLikelihood(torch.ones(4))
    x, observed = torch.randn(6, 4), torch.rand(6, 4) > 0.4
    results = []
    for garbage in (0.0, 1e18, -1e18):
        filled = torch.where(observed, x, garbage)
        eta = torch.zeros(6, 4, requires_grad=True)
        nll = likelihood.nll(filled, eta, observed)
        grads = torch.autograd.grad(nll.sum(), [eta, likelihood.log_scale])
        assert (grads[0][~observed] == 0).all()
        results.append((nll.detach(), *grads))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert torch.equal(one, two)


def test_an_all_true_mask_is_no_mask() -> None:
    likelihood, x = LIKELIHOODS["gaussian"](torch.ones(4)), torch.randn(6, 4)
    full = torch.ones(6, 4, dtype=torch.bool)
    assert torch.equal(likelihood.nll(x, x + 1, full), likelihood.nll(x, x + 1, None))


def test_the_noise_prior_is_the_scaled_inverse_chi_square() -> None:
    likelihood = GaussianLikelihood(torch.tensor([2.0], dtype=torch.float64))

    def penalty(noise_variance: float) -> float:
        with torch.no_grad():
            likelihood.log_scale.fill_(0.5 * np.log(noise_variance))
        return likelihood.prior_penalty().item()

    # Three degrees of freedom and half of the feature's variance as the scale: an inverse
    # gamma of shape 3/2 and scale 3/2, here up to a constant.
    reference = stats.invgamma(1.5, scale=1.5)
    differences = [penalty(v) + reference.logpdf(v) for v in (0.1, 0.7, 1.0, 4.0)]
    np.testing.assert_allclose(differences, differences[0])


def test_the_scale_starts_at_the_standard_deviation() -> None:
    torch.testing.assert_close(
        GaussianLikelihood(torch.tensor([4.0, 0.25])).scale.detach(), torch.tensor([2.0, 0.5])
    )
