"""Baselines that any embedding should be shown beside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError


def pca_embedding(cohort: MultiOmics, n_components: int = 32) -> pd.DataFrame:
    """Compute principal component scores of the standardised, block-scaled views.

    Each feature is standardised over the samples that have it; a missing entry
    then takes the mean, 0, and so does every entry of an unmeasured view and
    of a feature that does not vary. Each view is divided by the square root of
    its number of features, so that all views weigh the same.

    Parameters
    ----------
    cohort
        The cohort.
    n_components
        Number of components, at most: a cohort has no more than
        ``min(n_samples - 1, n_features)``.

    Returns
    -------
    pandas.DataFrame
        Scores of shape (n_samples, n_components), columns ``"PC1"``, ``"PC2"``,
        …; the largest weight of each component is positive.

    Raises
    ------
    DataError
        If the cohort has fewer than 2 samples.
    SettingsError
        If ``n_components`` is below 1.

    Examples
    --------
    >>> from poems.simulation.cohort import simulate
    >>> pca_embedding(simulate(n_samples=40).cohort, n_components=2).columns.tolist()
    ['PC1', 'PC2']
    """
    if n_components < 1:
        raise SettingsError(f"n_components must be at least 1, not {n_components}")
    if cohort.n_samples < 2:
        raise DataError(f"principal components need at least 2 samples, not {cohort.n_samples}")
    x = np.hstack([standardised(view) / np.sqrt(view.n_features) for view in cohort.views.values()])
    # Entries set to the mean leave every column centred, as principal components need it.
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    kept = min(n_components, cohort.n_samples - 1, x.shape[1])
    largest = np.abs(right[:kept]).argmax(axis=1)
    sign = np.where(right[np.arange(kept), largest] < 0, -1.0, 1.0)
    return pd.DataFrame(
        left[:, :kept] * singular[:kept] * sign,
        index=cohort.samples,
        columns=[f"PC{number}" for number in range(1, kept + 1)],
    )


def standardised(view: View) -> npt.NDArray[np.float64]:
    """Return a view with every feature standardised over the samples that have it.

    Of shape (n_samples, n_features). Missing entries, rows on which the view
    was not measured, and features that do not vary are 0.
    """
    values = view.values.astype(np.float64)
    present = np.isfinite(values) & view.measured[:, None]
    # Of a feature never seen all is 0 below.
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, values, 0.0).sum(axis=0) / count
    centred = np.where(present, values - mean, 0.0)
    sd = np.sqrt((centred**2).sum(axis=0) / count)
    # Rounding of its mean gives a constant feature a deviation near 1e-16 of it; float32 values
    # that differ at all are further apart.
    varies = sd > 1e-12 * np.abs(mean)
    scaled: npt.NDArray[np.float64] = np.where(varies, centred / np.where(varies, sd, 1.0), 0.0)
    return scaled
