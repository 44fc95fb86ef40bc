"""Similarity networks of samples: one a representation, fused into one, turned into coordinates.

Networks and their fusion follow similarity network fusion (Wang et al. 2014,
Nature Methods 11:333). The coordinates are those of spectral clustering (Ng,
Jordan & Weiss 2002), weighted as in a diffusion map (Coifman & Lafon 2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from poems.clustering.coordinates import principal_posterior
from poems.clustering.distances import expected_distances, pairwise_distances

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_Numbers = TypeVar("_Numbers", Floats, Singles)
# A sparse array: where rows start, columns and values, or scipy's own.
_Rows = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Singles]

# The kernel's width as a share of the local distance, and the rounds of diffusion: the values
# that similarity network fusion is used with.
_WIDTH = 0.5
FUSION_ROUNDS = 20
# A round that changes less than this share of the similarities is the last one.
_SETTLED = 1e-4
# Share of neighbours from which on a network of so few samples is diffused sooner without the
# sparse arrays of scipy, which take longer to make than all else does.
_CROWDED = 0.05
# Standard deviations at which the second network of the latents flattens each factor.
_FLATTENED_AT = 1.5


def network_coordinates(
    latents: Floats | None,
    views: Sequence[tuple[Floats, Bools] | tuple[Floats, Bools, Floats]],
    *,
    variances: Floats | None = None,
    n_coordinates: int = 11,
    rounds: int = FUSION_ROUNDS,
) -> Floats:
    """Compute coordinates of the samples in the fused network of latents and views.

    Networks fused: one of the latents, one of the latents standardised and
    flattened at 1.5 standard deviations (so that a factor which sets a few
    samples far apart does not decide who is near whom), and one per view. The
    first two are means of the similarities by the latents and by the views'
    own principal coordinates, which do not depend on where a fit started. Where
    a sample lacks a view, that view's network takes these similarities. Distances
    between latents, and between principal coordinates, are expected ones
    (:func:`expected_distances`): samples that little is known of, because they lack
    a view, are no nearer to each other for that.

    Parameters
    ----------
    latents
        Posterior means of the active factors, of shape (n_samples, n_active),
        or ``None`` for a network of the views alone.
    views
        For each view: values of shape (n_samples, n_features) on a common
        scale, which of them are there, a boolean array of that shape, and, if not alike, how
        much each feature counts, of shape (n_features,).
    variances
        Posterior variances of the latents, of their shape; ``None`` for none.
    n_coordinates
        Coordinates wanted; at most n_samples are returned.
    rounds
        Rounds of :func:`fuse`, which takes most of the time.

    Returns
    -------
    Array of shape (n_samples, n_coordinates), rows of length 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> latent = np.repeat([[0.0], [9.0]], 15, axis=0) + rng.normal(size=(30, 1))
    >>> there = np.ones((30, 1), dtype=bool)
    >>> points = network_coordinates(latent, [(latent, there)], n_coordinates=2)
    >>> sorted(set(np.sign(points[:15, 1]) * np.sign(points[15:, 1])))
    [np.float64(-1.0)]
    """
    return coordinates_from_distances(
        latents,
        (pairwise_distances(*each) for each in views),
        variances=variances,
        n_coordinates=n_coordinates,
        rounds=rounds,
    )


def coordinates_from_distances(
    latents: Floats | None,
    views: Iterable[Floats],
    *,
    variances: Floats | None = None,
    n_coordinates: int = 11,
    rounds: int = FUSION_ROUNDS,
    cohort_size: int | None = None,
    principal: Floats | None = None,
) -> Floats:
    """Compute what :func:`network_coordinates` does from the views' :func:`pairwise_distances`.

    Parameters
    ----------
    latents, variances, n_coordinates, rounds
        As there.
    views
        Distances of shape (n_samples, n_samples), one per view.
    cohort_size
        Of how many samples these stand for a network, see :func:`neighbours`.
    principal
        Principal coordinates of the views, where they are known, and every sample has every view.
    """
    distances = list(views)
    n_neighbours = neighbours(len(distances[0] if latents is None else latents), cohort_size)
    points = []
    if latents is not None:
        points.append((latents, np.zeros_like(latents) if variances is None else variances))
    if principal is not None:
        points.append((principal, np.zeros_like(principal)))
    elif distances:
        # Principal coordinates of the views: as many as a fit has factors to start from.
        points.append(principal_posterior(distances, 16))
    of_points = [
        np.mean([similarities(expected_distances(*x), n_neighbours) for x in shaped], axis=0)
        for shaped in (points, [flattened(*each) for each in points])
    ]
    fallback = np.mean(of_points, axis=0)
    of_views = [
        np.where(np.isnan(each), fallback, similarities(each, n_neighbours)) for each in distances
    ]
    fused = fuse([*of_points, *of_views], n_neighbours, rounds)
    return diffusion_coordinates(fused, n_coordinates)


def neighbours(n_samples: int, cohort_size: int | None = None) -> int:
    """Return how many neighbours a network of so many samples has: a tenth, from 5 to 20.

    Where they were drawn from a cohort, it is the share of them that are neighbours among all of
    it, and 5 at least: with as many neighbours as all have, those of a small group would be others.

    >>> neighbours(40), neighbours(100), neighbours(1000)
    (5, 10, 20)
    >>> neighbours(200, 1000), neighbours(400, 500)
    (5, 16)
    """
    # Neighbours in a network, at most; small cohorts have fewer.
    own = min(20, (cohort_size or n_samples) // 10)
    drawn = own if cohort_size is None else round(own * n_samples / cohort_size)
    return max(1, min(max(5, drawn), n_samples - 1))


def similarities(distances: Floats, n_neighbours: int) -> Floats:
    """Compute a Gaussian kernel that is as wide as the samples are locally apart.

        W_ij = exp(-d_ij² / (2 s_ij²)),   s_ij = (m_i + m_j + d_ij) / 6

    with m_i the mean distance of sample i to its nearest neighbours. Distances
    that are NaN give 0.

    Parameters
    ----------
    distances
        Of shape (n_samples, n_samples).
    n_neighbours
        Neighbours that m_i is the mean over.
    """
    # NaN sorts last: a sample with few known distances takes the mean of those it has.
    last = min(n_neighbours, len(distances) - 1)
    nearest = np.sort(np.partition(distances, last, axis=1)[:, : last + 1], axis=1)[:, 1:]
    known = np.isfinite(nearest)
    # A sample without a known neighbour: its distances are all NaN, and so is what follows.
    mean = np.where(known, nearest, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    scale = _WIDTH * (mean[:, None] + mean[None, :] + distances) / 3.0
    # Copies of one sample are at distance 0 of 0; what else is NaN was so before.
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.exp(-((distances / scale) ** 2) / 2.0)
    kernel[distances == 0] = 1.0
    return np.where(np.isnan(kernel), 0.0, kernel)


def fuse(networks: Sequence[Floats], n_neighbours: int, rounds: int = FUSION_ROUNDS) -> Floats:
    """Fuse networks by cross diffusion: each is smoothed along its own near neighbours.

        P_v <- S_v mean_{u != v}(P_u) S_v' + I, rows scaled to sum to 1

    with S_v the network's nearest neighbours, rows summing to 1, and P_v at
    the start the whole network likewise. A network alone diffuses itself.

    Parameters
    ----------
    networks
        Symmetric arrays of shape (n_samples, n_samples), not negative.
    n_neighbours
        Neighbours kept in S.
    rounds
        Rounds of diffusion, at most. They end once a round changes the networks by less
        than 1 in 10,000: each changes them by less than half of what the one before did.

    Returns
    -------
    The mean of the P, made symmetric; they are diffused in single precision.
    """
    local = [_nearest(network, n_neighbours) for network in networks]
    states = [_rows_sum_to_one(network).astype(np.float32) for network in networks]
    others = max(len(networks) - 1, 1)
    total = np.zeros((), dtype=np.float32)
    for _ in range(rounds):
        before, total = total, np.sum(states, axis=0)
        if np.abs(total - before).sum() < _SETTLED * total.sum():
            break
        states = [
            _diffused(near, (total - state) / others if len(networks) > 1 else state)
            for near, state in zip(local, states, strict=True)
        ]
    mean: Floats = np.asarray(np.mean(states, axis=0), dtype=np.float64)
    fused: Floats = (mean + mean.T) / 2.0
    return fused


def diffusion_coordinates(network: Floats, n_coordinates: int) -> Floats:
    """Compute the leading coordinates of the random walk on a network, on the unit sphere.

    Eigenvectors of D^(-1/2) W D^(-1/2) with D the degrees, each times its
    eigenvalue, and every row scaled to length 1, so that well and poorly
    connected samples are compared by direction alone. Columns are shown with
    their entry of largest size positive.

    Parameters
    ----------
    network
        Symmetric array W of shape (n_samples, n_samples), not negative. Its
        diagonal is not read.
    n_coordinates
        Coordinates wanted, of which the first belongs to the eigenvalue 1; at
        most n_samples are returned.

    Returns
    -------
    Array of shape (n_samples, n_coordinates).
    """
    n_samples = len(network)
    kept = min(n_coordinates, n_samples)
    weights = network.copy()
    np.fill_diagonal(weights, 0.0)
    # Similarity that any two samples keep, as a share of the largest: networks stay in one piece.
    weights += 1e-9 * (weights.max() or 1.0)
    root = 1.0 / np.sqrt(weights.sum(axis=1))
    walk = root[:, None] * weights * root[None, :]
    values, vectors = linalg.eigh(walk, subset_by_index=(n_samples - kept, n_samples - 1))
    # Eigenvalues of a random walk lie in [-1, 1] but for rounding; negative ones are of samples
    # that avoid each other, no groups.
    points = vectors[:, ::-1] * np.clip(values[::-1], 0.0, 1.0)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    largest = np.abs(points).argmax(axis=0)
    sign = np.where(points[largest, np.arange(kept)] < 0, -1.0, 1.0)
    coordinates: Floats = points * sign
    return coordinates


def flattened(means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Standardise each factor, and let it say no more than 'far' beyond 1.5 standard deviations.

    By its spread over the samples together with what is not known of them: a factor
    that hardly any sample tells of is not blown up.

    Parameters
    ----------
    means, variances
        Of shape (n_samples, n_factors).

    Returns
    -------
    Means and variances of the standardised factors.

    Examples
    --------
    >>> flattened(np.array([[-1.0], [1.0], [9.0]]), np.zeros((3, 1)))[0].round(2).tolist()
    [[-0.93], [-0.46], [1.39]]
    """
    total = means.var(axis=0) + variances.mean(axis=0)
    total = np.where(total > 0, total, 1.0)
    standardised = (means - means.mean(axis=0)) / np.sqrt(total)
    # What the function is for: beyond that point a sample is 'far', no matter how far.
    return np.clip(standardised, -_FLATTENED_AT, _FLATTENED_AT), variances / total


def _rows_sum_to_one(network: _Numbers) -> _Numbers:
    scaled: _Numbers = network / network.sum(axis=1, keepdims=True)
    return scaled


def _nearest(network: Floats, n_neighbours: int) -> _Rows | Any:
    """Keep each sample's most similar samples, itself among them, rows summing to 1."""
    n_samples = len(network)
    kept = np.argpartition(-network, min(n_neighbours, n_samples) - 1, axis=1)[:, :n_neighbours]
    if kept.shape[1] > _CROWDED * n_samples:
        return _nearest_of_few(network, kept)
    rows = np.repeat(np.arange(n_samples), kept.shape[1])
    flat = kept.ravel()
    near = sparse.csr_array((network[rows, flat], (rows, flat)), shape=network.shape)
    near = (near + near.T) / 2.0
    return (sparse.diags_array(1.0 / near.sum(axis=1)).tocsr() @ near).astype(np.float32)


def _nearest_of_few(network: Floats, kept: npt.NDArray[np.intp]) -> _Rows:
    near = np.zeros_like(network)
    np.put_along_axis(near, kept, np.take_along_axis(network, kept, axis=1), axis=1)
    near = (near + near.T) / 2.0
    # It is symmetric: sums of columns, one row after another as a sparse array would add them.
    near *= (1.0 / near.sum(axis=0))[:, None]
    rows, columns = np.nonzero(near)
    starts = np.concatenate([[0], np.bincount(rows, minlength=len(near)).cumsum()])
    return starts, columns, near[rows, columns].astype(np.float32)


def _diffused(near: _Rows | Any, state: Singles) -> Singles:
    """One round for one network."""
    if isinstance(near, tuple):
        # Compiled when it is first called, not when it is imported.
        from poems.clustering.diffusion_kernel import diffused

        starts, columns, weights = near
        found: Singles = diffused(starts, columns, weights, state)
        return found
    spread = near @ (near @ state.T).T
    spread = spread + spread.T
    # The diagonal, as a view: looking up its indices would take as long as a product.
    spread.reshape(-1)[:: len(spread) + 1] += 2.0
    return _rows_sum_to_one(spread)
