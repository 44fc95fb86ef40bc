"""Estimates: the arrays that a trained model yields for a batch of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from poems.model import POEMS
from poems.nn.batch import Batch

# Samples that go through the model at once; bounds memory, not the result.
_CHUNK = 2048


@dataclass(frozen=True, eq=False)
class SampleEstimates:
    """What the model says of each sample.

    ``loc`` and ``variance``: (n_samples, n_latent); ``gates``: (n_samples,
    n_views); ``components``: (n_samples, n_components) or ``None``.
    """

    loc: Tensor
    variance: Tensor
    gates: Tensor
    components: Tensor | None


@dataclass(frozen=True, eq=False)
class FeatureEstimates:
    """What the model says of each feature, averaged over the training samples.

    ``slope``: E d eta_j / d z_k and ``size``: E |d eta_j / d z_k|, view name to
    (n_features, n_latent); ``gram``: sum over views of E J^T J / n_features,
    of shape (n_latent, n_latent); ``r2``: view name to the share of the
    measured entries' variance that the decoder explains.
    """

    slope: Mapping[str, Tensor]
    size: Mapping[str, Tensor]
    gram: Tensor
    r2: Mapping[str, float]

    def driven(self) -> Tensor:
        """Which latent dimensions drive a feature of any view: booleans of shape (n_latent,)."""
        return torch.stack([(size != 0).any(dim=0) for size in self.size.values()]).any(dim=0)


@torch.no_grad()
def estimate_samples(model: POEMS, batch: Batch) -> SampleEstimates:
    """Compute latents, gates and component probabilities, dropout off."""
    model.eval()
    loc, variance, gates, components = [], [], [], []
    for rows in torch.split(torch.arange(len(batch)), _CHUNK):
        encoded = model.encode(batch.take(rows.to(batch.measured.device)))
        loc.append(encoded.posterior.mean)
        variance.append(encoded.posterior.variance)
        gates.append(encoded.gates)
        probabilities = model.prior.component_probabilities(loc[-1])
        if probabilities is not None:
            components.append(probabilities)
    return SampleEstimates(
        torch.cat(loc),
        torch.cat(variance),
        torch.cat(gates),
        torch.cat(components) if components else None,
    )


@torch.no_grad()
def estimate_features(model: POEMS, batch: Batch, loc: Tensor) -> FeatureEstimates:
    """Compute slopes, their Gram matrix, and R squared at the posterior means ``loc``."""
    model.eval()
    slope, size, r2 = {}, {}, {}
    gram = loc.new_zeros(loc.shape[1], loc.shape[1])
    for i, name in enumerate(model.views):
        rows = batch.measured[:, i]
        slope[name], size[name], view_gram = model.decoder(i).jacobian(loc)
        gram += view_gram / slope[name].shape[0]
        x, observed = batch.values[name][rows], batch.observed[name]
        r2[name] = explained_share(
            x, model.decoders[i](loc[rows]), None if observed is None else observed[rows]
        )
    return FeatureEstimates(slope, size, gram, r2)


def explained_share(
    x: Tensor, predicted: Tensor, observed: Tensor | None, mean: Tensor | None = None
) -> float:
    """Compute 1 - (residual sum of squares) / (sum of squares about each feature's mean).

    Sums run over the observed entries of all features together; x and
    predicted: (n_samples, n_features). The means are those of x, or the given
    ones, of shape (n_features,): for held-out samples those of the training samples.

    >>> explained_share(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]), None)
    1.0
    """
    there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
    if mean is None:
        mean = torch.where(there, x, 0.0).sum(dim=0) / there.sum(dim=0).clamp_min(1)
    residual = torch.where(there, x - predicted, 0.0).double().square().sum()
    total = torch.where(there, x - mean, 0.0).double().square().sum()
    # Values that are all alike have no variance to explain, but for rounding.
    least = 1e-9 * float(torch.where(there, x, 0.0).double().square().sum())
    return float(1.0 - residual / total) if total > least else 0.0
