"""Starts of k-means, compiled; sums stand in the order of scikit-learn's.

Loops over samples are the inner ones: each sample's sum has its own order, so that several are
added up at once without a bit of any changing.
"""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, exactly_compiled


@exactly_compiled
def best_of_starts(
    points: Array,
    lengths: Array,
    firsts: Array,
    drawn: Array,
    n_draws: int,
    best: Array,
    most_rounds: int,
    tolerance: float,
    all_sound: bool,
) -> float:
    """Cluster from several starts, and return the least sum of squares within clusters.

    points: (n_samples, n_dimensions), centred; lengths: (n_samples,), their squares; firsts:
    (n_starts,), the sample that is each start's first centre; drawn: (n_starts,
    (n_clusters - 1) * n_draws), uniform; best: (n_samples,), all -1, is overwritten by the
    clusters. Infinite if every start left a centre without points, or all_sound and one did.
    """
    n_clusters = 1 + drawn.shape[1] // n_draws
    across = np.ascontiguousarray(points.T)
    labels = np.empty_like(best)
    least = np.inf
    for start in range(len(firsts)):
        labels[:] = -1
        within = _one_start(
            points, across, lengths, firsts[start], drawn[start], n_draws, n_clusters,
            labels, most_rounds, tolerance,
        )  # fmt: skip
        if np.isnan(within):
            if all_sound:
                return np.inf
            continue
        # The same clusters may have a smaller sum by rounding alone.
        if np.isinf(least) or (within < least and not _same_clusters(labels, best, n_clusters)):
            for i in range(len(points)):
                best[i] = labels[i]
            least = within
    return least


@exactly_compiled
def _one_start(
    points: Array,
    across: Array,
    lengths: Array,
    first: int,
    drawn: Array,
    n_draws: int,
    n_clusters: int,
    labels: Array,
    most_rounds: int,
    tolerance: float,
) -> float:
    """Draw centres, move them until they rest; NaN if one was left without points."""
    centres = np.empty((n_clusters, points.shape[1]))
    # Here and below a value at a time: for a row numba also compiles what to say if shapes differ,
    # which takes it seconds.
    for d in range(points.shape[1]):
        centres[0, d] = points[first, d]
    _spread_out(points, across, lengths, first, drawn, n_draws, centres)
    moved = np.empty_like(centres)
    sizes = np.empty(n_clusters)
    products, least = np.empty(len(points)), np.empty(len(points))
    nearest = np.empty_like(labels)
    strict = False
    for _ in range(most_rounds):
        changed = _assign(across, centres, labels, products, least, nearest)
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
        _assign(across, centres, labels, products, least, nearest)
    within = 0.0
    for i in range(len(points)):
        within += _square(points[i], centres[labels[i]])
    return within


@exactly_compiled
def _spread_out(
    points: Array,
    across: Array,
    lengths: Array,
    first: int,
    drawn: Array,
    n_draws: int,
    centres: Array,
) -> None:
    """Draw centres by their squared distance to those before, the best of several draws each."""
    n_samples = len(points)
    nearest = np.full(n_samples, np.inf)
    kept, tried = np.empty(n_samples), np.empty(n_samples)
    # Running sums of the distances.
    reached, sums, kept_sums = np.empty(n_samples), np.empty(n_samples), np.empty(n_samples)
    _nearer(points, across, lengths, first, nearest, nearest, reached)
    for number in range(1, len(centres)):
        best, least, left = -1, np.inf, reached[-1]
        for at in range(n_draws):
            wanted = drawn[(number - 1) * n_draws + at] * left
            candidate = min(np.searchsorted(reached, wanted), n_samples - 1)
            _nearer(points, across, lengths, candidate, nearest, tried, sums)
            if sums[-1] < least:
                best, least = candidate, sums[-1]
                kept, tried = tried, kept
                kept_sums, sums = sums, kept_sums
        nearest, kept = kept, nearest
        reached, kept_sums = kept_sums, reached
        for d in range(points.shape[1]):
            centres[number, d] = points[best, d]


@exactly_compiled
def _nearer(
    points: Array,
    across: Array,
    lengths: Array,
    centre: int,
    nearest: Array,
    found: Array,
    sums: Array,
) -> None:
    """Squared distances to the nearest of some centres and one point more, and running sums."""
    sums[:] = 0.0
    for d in range(len(across)):
        along, own = across[d], points[centre, d]
        for i in range(len(sums)):
            sums[i] += own * along[i]
    for i in range(len(sums)):
        square = -2.0 * sums[i] + lengths[centre] + lengths[i]
        # Of a point to itself 0 but for rounding.
        square = square if square > 0.0 else 0.0
        found[i] = square if square < nearest[i] else nearest[i]
    total = 0.0
    for i in range(len(sums)):
        total += found[i]
        sums[i] = total


@exactly_compiled
def _assign(
    across: Array, centres: Array, labels: Array, products: Array, least: Array, nearest: Array
) -> bool:
    """Give each point its nearest centre, the first of equals; tell whether any changed."""
    least[:] = np.inf
    nearest[:] = 0
    for j in range(len(centres)):
        length = 0.0
        for d in range(len(across)):
            length += centres[j, d] * centres[j, d]
        products[:] = 0.0
        for d in range(len(across)):
            along, own = across[d], centres[j, d]
            for i in range(len(products)):
                products[i] += along[i] * own
        for i in range(len(products)):
            far = length - 2.0 * products[i]
            nearer = far < least[i]
            least[i] = far if nearer else least[i]
            nearest[i] = j if nearer else nearest[i]
    changed = False
    for i in range(len(labels)):
        changed |= labels[i] != nearest[i]
        labels[i] = nearest[i]
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
def _same_clusters(a: Array, b: Array, n_clusters: int) -> bool:
    """Tell whether two clusterings differ in the names of their clusters at most."""
    name = np.full(n_clusters, -1)
    for i in range(len(a)):
        if name[a[i]] == -1:
            name[a[i]] = b[i]
        elif name[a[i]] != b[i]:
            return False
    return True
