"""Principal coordinates of samples of which some lack views, from distances alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import linalg

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def principal_coordinates(distances: Sequence[Floats], n_coordinates: int) -> Floats:
    """Compute the leading principal coordinates of several views together, of unit variance.

    Principal coordinates analysis (Gower 1966) of the sum over views of squared
    distances, each view's a mean over its features: what principal components of
    the views side by side, each divided by the root of its width, give. A sample
    without a view has its posterior mean under probabilistic PCA (Tipping & Bishop
    1999), which its other views tell; with the view's mean in the gap, samples would
    lie together because they lack the same view.

    Parameters
    ----------
    distances
        Arrays of shape (n_samples, n_samples), one per view, as
        :func:`poems.clustering.distances.pairwise_distances` computes them: NaN for two samples
        without a common feature, and so in the whole row of one that lacks the view.
    n_coordinates
        Coordinates wanted; there are as many as the distances have dimensions, at most.

    Returns
    -------
    Array of shape (n_samples, n_found), the strongest coordinate first.

    Examples
    --------
    >>> along = np.array([0.0, 1.0, 2.0, 5.0])
    >>> points = principal_coordinates([np.abs(along[:, None] - along)], 3)
    >>> points.shape
    (4, 1)
    >>> bool(np.isclose(abs(np.corrcoef(points[:, 0], along)[0, 1]), 1.0))
    True
    """
    return principal_posterior(distances, n_coordinates)[0]


def principal_posterior(distances: Sequence[Floats], n_coordinates: int) -> tuple[Floats, Floats]:
    """Compute :func:`principal_coordinates` and their posterior variances.

    Parameters
    ----------
    distances, n_coordinates
        As there.

    Returns
    -------
    Means and variances, both of shape (n_samples, n_found). Where every sample has every
    view the coordinates are what they are, without variance.

    Examples
    --------
    >>> along = np.array([0.0, 1.0, 2.0, 5.0, 6.0])
    >>> one = np.abs(along[:, None] - along)
    >>> other = np.where(np.eye(5) + (along < 6.0), one, np.nan)
    >>> other[4], other[:, 4] = np.nan, np.nan
    >>> _, variances = principal_posterior([one, other], 1)
    >>> bool(variances[4, 0] > variances[0, 0])
    True
    """
    products = [centred_products(each) for each in distances]
    n_samples = len(products[0][0])
    total = np.sum([product for product, _ in products], axis=0)
    wanted = min(n_coordinates, n_samples)
    values, vectors = linalg.eigh(total, subset_by_index=(n_samples - wanted, n_samples - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    # Eigenvalues below this share of the largest are rounding.
    kept = values > 1e-10 * max(float(values[0]), np.finfo(float).tiny)
    # Columns of unit variance, as the scores of whitened components are.
    scores: Floats = vectors[:, kept] * np.sqrt(n_samples)
    measured = np.stack([there for _, there in products], axis=1)
    if not scores.size or measured.all():
        return scores, np.zeros_like(scores)
    left_over = (np.trace(total) - values[kept].sum()) / n_samples
    noise = left_over / max(1, n_samples - 1 - scores.shape[1])
    return _posterior(scores, [product for product, _ in products], measured, noise)


def centred_products(distances: Floats) -> tuple[Floats, Bools]:
    """Compute the centred cross-products of one view, and which samples have it.

    Parameters
    ----------
    distances
        Of shape (n_samples, n_samples), ``NaN`` in the row of a sample that lacks the view.

    Returns
    -------
    Products of shape (n_samples, n_samples), zero where a sample lacks the view, and a
    boolean array of shape (n_samples,).
    """
    squares = np.square(distances)
    np.fill_diagonal(squares, np.nan)
    there: Bools = np.asarray(np.isfinite(squares).any(axis=1))
    products = np.zeros_like(squares)
    if there.any():
        own = squares[np.ix_(there, there)]
        # Two that share no feature, though both have some: as far apart as any two.
        own = np.where(np.isnan(own), np.nanmean(own), own)
        np.fill_diagonal(own, 0.0)
        means = own.mean(axis=1)
        centred = own - means[:, None] - means[None, :] + means.mean()
        products[np.ix_(there, there)] = -0.5 * centred
    return products, there


def _posterior(
    scores: Floats, products: Sequence[Floats], measured: Bools, noise: float
) -> tuple[Floats, Floats]:
    """Estimate each sample's scores from the views it has, and how well they are known.

    (noise I + sum_v L_v' L_v)^-1 sum_v L_v' x_v over its views, L_v the loadings
    x_v' scores / n of a view: all of it follows from the cross-products of samples. The
    variances are the diagonal of noise times that inverse, from 0 to the prior's 1.
    """
    n_samples, rank = scores.shape
    told = np.stack([product @ scores / n_samples for product in products])
    grams = np.stack([scores.T @ each / n_samples for each in told])
    means, variances = np.zeros_like(scores), np.zeros_like(scores)
    patterns, which = np.unique(measured, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = which.ravel() == number
        information = grams[pattern].sum(axis=0) + noise * np.eye(rank)
        # Least squares, since without noise a view may leave some coordinates undetermined.
        own = told[pattern][:, rows].sum(axis=0).T
        means[rows] = np.linalg.lstsq(information, own, rcond=None)[0].T
        unknown = noise * np.linalg.pinv(information, hermitian=True).diagonal()
        # Outside 0 and the prior's 1 by rounding alone.
        variances[rows] = np.clip(unknown, 0.0, 1.0)
    return means, variances
