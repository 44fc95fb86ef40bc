"""Likelihoods: how a view's values scatter around what its decoder predicts.

A likelihood owns the parameters of one view's noise. To add one, write the
class and register it in ``LIKELIHOODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from poems.distributions.posteriors import LOG_2PI

# Degrees of freedom and scale of the scaled-inverse-chi-square prior on each
# feature's noise variance; the scale is a share of the feature's own variance.
_NOISE_DF = 3.0
_NOISE_SHARE = 0.5


class GaussianLikelihood(nn.Module):
    """x_j ~ N(eta_j, sigma_j^2) with sigma_j^2 ~ scaled-inverse-chi-square.

    Parameters
    ----------
    variance
        Variance of each feature over the training samples, of shape (n_features,).
    """

    feature_variance: Tensor

    def __init__(self, variance: Tensor) -> None:
        super().__init__()
        # On torch's meta device, where loading builds models, a logarithm is nothing but
        # an import of the compiler, a second's work.
        log_scale = torch.empty_like(variance) if variance.is_meta else 0.5 * torch.log(variance)
        self.log_scale = nn.Parameter(log_scale)
        self.register_buffer("feature_variance", variance.clone())

    @property
    def scale(self) -> Tensor:
        """Standard deviation of each feature's noise, of shape (n_features,)."""
        return torch.exp(self.log_scale)

    def nll(self, x: Tensor, eta: Tensor, observed: Tensor | None) -> Tensor:
        """Negative log-likelihood of the observed entries, summed over features: (n_samples,)."""
        terms = 0.5 * ((x - eta) * torch.exp(-self.log_scale)).square()
        terms = terms + (self.log_scale + 0.5 * LOG_2PI)
        if observed is not None:
            terms = torch.where(observed, terms, 0.0)
        return terms.sum(dim=1)

    def prior_penalty(self) -> Tensor:
        """Negative log density of the noise prior up to a constant, summed over features."""
        prior_scale = _NOISE_SHARE * self.feature_variance
        return (
            (_NOISE_DF + 2.0) * self.log_scale
            + 0.5 * _NOISE_DF * prior_scale * torch.exp(-2.0 * self.log_scale)
        ).sum()


LIKELIHOODS: Mapping[str, Callable[[Tensor], GaussianLikelihood]] = {
    "gaussian": GaussianLikelihood,
}
