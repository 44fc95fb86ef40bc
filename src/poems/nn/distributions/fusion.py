"""Fusion rules: from one Gaussian expert per view to one posterior per sample.

A rule is a function of the experts' ``loc`` and ``log_precision``, both of shape
(n_views, n_samples, n_latent), and the ``gates`` of shape (n_samples, n_views),
which sum to one over views and are exactly zero for views that were not
measured. To add a rule, write the function and register it in :data:`poems.settings.parts.FUSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from poems.nn.distributions.posteriors import GaussianPosterior, MixturePosterior, Posterior

FusionRule = Callable[[Tensor, Tensor, Tensor], Posterior]


def product_of_experts(loc: Tensor, log_precision: Tensor, gates: Tensor) -> GaussianPosterior:
    """Fuse by the gated product of experts, eq. (1) of arXiv 2511.03464.

        tau_s = sum_v alpha_v tau_v,   mu_s = sum_v alpha_v tau_v mu_v / tau_s

    Examples
    --------
    >>> loc = torch.tensor([[[0.0]], [[3.0]]])
    >>> posterior = product_of_experts(loc, torch.zeros(2, 1, 1), torch.tensor([[0.5, 0.5]]))
    >>> posterior.mean.item(), posterior.variance.item()
    (1.5, 1.0)
    """
    return GaussianPosterior(*_Product.apply(loc, log_precision, gates, False))  # type: ignore[no-untyped-call]


def product_with_prior_expert(
    loc: Tensor, log_precision: Tensor, gates: Tensor
) -> GaussianPosterior:
    """Fuse by the classical product with a standard normal expert (arXiv 1802.05335).

        tau_s = 1 + n_obs sum_v alpha_v tau_v,   mu_s = n_obs sum_v alpha_v tau_v mu_v / tau_s

    n_obs counts the measured views of the sample.
    """
    weights = gates * (gates > 0).sum(dim=1, keepdim=True)
    return GaussianPosterior(*_Product.apply(loc, log_precision, weights, True))  # type: ignore[no-untyped-call]


class _Product(Function):
    """Location and log precision of the product of weighted experts, with or without N(0, I).

    With each expert's share s_v = w_v tau_v / tau of the precision, mu = sum_v s_v mu_v. An
    expert of weight zero has no share, and its derivatives are zero.
    """

    @staticmethod
    def forward(
        ctx: Any, loc: Tensor, log_precision: Tensor, weights: Tensor, with_prior: bool
    ) -> tuple[Tensor, Tensor]:
        weights = weights.T[..., None]
        weighted = log_precision + torch.log(weights)
        largest = weighted.amax(dim=0)
        if with_prior:
            # The prior is an expert too, of log precision 0: the largest of all is taken out of the
            # sum.
            largest.clamp_min_(0.0)
        share = weighted.sub_(largest).exp_()
        total = share.sum(dim=0)
        if with_prior:
            total += torch.exp(-largest)
        share /= total
        log_total = total.log_().add_(largest)
        fused = (share * loc).sum(dim=0)
        ctx.save_for_backward(share, loc, fused, weights)
        return fused, log_total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        share, loc, fused, weights = ctx.saved_tensors
        of_fused, of_log_total = grads
        of_log = torch.addcmul(of_log_total, loc - fused, of_fused).mul_(share)
        # The floor keeps the derivative of the log finite where the weight is zero.
        of_weights = (of_log.sum(dim=2, keepdim=True) / weights.clamp_min(1e-30))[..., 0].T
        return share * of_fused, of_log, of_weights, None


def mixture_of_experts(loc: Tensor, log_precision: Tensor, gates: Tensor) -> MixturePosterior:
    """Fuse by the gated mixture sum_v alpha_v N(mu_v, 1 / tau_v)."""
    return MixturePosterior(loc, log_precision, gates)


# The rules in which a view's share of the precision is what it moves the fused mean by.
PRODUCTS = (product_of_experts, product_with_prior_expert)
