"""Cohorts like a given one but without groups: rotated, so that all covariances stay as they are.

Of samples that are drawn from one Gaussian, whatever its covariance, the centred data X
are as likely as Q X for every orthogonal Q that leaves the mean alone: given the mean and X'X,
which are sufficient, Q X with a random Q is a draw from their distribution (Langsrud 2005,
Statistics and Computing 15:53). The same Q for all views keeps what they share. It needs
no data, only distances: the cross-products K = X X' become Q K Q'.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from poems.clustering.coordinates import centred_products

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Directions along which an even spread is even; the others are Gaussian.
_EVEN = 8


def own_basis(scores: Floats) -> Floats:
    """Return an orthonormal basis of centred vectors, the leading principal coordinates first.

    Parameters
    ----------
    scores
        Principal coordinates, (n_samples, n_coordinates), of which the first 8 lead.

    Returns
    -------
    Array of shape (n_samples, n_samples - 1). What follows the coordinates is arbitrary, and the
    same whenever it is asked for.

    Examples
    --------
    >>> own_basis(np.array([[-1.0], [-1.0], [2.0]])).round(2)[:, 0].tolist()
    [-0.41, -0.41, 0.82]
    """
    return _basis(_leading(scores), np.random.default_rng(len(scores)))


def gaussian_rotation(
    n_samples: int, rng: np.random.Generator, basis: Floats | None = None
) -> Floats:
    """Draw a rotation that makes centred samples those of one Gaussian.

    Parameters
    ----------
    n_samples
        At least 2.
    rng
        Draws it, uniformly among all that leave the mean alone.
    basis
        What :func:`own_basis` returns, if it is known: any will do.

    Returns
    -------
    Array of shape (n_samples, n_samples), which maps centred samples to centred samples.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0]])
    >>> turned = gaussian_rotation(3, np.random.default_rng(0)) @ x
    >>> bool(np.isclose((turned**2).sum(), 2.0)), bool(abs(turned.sum()) < 1e-12)
    (True, True)
    """
    none = np.empty((n_samples, 0))
    turned: Floats = _basis(none, rng) @ (own_basis(none) if basis is None else basis).T
    return turned


def even_rotation(
    scores: Floats, rng: np.random.Generator, *, bent: bool = False, basis: Floats | None = None
) -> Floats:
    """Draw a rotation that spreads samples evenly along their principal coordinates.

    A continuum need not be Gaussian: an even spread has no groups either, and its halves lie
    farther apart (it is the reference of the gap statistic, Tibshirani, Walther &
    Hastie 2001); those of one along a half circle still more.

    Parameters
    ----------
    scores
        Principal coordinates, (n_samples, n_coordinates); the first 8 of them become even.
    rng
        Draws it.
    bent
        Lay the first two along a half circle.
    basis
        What :func:`own_basis` returns of the scores, if it is known.

    Returns
    -------
    As :func:`gaussian_rotation`.
    """
    leading = _leading(scores)
    drawn = rng.uniform(-1.0, 1.0, leading.shape)
    if bent and leading.shape[1] > 1:
        angle = np.pi * drawn[:, 0] / 2.0
        drawn[:, :2] = np.column_stack([np.sin(angle), np.cos(angle)])
    turned: Floats = _basis(drawn, rng) @ (own_basis(scores) if basis is None else basis).T
    return turned


def _leading(scores: Floats) -> Floats:
    # As many directions as there are, less one, are left for the others.
    return scores[:, : max(0, min(_EVEN, len(scores) - 2))]


def _basis(leading: Floats, rng: np.random.Generator) -> Floats:
    """An orthonormal basis of centred vectors that begins with those given, random after them."""
    n_samples, n_given = leading.shape
    others = rng.standard_normal((n_samples, n_samples - 1 - n_given))
    columns = np.column_stack([np.ones(n_samples), leading, others])
    basis, upper = np.linalg.qr(columns)
    # Without the signs directions would not be those given, nor uniformly random.
    signed: Floats = basis * np.where(np.diag(upper) < 0, -1.0, 1.0)
    return signed[:, 1:]


def completed_products(
    distances: Sequence[Floats], scores: Floats, rng: np.random.Generator
) -> list[tuple[Floats, Bools]]:
    """Compute the cross-products of each view as if all samples had it.

    A sample that lacks a view gets what its principal coordinates tell of it (least squares over
    the others) and the residual of another sample: all of it follows from cross-products.

    Parameters
    ----------
    distances
        Of shape (n_samples, n_samples), a view each, NaN where a sample lacks it.
    scores
        Principal coordinates of all samples, (n_samples, n_coordinates).
    rng
        Draws whose residuals are taken.

    Returns
    -------
    A pair a view: centred cross-products of shape (n_samples, n_samples), and which
    samples have the view.
    """
    return [_completed(*centred_products(each), scores, rng) for each in distances]


def _completed(
    products: Floats, there: Bools, scores: Floats, rng: np.random.Generator
) -> tuple[Floats, Bools]:
    n_samples = len(products)
    known, lacking = np.flatnonzero(there), np.flatnonzero(~there)
    if not len(lacking) or len(known) < 2:
        return products, there
    mean = scores[known].mean(axis=0)
    own, theirs = scores[known] - mean, scores[lacking] - mean
    weights = np.linalg.pinv(own)
    free = max(1, len(known) - 1 - np.linalg.matrix_rank(own))
    residual = (np.eye(len(known)) - own @ weights) * np.sqrt(len(known) / free)
    # Every sample's values as a sum of those of the samples that have the view.
    sums = np.zeros((n_samples, len(known)))
    sums[known] = np.eye(len(known))
    sums[lacking] = theirs @ weights + residual[rng.integers(len(known), size=len(lacking))]
    sums -= sums.mean(axis=0)
    filled: Floats = sums @ products[np.ix_(known, known)] @ sums.T
    return filled, there


def rotated_distances(products: Floats, there: Bools, rotation: Floats) -> Floats:
    """Compute the distances of rotated samples, NaN where the view was lacking.

    Parameters
    ----------
    products, there
        Of one view, as of :func:`completed_products`.
    rotation
        Of shape (n_samples, n_samples).
    """
    turned = rotation @ products @ rotation.T
    lengths = np.diag(turned)
    # Distances of samples to themselves are 0 but for rounding.
    squares = np.maximum(lengths[:, None] + lengths[None, :] - 2.0 * turned, 0.0)
    distances: Floats = np.sqrt(squares)
    distances[~there] = np.nan
    distances[:, ~there] = np.nan
    np.fill_diagonal(distances, 0.0)
    return distances
