"""Subtypes formed again without half of the features, on which those can be tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from poems.clustering.agreement import ari
from poems.clustering.kmeans import clusterings_of
from poems.fitting.embeddings import network_embedding
from poems.scaling.batch import Batch
from poems.scaling.redundancy import redundancy

Codes = npt.NDArray[np.intp]
# Rounds in which networks are fused: on five real cohorts the subtypes after 5 rounds agree with
# the reported ones as well as after 20.
_ROUNDS: Final = 5


@dataclass(frozen=True, eq=False)
class HalfSubtypes:
    """Subtypes of the samples formed from a half of the features, and matched to others.

    Parameters
    ----------
    features
        View to the columns that took no part, to be tested.
    codes
        Subtype of each sample, its place among the names of the reported
        subtypes; -1 for a sample without a value in the half.
    ari
        Adjusted Rand index of these and the reported subtypes.
    jaccard
        Of each reported subtype, its samples in common with its match among those
        that are in either; 0 for a subtype without a match.
    """

    features: dict[str, npt.NDArray[np.intp]]
    codes: Codes
    ari: float
    jaccard: npt.NDArray[np.float64]


def half_subtypes(
    data: Batch, reported: Codes, n_subtypes: int, *, seed: int, weighted: bool = True
) -> tuple[HalfSubtypes, HalfSubtypes]:
    """Split the features at random; form subtypes from each half, for tests of the other.

    Half of each view's features make a network of the samples
    (:func:`poems.clustering.networks.network_coordinates`), in which they are clustered by
    k-means. The model, which has seen all features, takes no part.

    Parameters
    ----------
    data
        The preprocessed cohort.
    reported
        Reported subtype of each sample, from 0.
    n_subtypes
        Number of reported subtypes, which as many clusters are matched to (Hungarian
        algorithm, most samples in common).
    seed
        Of the split and of k-means.
    weighted
        Whether features that say the same count less in the network
        (:mod:`poems.scaling.redundancy`); which do is told by the half alone.
    """
    rng = np.random.default_rng([seed, len(data)])
    parts: tuple[dict[str, npt.NDArray[np.intp]], dict[str, npt.NDArray[np.intp]]] = ({}, {})
    for name, width in data.n_features.items():
        # Of an odd number, either half may get one more.
        cut = (width + int(rng.integers(2))) // 2
        order = rng.permutation(width)
        parts[0][name], parts[1][name] = np.sort(order[:cut]), np.sort(order[cut:])
    first, second = (
        matched(_cluster(data, part, n_subtypes, seed, weighted), reported, n_subtypes)
        for part in parts
    )
    return HalfSubtypes(parts[1], *first), HalfSubtypes(parts[0], *second)


def _cluster(
    data: Batch,
    columns: dict[str, npt.NDArray[np.intp]],
    n_subtypes: int,
    seed: int,
    weighted: bool,
) -> Codes:
    """Cluster the samples by some features; -1 for those that have none of them."""
    half = _some_features(data, columns)
    codes = np.full(len(data), -1, dtype=np.intp)
    if half is None:
        return codes
    rows = half.measured.any(dim=1)
    half = half.take(rows.nonzero().flatten())
    if len(half) < 2:
        return codes
    weights = None
    if weighted:
        weights = {name: found.weights for name, found in redundancy(half).items()}
    points = network_embedding(None, half, weights, rounds=_ROUNDS).double().numpy()
    distinct = len(np.unique(points, axis=0))
    clusterings = clusterings_of(points, min(n_subtypes, distinct), (), seed)
    codes[rows.numpy()] = next(iter(clusterings.values()))
    return codes


def _some_features(data: Batch, columns: dict[str, npt.NDArray[np.intp]]) -> Batch | None:
    """Take some features of each view; views without any of them are left out."""
    kept = [at for at, name in enumerate(data.values) if len(columns[name])]
    if not kept:
        return None
    names = [list(data.values)[at] for at in kept]
    observed = {name: data.observed[name] for name in names}
    at = {name: torch.from_numpy(columns[name]) for name in names}
    return Batch(
        {name: data.values[name][:, at[name]] for name in names},
        {name: None if mask is None else mask[:, at[name]] for name, mask in observed.items()},
        data.measured[:, kept],
    )


def matched(
    found: Codes, reported: Codes, n_subtypes: int
) -> tuple[Codes, float, npt.NDArray[np.float64]]:
    """Call each cluster after the reported subtype that it goes with."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import confusion_matrix

    known = found >= 0
    common = confusion_matrix(found[known], reported[known], labels=range(n_subtypes))
    clusters, names = linear_sum_assignment(common, maximize=True)
    name_of = np.empty(n_subtypes, dtype=np.intp)
    name_of[clusters] = names
    sizes = common.sum(axis=1)[clusters] + common.sum(axis=0)[names] - common[clusters, names]
    jaccard = np.zeros(n_subtypes)
    # Of two empty clusters: nothing in common of nothing, an overlap of 0.
    jaccard[names] = common[clusters, names] / np.maximum(sizes, 1)
    # An index for those without a cluster, whose answer -1 replaces.
    codes = np.where(known, name_of[np.maximum(found, 0)], -1)
    agreement = ari(reported[known], found[known]) if known.any() else 0.0
    return codes, agreement, jaccard
