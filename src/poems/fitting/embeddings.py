"""Embeddings: the spaces in which samples are clustered and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from poems.clustering.distances import summed_distances
from poems.clustering.networks import FUSION_ROUNDS, Bools, Floats, coordinates_from_distances
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.training.starts.linear import principal_scores


def gram_embedding(loc: Tensor, gram: Tensor) -> Tensor:
    """Compute z G^(1/2), in which distances are those between predictions, to first order.

    Parameters
    ----------
    loc
        Latents z, of shape (n_samples, n_latent).
    gram
        G = sum_v E[J_v^T J_v] / n_features_v, of shape (n_latent, n_latent).

    Examples
    --------
    >>> gram_embedding(torch.ones(1, 2), torch.diag(torch.tensor([4.0, 0.0]))).tolist()
    [[2.0, 0.0]]
    """
    values, vectors = torch.linalg.eigh(gram.double())
    # A Gram matrix has no negative eigenvalues but by rounding.
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    points: Tensor = loc.double() @ root
    return points.float()


@torch.no_grad()
def decoded_embedding(module: POEMS, loc: Tensor, n_components: int) -> Tensor:
    """Compute principal components of the block-scaled predictions.

    Parameters
    ----------
    module
        The trained model.
    loc
        Latents, of shape (n_samples, n_latent).
    n_components
        Components wanted; at most 32 and n_samples - 1 are returned.
    """
    decoded = [eta - eta.mean(dim=0) for eta in module.decode(loc).values()]
    # Principal components kept of the decoded means, at most.
    rank = min(32, n_components, len(loc) - 1)
    scores, loadings = principal_scores(decoded, rank)
    points: Tensor = scores * loadings.norm(dim=0)
    return points.float()


def network_embedding(
    latents: Tensor | None,
    batch: Batch | BackedBatches,
    weights: Mapping[str, Tensor] | None = None,
    *,
    variances: Tensor | None = None,
    rounds: int = FUSION_ROUNDS,
) -> Tensor:
    """Compute coordinates in the fused network of latents and views.

    Parameters
    ----------
    latents
        Posterior means of the active factors, of shape (n_samples, n_active), or
        ``None`` for a network of the views alone.
    batch
        The same samples' preprocessed views.
    weights
        How much each feature of a view counts in the distances of its samples, (n_features,);
        ``None`` for alike.
    variances
        Posterior variances of the latents, of their shape.
    rounds
        Rounds in which the networks are fused.
    """
    points = None if latents is None else latents.double().numpy()
    distances = (
        summed_distances(
            blocks_of_features(
                batch, name, np.ones(width) if weights is None else weights[name].double().numpy()
            )
        )
        for name, width in batch.n_features.items()
    )
    unknown = None if variances is None else variances.double().numpy()
    coordinates = coordinates_from_distances(points, distances, variances=unknown, rounds=rounds)
    return torch.from_numpy(coordinates).float()


def blocks_of_features(
    data: Batch | BackedBatches, name: str, weights: Floats
) -> Iterator[tuple[Floats, Bools, Floats]]:
    """Yield a view's values, which are there, and how much they count.

    A few features after another where the view is on disk, and all at once in memory: what
    :func:`poems.clustering.distances.summed_distances` takes.
    """
    measured = data.measured[:, list(data.n_features).index(name), None]
    if not isinstance(data, BackedBatches):
        values, observed = data.values[name], data.observed[name]
        there = measured.expand_as(values)
        there = there if observed is None else there & observed
        yield values.double().numpy(), there.numpy(), weights
        return
    first = 0
    for values, gaps in data.columns(name):
        there = measured.expand_as(values)
        there = there if gaps is None else there & ~gaps
        last = first + values.shape[1]
        yield values.double().numpy(), there.numpy(), weights[first:last]
        first = last
