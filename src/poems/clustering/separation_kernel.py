"""Centres of clusters, and how far the nearest two are apart, compiled."""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, exactly_compiled


@exactly_compiled
def centres_of(points: Array, labels: Array, n_clusters: int) -> Array:
    """Compute the mean of each cluster, (n_clusters, n_dimensions); none is empty."""
    centres = np.zeros((n_clusters, points.shape[1]))
    sizes = np.zeros(n_clusters)
    for i in range(len(points)):
        sizes[labels[i]] += 1.0
        for d in range(points.shape[1]):
            centres[labels[i], d] += points[i, d]
    for j in range(n_clusters):
        centres[j] /= sizes[j]
    return centres


@exactly_compiled
def least_apart(points: Array, labels: Array, n_clusters: int) -> float:
    """Compute the least distance of two clusters, or of their halves that face each other.

    points: (n_samples, n_dimensions), in which clusters have unit variance; labels: from 0, each
    of two samples at least.
    """
    centres = centres_of(points, labels, n_clusters)
    members = [np.flatnonzero(labels == j) for j in range(n_clusters)]
    least = np.inf
    for one in range(n_clusters):
        for other in range(one + 1, n_clusters):
            direction = centres[other] - centres[one]
            distance = np.sqrt((direction * direction).sum())
            if not distance > 0:
                return 0.0
            direction /= distance
            left = _along(points, members[one], direction)
            right = _along(points, members[other], direction)
            left, right = left[len(left) // 2 :], right[: len(right) - len(right) // 2]
            apart = right.mean() - left.mean()
            squares = ((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum()
            n_free = len(left) + len(right) - 2
            least = min(least, distance)
            if n_free > 0 and squares > 0:
                least = min(least, apart / np.sqrt(squares / n_free))
    return least


@exactly_compiled
def _along(points: Array, rows: Array, direction: Array) -> Array:
    """Where samples lie along a direction, sorted."""
    found = np.empty(len(rows))
    for at in range(len(rows)):
        found[at] = 0.0
        for d in range(len(direction)):
            found[at] += points[rows[at], d] * direction[d]
    found.sort()
    return found
