"""The Gaussian likelihood, with its terms for all views at once and their derivatives by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from poems.nn.compilers import compiled_for
from poems.nn.distributions.posteriors import LOG_2PI
from poems.nn.likelihoods.interface import Likelihood
from poems.nn.views import view_of_features

# Degrees of freedom and scale of the scaled-inverse-chi-square prior on each
# feature's noise variance; the scale is a share of the feature's own variance.
_NOISE_DF = 3.0
_NOISE_SHARE = 0.5


class GaussianLikelihood(Likelihood):
    """x_j ~ N(eta_j, sigma_j^2) with sigma_j^2 ~ scaled-inverse-chi-square.

    Parameters
    ----------
    variance
        Variance of each feature over the training samples, of shape (n_features,).
    """

    additive = True
    feature_variance: Tensor

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        # On torch's meta device, where loading builds models, a logarithm is nothing but
        # an import of the compiler, a second's work.
        log_scale = variance.new_empty(variance.shape)
        self.log_scale = nn.Parameter(log_scale if variance.is_meta else 0.5 * torch.log(variance))
        self.register_buffer("feature_variance", variance.clone())

    @property
    def scale(self) -> Tensor:
        """Standard deviation of each feature's noise, of shape (n_features,)."""
        return torch.exp(self.log_scale)

    @torch.no_grad()
    def start(self, residual: Tensor) -> None:
        """Begin with the residual standard deviations."""
        self.log_scale.copy_(residual.where(residual > 0, self.scale).log())

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log density: -r^2 / 2 - log sigma - log(2 pi) / 2 with r = (x - eta) / sigma."""
        r = (x - eta) * torch.exp(-self.log_scale)
        return -0.5 * r.square() - (self.log_scale + 0.5 * LOG_2PI)

    def log_prior(self) -> Tensor:
        """Log density of the scaled-inverse-chi-square prior on each variance: (n_features,)."""
        precision = torch.exp(-2.0 * self.log_scale)
        ratio = (0.5 * _NOISE_DF * _NOISE_SHARE) * self.feature_variance * precision
        return -(ratio + (_NOISE_DF + 2.0) * self.log_scale)

    def variance(self, eta: Tensor) -> Tensor:
        """sigma^2, whatever eta is."""
        return self.scale.square().expand_as(eta)

    def standard_deviation(self, eta: Tensor) -> Tensor:
        """Sigma."""
        return self.scale.expand_as(eta)

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """(x - eta) / sigma^2."""
        return (x - eta) * torch.exp(-2.0 * self.log_scale)

    def information(self, eta: Tensor) -> Tensor:
        """1 / sigma^2."""
        return torch.exp(-2.0 * self.log_scale).expand_as(eta)

    def standard_error(self, eta: Tensor) -> Tensor:
        """Sigma, which is the standard deviation as well: for this likelihood alone."""
        return self.scale.expand_as(eta)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """((x - eta) / sigma)^2."""
        return ((x - eta) * torch.exp(-self.log_scale)).square()

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw from N(eta, sigma^2)."""
        noise = torch.empty_like(eta).normal_(generator=generator)
        return eta + self.scale * noise

    @classmethod
    def joint_terms(
        cls,
        likelihoods: Sequence[Likelihood],
        x: Tensor,
        eta: Tensor,
        measured: Tensor,
        observed: Tensor | None,
        weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The terms of all Gaussian views at once, derivatives by hand."""
        own = [each for each in likelihoods if isinstance(each, GaussianLikelihood)]
        log_scale = torch.cat([likelihood.log_scale for likelihood in own])
        variance = torch.cat([likelihood.feature_variance for likelihood in own])
        sizes = tuple(likelihood.n_features for likelihood in own)
        nll: Tensor
        prior: Tensor
        nll, prior = _Terms.apply(  # type: ignore[no-untyped-call]
            x, eta, log_scale, variance, measured, observed, weight, sizes
        )
        return nll, prior


class _Terms(Function):
    """Both of each feature with their derivatives, in few passes over the data.

    With r = (x - eta) / sigma and weights w: -w r / sigma for eta, the sum over samples of
    w (1 - r^2) for log sigma. Values that are not there count as r = 0. The prior of feature j is
    (df + 2) log sigma_j + df s_j / (2 sigma_j^2), with s_j a share of the variance.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        eta: Tensor,
        log_scale: Tensor,
        variance: Tensor,
        measured: Tensor,
        observed: Tensor | None,
        weight: Tensor | None,
        sizes: tuple[int, ...],
    ) -> tuple[Tensor, Tensor]:
        if weight is None and compiled_for(x.device):
            kept, results = _compiled_terms(x, eta, log_scale, variance, measured, observed, sizes)
            ctx.save_for_backward(*kept)
            return results
        there = measured[:, view_of_features(sizes, x.device)]
        if observed is not None:
            there = there & observed
        precision, constants = torch.exp(-log_scale), log_scale + 0.5 * LOG_2PI
        residual = torch.sub(x, eta).mul_(precision).masked_fill_(~there, 0.0)
        weighted = residual if weight is None else residual * weight[:, None]
        ones = residual.new_ones(len(residual)) if weight is None else weight
        count = ones @ there.to(ones.dtype)
        squares = torch.linalg.vecdot(weighted, residual, dim=0)
        ratio = (0.5 * _NOISE_DF * _NOISE_SHARE) * variance * precision.square()
        of_weight = (residual, constants, there) if ctx.needs_input_grad[6] else ()
        slope, excess = weighted * precision, count - squares
        ctx.save_for_backward(slope, excess, _NOISE_DF + 2.0 - 2.0 * ratio, *of_weight)
        nll = torch.addcmul(0.5 * squares, constants, count)
        return nll, torch.add(ratio, log_scale, alpha=_NOISE_DF + 2.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        slope, excess, of_prior, *of_weight = ctx.saved_tensors
        g = grads[0]
        of_scale = torch.addcmul(of_prior * grads[1], g, excess)
        grad_weight = None
        if of_weight:
            residual, constants, there = of_weight
            grad_weight = residual.square() @ (0.5 * g) + there.to(g.dtype) @ (g * constants)
        return None, slope * -g, of_scale, None, None, None, grad_weight, None


def _compiled_terms(
    x: Tensor,
    eta: Tensor,
    log_scale: Tensor,
    variance: Tensor,
    measured: Tensor,
    observed: Tensor | None,
    sizes: tuple[int, ...],
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What the derivatives need, and both terms, in one pass over the data."""
    # Imported where it is needed: numba takes a moment.
    from poems.nn.kernels.gaussian import gaussian_terms

    values, predicted, scale = (y.detach().contiguous().numpy() for y in (x, eta, log_scale))
    mask = np.ones((1, 1), dtype=bool) if observed is None else observed.numpy()
    slope = np.empty_like(predicted)
    excess, nll, prior, of_prior = np.zeros((4, len(scale)), scale.dtype)
    gaussian_terms(
        values,
        predicted,
        scale,
        variance.contiguous().numpy(),
        measured.contiguous().numpy(),
        mask,
        np.asarray(sizes),
        (_NOISE_DF, _NOISE_SHARE),
        slope,
        excess,
        of_prior,
        nll,
        prior,
    )
    kept = torch.from_numpy(slope), torch.from_numpy(excess), torch.from_numpy(of_prior)
    return kept, (torch.from_numpy(nll), torch.from_numpy(prior))
