"""The spike-and-slab lasso of the sparse decoders' loadings, for all views at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from poems.nn.decoder import SparseDecoder
from poems.nn.distributions import spike_slab
from poems.nn.views import view_of_features


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
    # While the ramp rises, the spike is at first no narrower than the slab: the model of one
    # Laplace.
    spike = (ramp * full).clamp_min_(sparsity.lambda_slab)
    for decoder, own in zip(decoders, torch.split(spike, list(sizes)), strict=True):
        decoder.lambda_spike.copy_(own)
    inclusion = _inclusion(decoders, _loadings(decoders), spike)
    for decoder, own in zip(decoders, torch.split(inclusion, list(sizes)), strict=True):
        b = sparsity.theta_b * len(own)
        decoder.theta_logit.copy_(spike_slab.theta_logit_update(own, 1.0, b))


@torch.no_grad()
def penalty_rates(decoders: Sequence[SparseDecoder], divisor: float = 1.0) -> Tensor:
    """L1 rate of each loading of all views, divided by a number.

    Of shape (n_features, n_latent), the views in their order.
    """
    sparsity, W = decoders[0].sparsity, _loadings(decoders)
    spike = torch.cat([decoder.lambda_spike for decoder in decoders])
    if not sparsity.slab:
        return (spike / divisor)[:, None].expand_as(W)
    inclusion = _inclusion(decoders, W, spike)
    return spike_slab.penalty_rate(inclusion, spike, sparsity.lambda_slab).div_(divisor)


def _inclusion(decoders: Sequence[SparseDecoder], W: Tensor, spike: Tensor) -> Tensor:
    """As :meth:`SparseDecoder.inclusion`, of all views: (n_features, n_latent)."""
    sparsity = decoders[0].sparsity
    if not sparsity.slab:
        return (W != 0).to(W.dtype)
    theta = torch.stack([decoder.theta_logit for decoder in decoders])
    log_odds = spike_slab.inclusion_log_odds(
        W,
        theta[view_of_features(_sizes(decoders), W.device)],
        spike,
        sparsity.lambda_slab,
        density_ratio=sparsity.density_ratio,
    )
    return log_odds.sigmoid_()


@lru_cache(maxsize=16)
def _candidates(
    sizes: tuple[int, ...], n_latent: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Number of loadings of each feature's view, of shape (n_features,)."""
    counts = torch.tensor(sizes, dtype=dtype, device=device) * n_latent
    return counts[view_of_features(sizes, device)]


def _loadings(decoders: Sequence[SparseDecoder]) -> Tensor:
    return torch.cat([decoder.loadings.detach() for decoder in decoders])


def _sizes(decoders: Sequence[SparseDecoder]) -> tuple[int, ...]:
    return tuple(decoder.loadings.shape[0] for decoder in decoders)
