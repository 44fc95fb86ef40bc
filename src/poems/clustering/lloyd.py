"""K-means of many sets of points at once: subsamples and cohorts without groups are many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# Rounds of Lloyd's algorithm, at most: coordinates of a network settle in about ten.
_ROUNDS = 40


def kmeans_of_each(
    points: Floats, n_clusters: int, rng: np.random.Generator, *, n_starts: int = 5
) -> Codes:
    """Cluster each of several sets of points by k-means, all of them side by side.

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
    n_sets, n_points, _ = points.shape
    if n_clusters == 1:
        return np.zeros((n_sets, n_points), dtype=np.intp)
    best = np.full(n_sets, np.inf)
    labels = np.zeros((n_sets, n_points), dtype=np.intp)
    lengths = (points**2).sum(axis=2)
    for _ in range(n_starts):
        centres = _spread_out(points, lengths, n_clusters, rng)
        found, within = _lloyd(points, lengths, centres)
        better = within < best
        labels[better], best[better] = found[better], within[better]
    return labels


def _spread_out(
    points: Floats, lengths: Floats, n_clusters: int, rng: np.random.Generator
) -> Floats:
    """Draw centres, each with a probability by its squared distance to those before it.

    lengths: squared, of the points, (n_sets, n_points).
    """
    n_sets, n_points, n_dimensions = points.shape
    at = np.arange(n_sets)
    centres = np.empty((n_sets, n_clusters, n_dimensions))
    centres[:, 0] = points[at, rng.integers(n_points, size=n_sets)]
    nearest = _squares(points, lengths, centres[:, :1])[:, :, 0]
    for number in range(1, n_clusters):
        shares = nearest.cumsum(axis=1)
        drawn = (shares < rng.random((n_sets, 1)) * shares[:, -1:]).sum(axis=1)
        centres[:, number] = points[at, np.minimum(drawn, n_points - 1)]
        squares = _squares(points, lengths, centres[:, number, None])[:, :, 0]
        nearest = np.minimum(nearest, squares)
    return centres


def _lloyd(points: Floats, lengths: Floats, centres: Floats) -> tuple[Codes, Floats]:
    """Move centres to the means of their points until no point changes its cluster."""
    n_sets, n_points, _ = points.shape
    n_clusters = centres.shape[1]
    labels: Codes = np.full((n_sets, n_points), -1, dtype=np.intp)
    within = np.zeros(n_sets)
    moving, own = np.arange(n_sets), points
    for _ in range(_ROUNDS):
        squares = _squares(own, lengths[moving], centres[moving])
        found = squares.argmin(axis=2)
        within[moving] = squares.min(axis=2).sum(axis=1)
        changed = (found != labels[moving]).any(axis=1)
        labels[moving] = found
        moving, own, found = moving[changed], own[changed], found[changed]
        if not len(moving):
            break
        member = (found[:, :, None] == np.arange(n_clusters)).astype(np.float64)
        sizes = member.sum(axis=1)[:, :, None]
        # A centre without points stays where it is.
        means = member.transpose(0, 2, 1) @ own / np.maximum(sizes, 1.0)
        centres[moving] = np.where(sizes > 0, means, centres[moving])
    return labels, within


def _squares(points: Floats, lengths: Floats, centres: Floats) -> Floats:
    """Squared distances, (n_sets, n_points, n_centres)."""
    product = points @ centres.transpose(0, 2, 1)
    product *= 2.0
    squares: Floats = lengths[:, :, None] + (centres**2).sum(axis=2)[:, None, :]
    squares -= product
    # Distances of points to themselves are 0 but for rounding.
    np.maximum(squares, 0.0, out=squares)
    return squares
