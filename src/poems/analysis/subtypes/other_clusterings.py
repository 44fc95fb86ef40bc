"""Other clusterings of the same samples, beside the reported subtypes."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.finding import Subtypes
from poems.clustering.agreement import ari
from poems.clustering.kmeans import clusterings_of, finite_points
from poems.resampling.consensus import average_linkage

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

REPORTED: Final = "reported"
_COVARIANCES: Final = ("full", "tied", "diag")


def other_clusterings(
    model: FittedPoems,
    subtypes: Subtypes,
    rows: Codes,
    *,
    consensus: Floats | None = None,
    refit_consensus: Floats | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Cluster samples in other ways, into as many clusters as there are subtypes.

    k-means in the network's coordinates and in the latents; a Gaussian mixture of the
    latents, its covariances full, shared or diagonal as the Bayesian information
    criterion prefers; the mixture prior's components, if the model has them, however many;
    average linkage on the consensus over subsamples, and over refits.

    Parameters
    ----------
    model, subtypes
        The model and the subtypes of its samples.
    rows
        Positions of the samples to cluster.
    consensus, refit_consensus
        How often two of these were put together, (n_rows, n_rows).
    seed
        Of k-means and of the mixture.

    Returns
    -------
    DataFrame of shape (n_rows, n_clusterings), the column ``"reported"`` first.
    Clusters are called after the reported subtypes that they have most samples in
    common with, one to one; further ones ``"other 1"``, ``"other 2"``, ….

    Examples
    --------
    >>> import poems
    >>> from poems.analysis.subtypes.finding import find_subtypes
    >>> cohort = poems.simulate(60, 40, 3, n_views=2, density=0.3, n_subtypes=3, seed=0).cohort
    >>> model = poems.fit(cohort, epochs=20, progress=False)
    >>> other_clusterings(model, find_subtypes(model, 3), np.arange(60)).columns.tolist()
    ['reported', 'k-means (latent)', 'Gaussian mixture (latent)']
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    reported = subtypes.assignment.iloc[rows]
    k = subtypes.n_subtypes
    own = subtypes.metric or model.default_metric
    codes: dict[str, Codes] = {}
    with threadpool_limits(limits=1):
        for metric in ("network", "latent"):
            if metric in model.metrics and (subtypes.method != "kmeans" or own != metric):
                points = finite_points(model.embedding(metric))[rows]
                codes[f"k-means ({metric})"] = _kmeans(points, k, seed)
        latent = finite_points(model.latent)[rows]
        mixture = _gaussian_mixture(latent, k, seed)
    if mixture is not None:
        codes["Gaussian mixture (latent)"] = mixture
    components = model.component_probabilities
    if components is not None and subtypes.method != "mixture":
        codes["mixture prior"] = components.to_numpy()[rows].argmax(axis=1)
    for name, matrix in (
        ("consensus (subsamples)", consensus),
        ("consensus (refits)", refit_consensus),
    ):
        if matrix is not None and not np.isnan(matrix).any():
            codes[name] = average_linkage(matrix, k).astype(np.intp)
    columns = {name: _named(labels, reported) for name, labels in codes.items()}
    return pd.DataFrame({REPORTED: reported, **columns}, index=reported.index)


def compare_clusterings(assignments: pd.DataFrame) -> pd.DataFrame:
    """Compute the adjusted Rand index of every two clusterings.

    Parameters
    ----------
    assignments
        Cluster of each sample by each clustering, (n_samples, n_clusterings).

    Returns
    -------
    DataFrame
        One row per pair: ``clustering``, ``n_subtypes``, ``other``, ``n_other``, ``ari``.

    Examples
    --------
    >>> compare_clusterings(pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 1, 2]})).iloc[0].to_dict()
    {'clustering': 'a', 'n_subtypes': 2, 'other': 'b', 'n_other': 2, 'ari': 1.0}
    """
    sizes = assignments.nunique()
    records = [
        {
            "clustering": one,
            "n_subtypes": int(sizes[one]),
            "other": other,
            "n_other": int(sizes[other]),
            "ari": ari(assignments[one], assignments[other]),
        }
        for one, other in combinations(assignments.columns, 2)
    ]
    return pd.DataFrame(records, columns=["clustering", "n_subtypes", "other", "n_other", "ari"])


def _kmeans(points: Floats, k: int, seed: int) -> Codes:
    distinct = len(np.unique(points, axis=0)) if points.shape[1] else 1
    return next(iter(clusterings_of(points, min(k, distinct), (), seed).values()))


def _gaussian_mixture(points: Floats, k: int, seed: int) -> Codes | None:
    """Fit mixtures with several kinds of covariance, and keep the best by the BIC."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if not points.shape[1] or k < 2 or len(points) <= k or len(np.unique(points, axis=0)) < k:
        return None
    best, labels = np.inf, None
    for kind in _COVARIANCES:
        fitted = GaussianMixture(k, covariance_type=kind, random_state=seed, max_iter=300)
        with warnings.catch_warnings():
            # What has not settled is judged by its likelihood like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                found = fitted.fit_predict(points)
            except ValueError:
                # A covariance that is not positive: too few samples for it.
                continue
        bic = float(fitted.bic(points))
        if bic < best:
            best, labels = bic, np.asarray(found, dtype=np.intp)
    return labels


def _named(labels: Codes, reported: pd.Series) -> npt.NDArray[np.object_]:
    """Call clusters after the reported subtypes that they go with."""
    from scipy.optimize import linear_sum_assignment

    table = pd.crosstab(labels, reported.to_numpy())
    rows, columns = linear_sum_assignment(table.to_numpy(), maximize=True)
    names = {
        table.index[row]: table.columns[column] for row, column in zip(rows, columns, strict=True)
    }
    rest = [
        label
        for label in table.sum(axis=1).sort_values(ascending=False).index
        if label not in names
    ]
    names |= {label: f"other {at + 1}" for at, label in enumerate(rest)}
    return np.array([names[label] for label in labels], dtype=object)
