"""Likelihoods: how a view's values scatter around what its decoder predicts.

A likelihood owns the parameters of one view's noise. To add one, write the
class and register it in ``LIKELIHOODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

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
        result: Tensor = _GaussianNLL.apply(  # type: ignore[no-untyped-call]
            x, eta, self.log_scale, observed
        )
        return result

    def prior_penalty(self) -> Tensor:
        """Negative log density of the noise prior up to a constant, summed over features."""
        prior_scale = _NOISE_SHARE * self.feature_variance
        return (
            (_NOISE_DF + 2.0) * self.log_scale
            + 0.5 * _NOISE_DF * prior_scale * torch.exp(-2.0 * self.log_scale)
        ).sum()


class _GaussianNLL(Function):
    """The sum over features with its derivatives, in as few passes over the data as there can be.

    With r = (x - eta) / sigma: -r / sigma for eta, and the sum over samples of
    1 - r^2 for log sigma. Values that were not observed count as r = 0.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, eta: Tensor, log_scale: Tensor, observed: Tensor | None
    ) -> Tensor:
        precision = torch.exp(-log_scale)
        residual = torch.sub(x, eta).mul_(precision)
        constants = log_scale + 0.5 * LOG_2PI
        if observed is None:
            constant = constants.sum()
        else:
            residual.masked_fill_(~observed, 0.0)
            constant = observed.to(constants.dtype) @ constants
        ctx.save_for_backward(residual, precision, observed)
        squares: Tensor = torch.linalg.vecdot(residual, residual)
        return squares.mul_(0.5).add_(constant)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        residual, precision, observed = ctx.saved_tensors
        (g,) = grads
        weighted = residual * g[:, None]
        count = g.sum() if observed is None else g @ observed.to(g.dtype)
        grad_log_scale = count - torch.linalg.vecdot(weighted, residual, dim=0)
        return None, weighted.mul_(-precision), grad_log_scale, None


LIKELIHOODS: Mapping[str, Callable[[Tensor], GaussianLikelihood]] = {
    "gaussian": GaussianLikelihood,
}
