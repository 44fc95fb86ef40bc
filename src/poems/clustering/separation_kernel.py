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
        for d in range(points.shape[1]):
            centres[j, d] /= sizes[j]
    return centres


@exactly_compiled
def least_apart(points: Array, labels: Array, n_clusters: int) -> float:
    """Compute the least distance of two clusters, or of their halves that face each other.

    points: (n_samples, n_dimensions), in which clusters have unit variance; labels: from 0, each
    of two samples at least.
    """
    centres = centres_of(points, labels, n_clusters)
    direction = np.empty(points.shape[1])
    least = np.inf
    for one in range(n_clusters):
        for other in range(one + 1, n_clusters):
            square = 0.0
            for d in range(len(direction)):
                direction[d] = centres[other, d] - centres[one, d]
                square += direction[d] * direction[d]
            distance = np.sqrt(square)
            if not distance > 0:
                return 0.0
            for d in range(len(direction)):
                direction[d] /= distance
            left = _along(points, labels, one, direction)
            right = _along(points, labels, other, direction)
            left, right = left[len(left) // 2 :], right[: len(right) - len(right) // 2]
            apart = right.mean() - left.mean()
            squares = _squares(left) + _squares(right)
            n_free = len(left) + len(right) - 2
            least = min(least, distance)
            if n_free > 0 and squares > 0:
                least = min(least, apart / np.sqrt(squares / n_free))
    return least


@exactly_compiled
def _squares(values: Array) -> float:
    """Sum of squares about the mean, value by value: arrays of arrays take numba seconds."""
    mean, total = values.mean(), 0.0
    for value in values:
        total += (value - mean) * (value - mean)
    return total


@exactly_compiled
def _along(points: Array, labels: Array, cluster: int, direction: Array) -> Array:
    """Where the samples of a cluster lie along a direction, sorted."""
    found = np.empty(len(labels))
    n = 0
    for i in range(len(labels)):
        if labels[i] == cluster:
            found[n] = 0.0
            for d in range(len(direction)):
                found[n] += points[i, d] * direction[d]
            n += 1
    found = found[:n]
    found.sort()
    return found
