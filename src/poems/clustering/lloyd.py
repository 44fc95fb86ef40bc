"""K-means of many sets of points: subsamples and cohorts without groups are many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from poems.clustering.restarts import best_start

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


def kmeans_of_each(
    points: Floats, n_clusters: int, rng: np.random.Generator, *, n_starts: int = 5
) -> Codes:
    """Cluster each of several sets of points by k-means, as a fit's own are clustered.

    Each set is started ``n_starts`` times by k-means++ (Arthur & Vassilvitskii 2007), and the
    start with the least sum of squares within clusters is kept.

    Parameters
    ----------
    points
        Of shape (n_sets, n_points, n_dimensions), finite.
    n_clusters
        Number of clusters; where there are fewer distinct points some stay empty.
    rng
        Draws the starts.
    n_starts
        Starts of each set.

    Returns
    -------
    Cluster of each point, (n_sets, n_points).

    Examples
    --------
    >>> points = np.array([[[0.0], [0.1], [5.0]], [[7.0], [1.0], [1.2]]])
    >>> found = kmeans_of_each(points, 2, np.random.default_rng(0))
    >>> [bool(row[0] == row[1]) for row in found], bool(found[1, 1] == found[1, 2])
    ([True, False], True)
    """
    seeds = rng.integers(2**31, size=len(points))
    return np.stack(
        [
            _of_one(each, n_clusters, n_starts, seed)
            for each, seed in zip(points, seeds.tolist(), strict=True)
        ]
    )


def _of_one(points: Floats, n_clusters: int, n_starts: int, seed: int) -> Codes:
    # Where every start leaves a centre without points there are hardly as many distinct ones.
    while n_clusters > 1:
        labels, within = best_start(points, n_clusters, n_starts=n_starts, seed=seed)
        if np.isfinite(within):
            return labels
        n_clusters -= 1
    return np.zeros(len(points), dtype=np.intp)
