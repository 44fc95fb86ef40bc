"""Posteriors over the latents: one Gaussian, or a mixture of the views' Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

LOG_2PI = math.log(2.0 * math.pi)


def gaussian_log_prob(z: Tensor, loc: Tensor, log_precision: Tensor) -> Tensor:
    """Compute the log density of a diagonal Gaussian, summed over the last dimension."""
    squared = (z - loc).square() * log_precision.exp()
    return 0.5 * (log_precision - squared - LOG_2PI).sum(dim=-1)


def tempered(loc: Tensor, log_precision: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Temper a Gaussian towards N(0, I): N(mu, 1 / tau)^s N(0, 1)^(1 - s), normalised.

        tau' = s tau + 1 - s,   mu' = s tau mu / tau'

    Parameters
    ----------
    loc, log_precision
        Of shape (n_samples, n_latent).
    share
        Exponents s in [0, 1], of shape (n_samples, 1).

    Examples
    --------
    >>> loc, log_precision = tempered(
    ...     torch.tensor([[2.0]]), torch.tensor([[3.0]]).log(), torch.tensor([[0.5]])
    ... )
    >>> round(loc.item(), 6), round(log_precision.exp().item(), 6)
    (1.5, 2.0)
    """
    weighted = share * log_precision.exp()
    precision = weighted + (1.0 - share)
    return weighted * loc / precision, torch.log(precision)


class Posterior(Protocol):
    """What the objective and the result need of q(z | x) for a batch of samples."""

    @property
    def mean(self) -> Tensor:
        """Posterior mean, of shape (n_samples, n_latent)."""
        ...

    @property
    def variance(self) -> Tensor:
        """Posterior variance of each latent, of shape (n_samples, n_latent)."""
        ...

    def rsample(self) -> tuple[Tensor, Tensor]:
        """Draw z of shape (n_draws, n_samples, n_latent) with weights (n_draws, n_samples)."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, of shape (n_draws, n_samples)."""
        ...

    def kl_standard_normal(self) -> Tensor | None:
        """KL(q || N(0, I)) per sample in closed form, or None where there is none."""
        ...


@dataclass(frozen=True)
class GaussianPosterior:
    """A diagonal Gaussian per sample; ``loc`` and ``log_precision``: (n_samples, n_latent)."""

    loc: Tensor
    log_precision: Tensor

    @property
    def mean(self) -> Tensor:
        """Posterior mean."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Posterior variance."""
        return torch.exp(-self.log_precision)

    def rsample(self) -> tuple[Tensor, Tensor]:
        """Draw once per sample."""
        z: Tensor = _Draw.apply(self.loc, self.log_precision)  # type: ignore[no-untyped-call]
        return z[None], z.new_ones(1, z.shape[0])

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z."""
        return gaussian_log_prob(z, self.loc, self.log_precision)

    def kl_standard_normal(self) -> Tensor:
        """KL(q || N(0, I)) per sample."""
        kl: Tensor = _KL.apply(self.loc, self.log_precision)  # type: ignore[no-untyped-call]
        return kl


# On tensors as small as these an operation takes as long as its start: hence the derivatives
# by hand, in a third as many.


class _Draw(Function):
    """mu + epsilon / sqrt(tau) with epsilon ~ N(0, I), from mu and log tau."""

    @staticmethod
    def forward(ctx: Any, loc: Tensor, log_precision: Tensor) -> Tensor:
        spread = torch.exp(-0.5 * log_precision).mul_(torch.randn_like(loc))
        ctx.save_for_backward(spread)
        return loc + spread

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        (spread,) = ctx.saved_tensors
        (g,) = grads
        return g, (g * spread).mul_(-0.5)


class _KL(Function):
    """sum_k (1 / tau_k + mu_k^2 - 1 + log tau_k) / 2, from mu and log tau."""

    @staticmethod
    def forward(ctx: Any, loc: Tensor, log_precision: Tensor) -> Tensor:
        excess = torch.exp(-log_precision).sub_(1.0)
        ctx.save_for_backward(loc, excess)
        return torch.addcmul(excess, loc, loc).add_(log_precision).sum(dim=-1).mul_(0.5)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        loc, excess = ctx.saved_tensors
        (g,) = grads
        return loc * g[..., None], excess * (-0.5 * g[..., None])


@dataclass(frozen=True)
class MixturePosterior:
    """A gated mixture of the views' Gaussians.

    ``loc`` and ``log_precision``: (n_views, n_samples, n_latent); ``gates``:
    (n_samples, n_views), rows summing to one.
    """

    loc: Tensor
    log_precision: Tensor
    gates: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the mixture."""
        return torch.einsum("vbk,bv->bk", self.loc, self.gates)

    @property
    def variance(self) -> Tensor:
        """Variance of the mixture: the mean of the variances plus the variance of the means."""
        # About the mean: E[z^2] - E[z]^2 would cancel to nothing where experts agree.
        second = torch.exp(-self.log_precision) + (self.loc - self.mean).square()
        return torch.einsum("vbk,bv->bk", second, self.gates)

    def rsample(self) -> tuple[Tensor, Tensor]:
        """Draw once from every expert, weighted by its gate (stratified sampling)."""
        noise = torch.randn_like(self.loc)
        return self.loc + noise * torch.exp(-0.5 * self.log_precision), self.gates.T

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of the mixture at z: (n_draws, n_samples, n_latent)."""
        parts = gaussian_log_prob(z[:, None], self.loc[None], self.log_precision[None])
        # An expert of weight zero must not count; a finite floor keeps its gradient finite.
        log_gates = torch.log(self.gates.T.clamp_min(1e-30))
        log_gates = log_gates.masked_fill(self.gates.T == 0, -math.inf)
        return torch.logsumexp(parts + log_gates[None], dim=1)

    def kl_standard_normal(self) -> None:
        """No closed form."""


def kl_to_prior(
    posterior: Posterior, z: Tensor, weights: Tensor, prior_log_prob: Callable[[Tensor], Tensor]
) -> Tensor:
    """Estimate KL(q || p) per sample from draws.

        sum_s weight_s (log q(z_s) - log p(z_s))

    Parameters
    ----------
    posterior
        The posterior that ``z`` was drawn from.
    z, weights
        Draws of shape (n_draws, n_samples, n_latent) and weights (n_draws, n_samples).
    prior_log_prob
        Log density of the prior.
    """
    return (weights * (posterior.log_prob(z) - prior_log_prob(z))).sum(dim=0)
