"""The spike-and-slab lasso of the sparse decoders' loadings, for all views at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from poems.nn.compilers import compiled_for
from poems.nn.decoder import SparseDecoder
from poems.nn.distributions import spike_slab
from poems.nn.joint import joint, spread, view_of_features


def joint_buffers(decoders: Sequence[SparseDecoder]) -> list[list[Tensor]]:
    """What the prior keeps of each view, to be used as one tensor (:mod:`poems.nn.joint`)."""
    return [[d.lambda_spike for d in decoders], [d.theta_logit for d in decoders]]


@torch.no_grad()
def update_priors(
    decoders: Sequence[SparseDecoder], ramp: float, standard_error: Tensor, n_measured: Tensor
) -> None:
    """Set the spike's rates at this point of the ramp, then theta by its EM update.

    Parameters
    ----------
    decoders
        The sparse decoders of all views.
    ramp
        From 0 (the spike is as flat as the slab) to 1.
    standard_error, n_measured
        Standard error with which one value tells a feature's eta (for Gaussians the standard
        deviation of its noise), and the samples that have the feature, of shape (n_features,),
        the views' features one after the other.
    """
    sparsity = decoders[0].sparsity
    sizes, n_latent = _sizes(decoders), decoders[0].loadings.shape[1]
    if sparsity.lambda_spike is not None:
        full = torch.full_like(standard_error, sparsity.lambda_spike)
    else:
        candidates = _candidates(sizes, n_latent, standard_error.dtype, standard_error.device)
        scale = sparsity.lambda_spike_scale
        full = spike_slab.universal_spike_rate(n_measured, standard_error, candidates, scale)
    spikes, thetas = joint_buffers(decoders)
    spike = joint(spikes)
    # While the ramp rises, the spike is at first no narrower than the slab: the model of one
    # Laplace.
    spike.copy_((ramp * full).clamp_min_(sparsity.lambda_slab))
    spread(spike, spikes)
    if sparsity.slab and compiled_for(standard_error.device):
        # Imported where it is needed: numba takes a moment.
        from poems.nn.kernels.spike_slab import update_theta

        theta = joint(thetas)
        update_theta(
            _loadings(decoders).numpy(),
            theta.view(-1, n_latent).numpy(),
            spike.numpy(),
            view_of_features(sizes, standard_error.device).numpy(),
            np.asarray(sizes),
            sparsity.lambda_slab,
            sparsity.density_ratio,
            sparsity.theta_b,
        )
        spread(theta, thetas)
        return
    for decoder, size in zip(decoders, sizes, strict=True):
        b = sparsity.theta_b * size
        decoder.theta_logit.copy_(spike_slab.theta_logit_update(decoder.inclusion(), 1.0, b))


@torch.no_grad()
def penalty_rates(decoders: Sequence[SparseDecoder], divisor: float = 1.0) -> Tensor:
    """L1 rate of each loading of all views, divided by a number.

    Of shape (n_features, n_latent), the views in their order.
    """
    sparsity, W = decoders[0].sparsity, _loadings(decoders)
    spikes, thetas = joint_buffers(decoders)
    spike, theta = joint(spikes), joint(thetas).view(len(decoders), -1)
    if not sparsity.slab:
        return (spike / divisor)[:, None].expand_as(W)
    view = view_of_features(_sizes(decoders), W.device)
    if compiled_for(W.device):
        from poems.nn.kernels.spike_slab import penalty_rates as compiled_rates

        rates = torch.empty_like(W)
        compiled_rates(
            W.numpy(),
            theta.numpy(),
            spike.numpy(),
            view.numpy(),
            rates.numpy(),
            sparsity.lambda_slab,
            sparsity.density_ratio,
            divisor,
        )
        return rates
    log_odds = spike_slab.inclusion_log_odds(
        W, theta[view], spike, sparsity.lambda_slab, density_ratio=sparsity.density_ratio
    )
    return spike_slab.penalty_rate(log_odds.sigmoid_(), spike, sparsity.lambda_slab) / divisor


@lru_cache(maxsize=16)
def _candidates(
    sizes: tuple[int, ...], n_latent: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Number of loadings of each feature's view, of shape (n_features,)."""
    counts = torch.tensor(sizes, dtype=dtype, device=device) * n_latent
    return counts[view_of_features(sizes, device)]


def _loadings(decoders: Sequence[SparseDecoder]) -> Tensor:
    return joint([decoder.loadings for decoder in decoders]).detach()


def _sizes(decoders: Sequence[SparseDecoder]) -> tuple[int, ...]:
    return tuple(decoder.loadings.shape[0] for decoder in decoders)
