"""Distances between samples of which not every value is there, or certain."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def pairwise_distances(values: Floats, there: Bools, weights: Floats | None = None) -> Floats:
    """Compute Euclidean distances over the features that both samples have.

    Squares are averaged over the common features, so that samples which share
    few are not near because of that. NaN for two samples without a common
    feature; a sample is at distance 0 from itself.

    Parameters
    ----------
    values, there
        Of shape (n_samples, n_features); entries not there are not read.
    weights
        How much each feature counts in the average, (n_features,), or ``None`` for alike.

    Examples
    --------
    >>> x, there = np.array([[0.0, 0.0], [2.0, 6.0]]), np.ones((2, 2), dtype=bool)
    >>> pairwise_distances(x, there, np.array([1.0, 0.0]))[0, 1].item()
    2.0
    """
    counts = np.ones(values.shape[1]) if weights is None else weights
    return summed_distances([(values, there, counts)])


def summed_distances(blocks: Iterable[tuple[Floats, Bools, Floats]]) -> Floats:
    """Compute :func:`pairwise_distances` from blocks of features, one after the other.

    A block is what that takes.
    """
    common: Floats = np.zeros(())
    left, product = common, common
    for values, there, weights in blocks:
        x = np.where(there, values * np.sqrt(weights), 0.0)
        product = product + x @ x.T
        if there.all():
            common = common + weights.sum()
            left = left + (x**2).sum(axis=1, keepdims=True)
            continue
        mask = there.astype(np.float64)
        common = common + (mask * weights) @ mask.T
        left = left + x**2 @ mask.T
    # Distances of samples to themselves and to copies are 0 but for rounding.
    squares = np.maximum(left + left.T - 2.0 * product, 0.0)
    # Two samples without a common feature: NaN, which the callers leave out.
    with np.errstate(divide="ignore", invalid="ignore"):
        distances: Floats = np.sqrt(squares / common)
    np.fill_diagonal(distances, 0.0)
    return distances


def expected_distances(means: Floats, variances: Floats) -> Floats:
    """Compute the root of the expected squared distance of every two samples, per coordinate.

        d_ij² = (|m_i - m_j|² + sum_k v_ik + sum_k v_jk) / K

    with means m and variances v of independent positions. The means alone would bring together
    whatever is uncertain: they are drawn to the centre where a sample lacks a view.

    Parameters
    ----------
    means, variances
        Of shape (n_samples, n_coordinates); the variances not negative.

    Examples
    --------
    >>> means, variances = np.array([[0.0], [3.0]]), np.array([[7.0], [0.0]])
    >>> expected_distances(means, variances).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    apart = pairwise_distances(means, np.ones(means.shape, dtype=bool))
    if not means.shape[1]:
        return apart
    own = variances.mean(axis=1)
    distances: Floats = np.sqrt(apart**2 + own[:, None] + own[None, :])
    np.fill_diagonal(distances, 0.0)
    return distances
