from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from poems.nn.likelihoods import LIKELIHOODS, GaussianLikelihood, likelihood_terms


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
        return noise_prior([likelihood]).item()

    # Three degrees of freedom and half of the feature's variance as the scale: an inverse
    # gamma of shape 3/2 and scale 3/2, here up to a constant.
    reference = stats.invgamma(1.5, scale=1.5)
    differences = [penalty(v) + reference.logpdf(v) for v in (0.1, 0.7, 1.0, 4.0)]
    np.testing.assert_allclose(differences, differences[0])


def test_the_scale_starts_at_the_standard_deviation() -> None:
    torch.testing.assert_close(
        GaussianLikelihood(torch.tensor([4.0, 0.25])).scale.detach(), torch.tensor([2.0, 0.5])
    )


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_the_terms_of_views_are_those_over_samples(
    compiled: bool, weighted: bool, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda: compiled)
    f64 = torch.float64
    likelihoods = [GaussianLikelihood(torch.rand(n, dtype=f64) + 0.1) for n in (4, 3)]
    x, eta = torch.randn(2, 6, 7, dtype=f64)
    measured = torch.rand(6, 2) > 0.3
    observed = torch.rand(6, 7) > 0.3 if masked else None
    weight = torch.rand(6, dtype=f64) if weighted else None
    there = measured[:, [0, 0, 0, 0, 1, 1, 1]]
    if observed is not None:
        there = there & observed
    x[~there] = torch.nan

    def terms(eta: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        return likelihood_terms(likelihoods, x, eta, measured, observed, weight)

    per_view, prior = terms(eta, weight)
    for part, columns in ((0, slice(0, 4)), (1, slice(4, 7))):
        each = likelihoods[part].nll(x[:, columns], eta[:, columns], there[:, columns])
        expected = (each if weight is None else each * weight).sum()
        torch.testing.assert_close(per_view[part], expected)
    torch.testing.assert_close(prior, noise_prior([likelihoods[0]]) + noise_prior([likelihoods[1]]))
    given = [x for x in (eta, weight) if x is not None]
    scales = [likelihood.log_scale for likelihood in likelihoods]
    assert torch.autograd.gradcheck(
        lambda eta, *rest: terms(eta, rest[0] if weighted else None),
        [*(each.requires_grad_() for each in given), *scales],
    )


def noise_prior(likelihoods: list[GaussianLikelihood]) -> torch.Tensor:
    """The prior alone, without a sample."""
    n = sum(len(likelihood.log_scale) for likelihood in likelihoods)
    none, measured = torch.empty(0, n), torch.empty(0, len(likelihoods), dtype=torch.bool)
    none = none.to(likelihoods[0].log_scale.dtype)
    return likelihood_terms(likelihoods, none, none, measured, None)[1]
