"""Fusion rules: from one Gaussian expert a view to one posterior a sample.

A rule is a function of the experts' ``loc`` and ``log_precision``, both of shape
(n_views, n_samples, n_latent), and the ``gates`` of shape (n_samples, n_views),
which sum to one over views and are exactly zero for views that were not
measured. To add a rule, write the function and register it in ``FUSIONS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from poems.distributions.posteriors import GaussianPosterior, MixturePosterior, Posterior

FusionRule = Callable[[Tensor, Tensor, Tensor], Posterior]


def _log_weights(gates: Tensor) -> Tensor:
    """Log gates as (n_views, n_samples, 1), minus infinity for an exact zero."""
    weights = gates.T[..., None]
    # The floor keeps the gradient of the log finite where the gate is zero.
    return torch.log(weights.clamp_min(1e-30)).masked_fill(weights == 0, -math.inf)


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
    weighted = log_precision + _log_weights(gates)
    log_total = torch.logsumexp(weighted, dim=0)
    fused = (torch.exp(weighted - log_total) * loc).sum(dim=0)
    return GaussianPosterior(fused, log_total)


def product_with_prior_expert(
    loc: Tensor, log_precision: Tensor, gates: Tensor
) -> GaussianPosterior:
    """Fuse by the classical product with a standard normal expert (arXiv 1802.05335).

        tau_s = 1 + n_obs sum_v alpha_v tau_v,   mu_s = n_obs sum_v alpha_v tau_v mu_v / tau_s

    n_obs counts the measured views of the sample.
    """
    n_observed = (gates > 0).sum(dim=1).to(loc.dtype)
    weighted = log_precision + _log_weights(gates) + torch.log(n_observed)[None, :, None]
    prior = torch.zeros_like(weighted[:1])
    log_total = torch.logsumexp(torch.cat([weighted, prior]), dim=0)
    fused = (torch.exp(weighted - log_total) * loc).sum(dim=0)
    return GaussianPosterior(fused, log_total)


def mixture_of_experts(loc: Tensor, log_precision: Tensor, gates: Tensor) -> MixturePosterior:
    """Fuse by the gated mixture sum_v alpha_v N(mu_v, 1 / tau_v)."""
    return MixturePosterior(loc, log_precision, gates)


FUSIONS: Mapping[str, FusionRule] = {
    "poe": product_of_experts,
    "poe_prior": product_with_prior_expert,
    "moe": mixture_of_experts,
}
