"""How far clusters lie apart, in standard deviations within them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# Share of the mean variance added to each, so that a covariance without any has an inverse.
_RIDGE = 1e-3
# Times that samples move to the nearest centre.
_SETTLING = 2


def least_separation(points: Floats, labels: Codes, n_clusters: int) -> float:
    """Compute how far the two clusters that are nearest to each other are apart.

    Of every two clusters it is the distance of their centres along the direction that tells
    them apart best (Fisher's, with one covariance within all clusters), in
    standard deviations within them; or the same of the halves of both that face
    each other, if that is less. A long cluster that is cut through is as far apart as
    its length says, and a bent one farther; but the two halves at the cut are an even
    spread, whatever the shape, and at most the square root of 12 apart. Samples that were
    put into the wrong cluster would hide a gap: each is counted with the cluster whose centre
    is nearest, in standard deviations.

    Parameters
    ----------
    points
        Of shape (n_samples, n_dimensions).
    labels
        Cluster of each sample, from 0.
    n_clusters
        Number of clusters.

    Returns
    -------
    The least over all pairs; 0 where a cluster has fewer than 2 samples, or there is no
    dimension; ``NaN`` for a single cluster.

    Examples
    --------
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> points[:100, 0] += 7.0
    >>> bool(6 < least_separation(points, np.repeat([1, 0], 100), 2) < 8)
    True
    >>> even = np.linspace(0.0, 1.0, 200)[:, None]
    >>> round(least_separation(even, np.repeat([1, 0], 100), 2), 1)
    3.4
    """
    # Compiled when it is first called, not when it is imported.
    from poems.clustering.separation_kernel import centres_of, least_apart

    if n_clusters < 2:
        return float("nan")
    if not points.shape[1]:
        return 0.0
    for _ in range(_SETTLING):
        if np.bincount(labels, minlength=n_clusters).min() < 2:
            return 0.0
        whitened = _whitened(points, labels, n_clusters)
        centres = centres_of(whitened, labels, n_clusters)
        labels = _nearest(whitened, centres)
    if np.bincount(labels, minlength=n_clusters).min() < 2:
        return 0.0
    return float(least_apart(_whitened(points, labels, n_clusters), labels, n_clusters))


def told_apart_by(points: Floats, labels: Codes, n_clusters: int) -> Floats:
    """Compute by which dimensions clusters differ: the share of each's variance between them.

    Parameters
    ----------
    points, labels, n_clusters
        As of :func:`least_separation`; no cluster is empty.

    Returns
    -------
    Shares from 0 to 1, (n_dimensions,); 0 where nothing varies.

    Examples
    --------
    >>> points = np.array([[0.0, 1.0], [0.0, 2.0], [4.0, 1.0], [4.0, 2.0]])
    >>> told_apart_by(points, np.array([0, 0, 1, 1]), 2).tolist()
    [1.0, 0.0]
    """
    from poems.clustering.separation_kernel import centres_of

    spread = points.var(axis=0)
    centres = centres_of(points, labels, n_clusters)
    between = centres[labels].var(axis=0)
    shares: Floats = np.divide(between, spread, out=np.zeros_like(spread), where=spread > 0)
    return shares


def _whitened(points: Floats, labels: Codes, n_clusters: int) -> Floats:
    """Points in coordinates in which clusters have unit variance in every direction."""
    from poems.clustering.separation_kernel import centres_of

    residuals = points - centres_of(points, labels, n_clusters)[labels]
    within = residuals.T @ residuals / max(1, len(points) - n_clusters)
    within += _RIDGE * (np.trace(within) / len(within) or 1.0) * np.eye(len(within))
    lower = np.linalg.cholesky(within)
    solved = linalg.solve_triangular(lower, points.T, lower=True, check_finite=False)
    return np.ascontiguousarray(solved.T)


def _nearest(points: Floats, centres: Floats) -> Codes:
    """The nearest centre of each point."""
    # |x - c|^2 without |x|^2, which is the same for every centre.
    squares = (centres**2).sum(axis=1) - 2.0 * points @ centres.T
    nearest: Codes = squares.argmin(axis=1)
    return nearest
