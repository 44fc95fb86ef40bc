"""Consensus over refits: latents averaged, clusterings counted, subtypes read off the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import names_by_size
from poems.resampling.alignment import Alignment
from poems.resampling.refits import Refit

_Floats = npt.NDArray[np.float64]
_Labels = npt.NDArray[np.int32]


def co_association(clusterings: Sequence[_Labels]) -> _Floats:
    """Compute the share of clusterings in which two samples lie in one cluster.

    Fred & Jain (2005); the consensus matrix of Monti et al. (2003) where every
    clustering covers all samples.

    Parameters
    ----------
    clusterings
        Arrays of cluster numbers, each of shape (n_samples,).

    Returns
    -------
    Array of shape (n_samples, n_samples), ones on its diagonal.

    Examples
    --------
    >>> co_association([np.array([0, 0, 1]), np.array([1, 0, 0])])[0].tolist()
    [1.0, 0.5, 0.0]
    """
    together = [labels[:, None] == labels[None, :] for labels in clusterings]
    return np.asarray(np.mean(together, axis=0, dtype=np.float64))


def ambiguity(matrix: _Floats, low: float = 0.1, high: float = 0.9) -> float:
    """Compute the proportion of ambiguously clustered pairs.

    PAC, the share of pairs of different samples whose co-association lies
    between ``low`` and ``high`` (Senbabaoglu et al. 2014): 0 where all
    clusterings agree.

    Examples
    --------
    >>> ambiguity(np.array([[1.0, 0.5], [0.5, 1.0]]))
    1.0
    """
    pairs = matrix[np.triu_indices(len(matrix), k=1)]
    return float(np.mean((pairs > low) & (pairs < high))) if len(pairs) else 0.0


def average_linkage(matrix: _Floats, n_clusters: int) -> _Labels:
    """Cluster samples by average linkage on 1 - co-association.

    Parameters
    ----------
    matrix
        Co-association, of shape (n_samples, n_samples).
    n_clusters
        Number of clusters, at most n_samples.

    Examples
    --------
    >>> average_linkage(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]), 2).tolist()
    [0, 0, 1]
    """
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 2:
        return np.zeros(len(matrix), dtype=np.int32)
    tree = linkage(squareform(1.0 - matrix, checks=False), method="average")
    # Cut by number rather than by height: of merges at equal heights all would be undone at once.
    return np.asarray(cut_tree(tree, n_clusters).ravel(), dtype=np.int32)


def consensus_latent(
    reference: npt.NDArray[np.floating],
    refits: Sequence[Refit],
    alignments: Sequence[Alignment],
) -> _Floats:
    """Average each factor's latents over the reference fit and the refits that contain it.

    Every refit's latents are centred, divided by their standard deviation and
    turned to the reference's sign first. The average is brought back to mean
    and standard deviation of the reference's latents, so that the factors keep
    their weights in a distance.

    Parameters
    ----------
    reference
        Latents of the reference fit, of shape (n_samples, n_factors).
    refits, alignments
        The refits, and where in each the reference's factors are found.
    """
    values = reference.astype(np.float64)
    mean, sd = values.mean(axis=0), values.std(axis=0)
    total = _standardised(values)
    for refit, alignment in zip(refits, alignments, strict=True):
        for factor in np.flatnonzero(alignment.found):
            own = refit.latent[:, alignment.factor[factor]].astype(np.float64)
            total[:, factor] += alignment.sign[factor] * _standardised(own)
    return np.asarray(_standardised(total) * sd + mean)


def ensemble(refits: Sequence[Refit]) -> _Floats:
    """Set the latents of all refits side by side, divided by the root of their number.

    The squared distance between two samples is its mean over the refits,
    whatever the order and the signs of their factors: nothing is matched.

    Returns
    -------
    Array of shape (n_samples, sum of the refits' n_factors).
    """
    scale = max(len(refits), 1) ** 0.5
    return np.hstack([each.latent.astype(np.float64) / scale for each in refits])


@dataclass(frozen=True, eq=False)
class ConsensusSubtypes:
    """Subtypes on which the refits agree, ``"S1"`` the largest.

    Parameters
    ----------
    assignment
        Subtype of each sample: Series named ``"subtype"``.
    agreement
        How often a sample was put together with its subtype's other samples,
        less how often with those of the next subtype, relative to their
        distances: its silhouette on 1 - co-association, from -1 to 1; 1 where there is one subtype.
    choice
        One row per number of subtypes tried: mean ``silhouette``, ``pac``
        (:func:`ambiguity`) and the size of the ``smallest`` subtype.
    """

    assignment: pd.Series
    agreement: pd.Series
    choice: pd.DataFrame

    @property
    def n_subtypes(self) -> int:
        """Number of subtypes."""
        return int(self.assignment.nunique())

    def table(self) -> pd.DataFrame:
        """Return one row per sample: subtype and agreement."""
        return pd.DataFrame({"subtype": self.assignment, "agreement": self.agreement})


def subtypes_of(
    matrices: Mapping[int, _Floats], samples: pd.Index, n_subtypes: int
) -> ConsensusSubtypes:
    """Read subtypes off co-association matrices, one per number of clusters.

    Average linkage on 1 - co-association. The number is given: how well refits agree says nothing
    of how many groups there are, for a continuum is cut at the same place again and again.

    Parameters
    ----------
    matrices
        Number of clusters to the co-association of clusterings of that size.
    samples
        Names of the samples.
    n_subtypes
        1, or a number among those of ``matrices``.
    """
    labels = {k: average_linkage(matrix, k) for k, matrix in matrices.items()}
    widths = {k: _silhouettes(matrix, labels[k]) for k, matrix in matrices.items()}
    choice = pd.DataFrame(
        {
            "silhouette": {k: float(widths[k].mean()) for k in matrices},
            "pac": {k: ambiguity(matrix) for k, matrix in matrices.items()},
            "smallest": {k: int(np.bincount(labels[k]).min()) for k in matrices},
        }
    ).rename_axis("n_subtypes")
    alone = np.zeros(len(samples), dtype=np.int32)
    assigned = labels[n_subtypes] if n_subtypes > 1 else alone
    agreement = widths[n_subtypes] if n_subtypes > 1 else np.ones(len(samples))
    return ConsensusSubtypes(
        assignment=pd.Series(names_by_size(assigned), index=samples, name="subtype"),
        agreement=pd.Series(agreement, index=samples, name="agreement"),
        choice=choice,
    )


def _silhouettes(matrix: _Floats, labels: _Labels) -> _Floats:
    """Compute each sample's silhouette on 1 - co-association; 0 where it is not defined."""
    from sklearn.metrics import silhouette_samples

    if not 2 <= len(np.unique(labels)) < len(labels):
        return np.zeros(len(labels))
    distance = 1.0 - matrix
    np.fill_diagonal(distance, 0.0)
    return np.asarray(silhouette_samples(distance, labels, metric="precomputed"), dtype=np.float64)


def _standardised(x: _Floats) -> _Floats:
    """Centre and scale columns; those that do not vary become zero."""
    sd = x.std(axis=0)
    scaled: _Floats = (x - x.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return scaled
