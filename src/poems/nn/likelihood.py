"""Likelihoods: how a view's values scatter around what its decoder predicts.

A likelihood owns the parameters of one view's noise. To add one, write the
class and register it in ``LIKELIHOODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from poems.distributions.posteriors import LOG_2PI
from poems.nn.compilers import compiled_for
from poems.nn.joint import joint, view_of_features

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
        difference = x - eta
        constants = self.log_scale + 0.5 * LOG_2PI
        if observed is None:
            constant = constants.sum()
        else:
            difference = difference.masked_fill(~observed, 0.0)
            constant = observed.to(constants.dtype) @ constants
        return 0.5 * (difference * torch.exp(-self.log_scale)).square().sum(dim=1) + constant


def nll_of_views(
    likelihoods: Sequence[GaussianLikelihood],
    x: Tensor,
    eta: Tensor,
    there: Tensor | None,
    weight: Tensor | None = None,
) -> Tensor:
    """Negative log-likelihood of each view, summed over its features and samples.

    Parameters
    ----------
    likelihoods
        One a view.
    x, eta
        Values and predictions of shape (n_samples, n_features), the views' features one
        after the other.
    there
        Which values were measured, booleans of the same shape, or ``None`` for all. The
        others may be any number.
    weight
        Weight of each sample, of shape (n_samples,), or ``None`` for 1.

    Returns
    -------
    Tensor of shape (n_views,).
    """
    scales = [likelihood.log_scale for likelihood in likelihoods]
    sizes = tuple(map(len, scales))
    result: Tensor = _ViewNLL.apply(  # type: ignore[no-untyped-call]
        x, eta, joint(scales), there, weight, sizes
    )
    return result


def noise_prior(likelihoods: Sequence[GaussianLikelihood]) -> Tensor:
    """Negative log density of the noise prior of all views, up to a constant."""
    log_scale = joint([likelihood.log_scale for likelihood in likelihoods])
    variance = joint([likelihood.feature_variance for likelihood in likelihoods])
    penalty: Tensor = _NoisePrior.apply(log_scale, variance)  # type: ignore[no-untyped-call]
    return penalty


class _NoisePrior(Function):
    """sum_j (df + 2) log sigma_j + df s_j / (2 sigma_j^2), with s_j a share of the variance."""

    @staticmethod
    def forward(ctx: Any, log_scale: Tensor, variance: Tensor) -> Tensor:
        ratio = torch.exp(-2.0 * log_scale).mul_(variance).mul_(0.5 * _NOISE_DF * _NOISE_SHARE)
        ctx.save_for_backward(ratio)
        return torch.add(ratio, log_scale, alpha=_NOISE_DF + 2.0).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (ratio,) = ctx.saved_tensors
        (g,) = grads
        return (_NOISE_DF + 2.0 - 2.0 * ratio).mul_(g), None


class _ViewNLL(Function):
    """The sums with their derivatives, in few passes over the data.

    With r = (x - eta) / sigma and weights w: -w r / sigma for eta, the sum over samples of
    w (1 - r^2) for log sigma. Values that are not there count as r = 0.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        eta: Tensor,
        log_scale: Tensor,
        there: Tensor | None,
        weight: Tensor | None,
        sizes: tuple[int, ...],
    ) -> Tensor:
        ctx.sizes = sizes
        if weight is None and compiled_for(x.device):
            slope, excess, nll = _compiled_sums(x, eta, log_scale, there, sizes)
            ctx.save_for_backward(slope, excess)
            return nll
        precision = torch.exp(-log_scale)
        residual = torch.sub(x, eta).mul_(precision)
        if there is not None:
            residual.masked_fill_(~there, 0.0)
        weighted = residual if weight is None else residual * weight[:, None]
        ones = residual.new_ones(len(residual)) if weight is None else weight
        count = ones.sum() if there is None else ones @ there.to(ones.dtype)
        squares = torch.linalg.vecdot(weighted, residual, dim=0)
        constants = log_scale + 0.5 * LOG_2PI
        of_features = torch.addcmul(0.5 * squares, constants, count)
        kept = (residual, constants, there) if ctx.needs_input_grad[4] else ()
        ctx.save_for_backward(weighted * precision, count - squares, *kept)
        return torch.stack([part.sum() for part in torch.split(of_features, list(sizes))])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        slope, excess, *kept = ctx.saved_tensors
        g = grads[0][view_of_features(ctx.sizes, slope.device)]
        grad_weight = None
        if kept:
            residual, constants, there = kept
            constants = g * constants
            grad_weight = residual.square() @ (0.5 * g)
            grad_weight += constants.sum() if there is None else there.to(g.dtype) @ constants
        return None, slope * -g, g * excess, None, grad_weight, None


def _compiled_sums(
    x: Tensor, eta: Tensor, log_scale: Tensor, there: Tensor | None, sizes: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives for eta and log sigma, and the sums, in one pass over the data."""
    # Imported where it is needed: numba takes a moment.
    from poems.nn.kernels.gaussian import view_sums

    mask = np.ones((1, 1), dtype=bool) if there is None else there.numpy()
    predicted = eta.detach().contiguous().numpy()
    slope, excess = np.empty_like(predicted), np.zeros(predicted.shape[1], predicted.dtype)
    nll = np.empty(len(sizes), predicted.dtype)
    values, scale = (each.detach().contiguous().numpy() for each in (x, log_scale))
    view_sums(values, predicted, scale, mask, np.asarray(sizes), slope, excess, nll)
    return torch.from_numpy(slope), torch.from_numpy(excess), torch.from_numpy(nll)


LIKELIHOODS: Mapping[str, Callable[[Tensor], GaussianLikelihood]] = {
    "gaussian": GaussianLikelihood,
}
