"""How well clusterings hold when samples are left out: co-association, and Jaccard by subtype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from poems.clustering.restarts import restarted_kmeans

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


def subsampled_clusterings(
    values: Floats, n_clusters: int, *, n_rounds: int, share: float = 0.8, seed: int = 0
) -> Codes | None:
    """Cluster random subsamples, drawn without replacement, by k-means.

    Parameters
    ----------
    values
        Points of shape (n_samples, n_dimensions), finite.
    n_clusters
        Number of clusters.
    n_rounds
        Number of subsamples.
    share
        Share of the samples that is drawn.
    seed
        Of the draws and of k-means. The same samples are drawn whatever the
        number of clusters.

    Returns
    -------
    Cluster of each sample in each round, (n_rounds, n_samples), -1 where it was not
    drawn; ``None`` if a subsample has not that many distinct points.

    Examples
    --------
    >>> points = np.repeat([[0.0], [9.0]], 10, axis=0) + np.arange(20)[:, None] / 100
    >>> subsampled_clusterings(points, 2, n_rounds=3).shape
    (3, 20)
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n_samples = len(values)
    size = max(1, round(share * n_samples))
    rng = np.random.default_rng(seed)
    labels = np.full((n_rounds, n_samples), -1, dtype=np.intp)
    # Where all samples differ, those of every subsample do.
    all_differ = _distinct(values) == n_samples
    with threadpool_limits(limits=1):
        for at in range(n_rounds):
            rows = np.sort(rng.permutation(n_samples)[:size])
            if n_clusters == 1:
                labels[at, rows] = 0
                continue
            points = values[rows]
            distinct = size if all_differ else _distinct(points)
            if n_clusters >= size or n_clusters > distinct:
                return None
            # Restarts of k-means in each round: a bad start must not pass for instability.
            found, _ = restarted_kmeans(points, n_clusters, n_starts=2, seed=seed + at)
            labels[at, rows] = found
    return labels


def _distinct(points: Floats) -> int:
    """Count distinct points; those without coordinates are all at one place."""
    return len(np.unique(points, axis=0)) if points.shape[1] else 1


def consensus_of(labels: Codes) -> Floats:
    """Compute the share of the rounds with both samples that put the two together.

    The consensus matrix of Monti et al. (2003, Machine Learning 52:91).

    Parameters
    ----------
    labels
        Cluster of each sample in each round, (n_rounds, n_samples), -1 where it
        was not drawn.

    Returns
    -------
    Array of shape (n_samples, n_samples), ones on its diagonal; ``NaN`` for two samples
    that were never drawn together.

    Examples
    --------
    >>> consensus_of(np.array([[0, 0, 1], [1, 0, -1]]))[0].tolist()
    [1.0, 0.5, 0.0]
    """
    together = np.zeros((labels.shape[1],) * 2, dtype=np.float32)
    drawn = (labels >= 0).astype(np.float32)
    for cluster in range(int(labels.max(initial=-1)) + 1):
        member = (labels == cluster).astype(np.float32)
        together += member.T @ member
    both = drawn.T @ drawn
    # Of two samples never drawn together nothing is known: NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = (together / both).astype(np.float64)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def jaccard_of(codes: Codes, labels: Codes, n_subtypes: int) -> Floats:
    """Compute how well each subtype is found again: the mean over rounds of its best Jaccard index.

    Of each round, the largest share that the drawn samples of a subtype and a cluster
    have in common of those in either (Hennig 2007, Computational Statistics &
    Data Analysis 52:258).

    Parameters
    ----------
    codes
        Subtype of each sample, from 0.
    labels
        As in :func:`consensus_of`.
    n_subtypes
        Number of subtypes.

    Returns
    -------
    Array of shape (n_subtypes,); ``NaN`` for one that was never drawn.

    Examples
    --------
    >>> rounds = np.array([[5, 5, 6, 6], [5, 5, 5, 6]])
    >>> jaccard_of(np.array([0, 0, 1, 1]), rounds, 2).round(2).tolist()
    [0.83, 0.75]
    """
    own = (codes[:, None] == np.arange(n_subtypes)).astype(np.float64)
    found = []
    for row in labels:
        drawn = row >= 0
        names = np.unique(row[drawn])
        cluster = (row[drawn][:, None] == names).astype(np.float64)
        common = own[drawn].T @ cluster
        either = own[drawn].sum(axis=0)[:, None] + cluster.sum(axis=0) - common
        best = (common / either).max(axis=1) if len(names) else np.zeros(n_subtypes)
        found.append(np.where(own[drawn].sum(axis=0) > 0, best, np.nan))
    stacked = np.stack(found)
    known = ~np.isnan(stacked)
    # Known in no round: NaN.
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, stacked, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def mean_consensus(matrix: Floats, codes: Codes, n_subtypes: int) -> Floats:
    """Compute each sample's mean consensus with the samples of each subtype, itself left out.

    Parameters
    ----------
    matrix
        Consensus, as of :func:`consensus_of`.
    codes
        Subtype of each sample, from 0.
    n_subtypes
        Number of subtypes.

    Returns
    -------
    Array of shape (n_samples, n_subtypes); ``NaN`` where there is no other sample.

    Examples
    --------
    >>> matrix = np.array([[1, 0.8, 0.1], [0.8, 1, 0.3], [0.1, 0.3, 1]])
    >>> mean_consensus(matrix, np.array([0, 0, 1]), 2)[0].tolist()
    [0.8, 0.1]
    """
    member = (codes[:, None] == np.arange(n_subtypes)).astype(np.float64)
    others = matrix.copy()
    np.fill_diagonal(others, np.nan)
    known = ~np.isnan(others)
    # Nothing known of any sample of the cluster: NaN.
    with np.errstate(invalid="ignore"):
        mean: Floats = (np.where(known, others, 0.0) @ member) / (known @ member)
    return mean
