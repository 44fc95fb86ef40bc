"""What a fit keeps of its samples' distances, for subtypes to be looked for again and again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from poems.clustering.distances import summed_distances
from poems.clustering.how_many import drawn_rows, try_numbers
from poems.clustering.kmeans import by_size, clusterings_of, one_thread
from poems.clustering.redraws import NetworkRedraws
from poems.clustering.tried import NumberTried
from poems.fitting.embeddings import blocks_of_features
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches


def network_redraws(
    latents: Tensor,
    variances: Tensor,
    data: Batch | BackedBatches,
    weights: Mapping[str, Tensor],
    seed: int,
) -> NetworkRedraws:
    """Compute the distances of the samples by view, from which networks are made anew.

    Of more than 500 samples a random 500 are kept, those of
    :func:`poems.clustering.how_many.drawn_rows`.

    Parameters
    ----------
    latents, variances
        Posterior means and variances of the active factors, of shape (n_samples, n_active), in
        the order of the factors' names.
    data
        The same samples' preprocessed views.
    weights
        How much each feature of a view counts, (n_features,).
    seed
        Of the subset.
    """
    rows = drawn_rows(len(data), seed)
    some = data.take(torch.from_numpy(rows))
    distances = [
        summed_distances(blocks_of_features(some, name, weights[name].double().numpy()))
        for name in some.n_features
    ]
    own, spread = (each.double().numpy()[rows] for each in (latents, variances))
    return NetworkRedraws(own, np.stack(distances).astype(np.float32), spread, len(data))


def judged_numbers(redraws: NetworkRedraws, network: Tensor, seed: int) -> tuple[NumberTried, ...]:
    """Judge the numbers of clusters from 2 to 10 of samples in their network.

    Parameters
    ----------
    redraws
        Made with the same seed.
    network
        Coordinates of all samples, (n_samples, n_coordinates).
    seed
        That of the fit.
    """
    points = network.double().numpy()
    rows = drawn_rows(len(points), seed)
    with one_thread():
        formed = clusterings_of(points, None, range(2, 11), 0)
        return try_numbers(redraws, {k: by_size(labels)[rows] for k, labels in formed.items()})
