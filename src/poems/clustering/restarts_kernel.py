"""One start of k-means, compiled; sums stand in the order of scikit-learn's."""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, exactly_compiled


@exactly_compiled
def one_start(
    points: Array,
    lengths: Array,
    first: int,
    drawn: Array,
    n_draws: int,
    labels: Array,
    most_rounds: int,
    tolerance: float,
) -> float:
    """Draw centres, move them until they rest, and return the sum of squares within clusters.

    points: (n_samples, n_dimensions), centred; lengths: (n_samples,), their squares; first: the
    sample that is the first centre; drawn: ((n_clusters - 1) * n_draws,), uniform; labels:
    (n_samples,), all -1, is overwritten. NaN if a centre was left without points.
    """
    n_clusters = 1 + len(drawn) // n_draws
    centres = np.empty((n_clusters, points.shape[1]))
    # Here and below a value at a time: for a row numba also compiles what to say if shapes differ,
    # which takes it seconds.
    for d in range(points.shape[1]):
        centres[0, d] = points[first, d]
    _spread_out(points, lengths, first, drawn, n_draws, centres)
    moved = np.empty_like(centres)
    sizes = np.empty(n_clusters)
    strict = False
    for _ in range(most_rounds):
        changed = _assign(points, centres, labels)
        moved[:] = 0.0
        sizes[:] = 0.0
        for i in range(len(points)):
            sizes[labels[i]] += 1.0
            for d in range(points.shape[1]):
                moved[labels[i], d] += points[i, d]
        shift = 0.0
        for j in range(n_clusters):
            if sizes[j] == 0.0:
                return np.nan
            weight = 1.0 / sizes[j]
            for d in range(points.shape[1]):
                moved[j, d] *= weight
            shift += np.sqrt(_square(moved[j], centres[j])) ** 2
        centres, moved = moved, centres
        if not changed:
            strict = True
            break
        if shift <= tolerance:
            break
    if not strict:
        _assign(points, centres, labels)
    within = 0.0
    for i in range(len(points)):
        within += _square(points[i], centres[labels[i]])
    return within


@exactly_compiled
def _spread_out(
    points: Array, lengths: Array, first: int, drawn: Array, n_draws: int, centres: Array
) -> None:
    """Draw centres by their squared distance to those before, the best of several draws each."""
    n_samples = len(points)
    nearest = np.empty(n_samples)
    left = 0.0
    for i in range(n_samples):
        nearest[i] = _far(points, lengths, first, i)
        left += nearest[i]
    kept, tried = np.empty(n_samples), np.empty(n_samples)
    for number in range(1, len(centres)):
        best, least = -1, np.inf
        for at in range(n_draws):
            wanted = drawn[(number - 1) * n_draws + at] * left
            candidate, reached = 0, nearest[0]
            while reached < wanted and candidate < n_samples - 1:
                candidate += 1
                reached += nearest[candidate]
            rest = 0.0
            for i in range(n_samples):
                tried[i] = min(nearest[i], _far(points, lengths, candidate, i))
                rest += tried[i]
            if rest < least:
                best, least = candidate, rest
                kept, tried = tried, kept
        nearest, kept = kept, nearest
        left = least
        for d in range(points.shape[1]):
            centres[number, d] = points[best, d]


@exactly_compiled
def _far(points: Array, lengths: Array, i: int, j: int) -> float:
    """Squared distance of two points; of a point to itself 0 but for rounding."""
    product = 0.0
    for d in range(points.shape[1]):
        product += points[i, d] * points[j, d]
    square = -2.0 * product + lengths[i] + lengths[j]
    return square if square > 0.0 else 0.0


@exactly_compiled
def _assign(points: Array, centres: Array, labels: Array) -> bool:
    """Give each point its nearest centre, the first of equals; tell whether any changed."""
    n_clusters = len(centres)
    squares = np.empty(n_clusters)
    for j in range(n_clusters):
        squares[j] = 0.0
        for d in range(points.shape[1]):
            squares[j] += centres[j, d] * centres[j, d]
    changed = False
    for i in range(len(points)):
        best, least = 0, np.inf
        for j in range(n_clusters):
            product = 0.0
            for d in range(points.shape[1]):
                product += points[i, d] * centres[j, d]
            far = squares[j] - 2.0 * product
            if far < least:
                best, least = j, far
        changed |= labels[i] != best
        labels[i] = best
    return changed


@exactly_compiled
def _square(a: Array, b: Array) -> float:
    """Squared distance, four terms at a time: the sum depends on their order in its last bits."""
    total = 0.0
    n_fours = len(a) // 4
    for four in range(n_fours):
        d = 4 * four
        total += (
            (a[d] - b[d]) * (a[d] - b[d])
            + (a[d + 1] - b[d + 1]) * (a[d + 1] - b[d + 1])
            + (a[d + 2] - b[d + 2]) * (a[d + 2] - b[d + 2])
            + (a[d + 3] - b[d + 3]) * (a[d + 3] - b[d + 3])
        )
    for d in range(4 * n_fours, len(a)):
        total += (a[d] - b[d]) * (a[d] - b[d])
    return total


@exactly_compiled
def same_clusters(a: Array, b: Array, n_clusters: int) -> bool:
    """Tell whether two clusterings differ in the names of their clusters at most."""
    name = np.full(n_clusters, -1)
    for i in range(len(a)):
        if name[a[i]] == -1:
            name[a[i]] = b[i]
        elif name[a[i]] != b[i]:
            return False
    return True
