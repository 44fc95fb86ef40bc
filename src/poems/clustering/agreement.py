"""Scores of an embedding or a clustering against known labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.errors import DataError

Labels = npt.ArrayLike | pd.Series
Points = npt.ArrayLike | pd.DataFrame
Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def clustering_accuracy(labels: Labels, clusters: Labels) -> float:
    """Compute the share of samples that agree under the best matching of clusters to labels.

    The matching is one to one (Hungarian algorithm), so that with more
    clusters than labels the surplus clusters count as wrong.

    Parameters
    ----------
    labels, clusters
        One entry per sample, of any type.

    Raises
    ------
    DataError
        If lengths differ, there is no sample, or an entry is missing.

    Examples
    --------
    >>> clustering_accuracy(["a", "a", "b", "b"], [1, 1, 0, 1])
    0.75
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(*_paired(labels, clusters))
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())


def nmi(labels: Labels, clusters: Labels) -> float:
    """Compute the normalised mutual information, by the arithmetic mean of the entropies.

    Parameters and errors are those of :func:`clustering_accuracy`.

    Examples
    --------
    >>> nmi(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_paired(labels, clusters)))


def ari(labels: Labels, clusters: Labels) -> float:
    """Compute the adjusted Rand index: 0 by chance, 1 for equal partitions.

    Parameters and errors are those of :func:`clustering_accuracy`.

    Examples
    --------
    >>> ari(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*_paired(labels, clusters)))


def purity(labels: Labels, clusters: Labels) -> float:
    """Compute the share of the samples that have the most frequent label of their cluster.

    Clusters and labels may differ in number; more clusters are never less pure.
    Parameters and errors are those of :func:`clustering_accuracy`.

    Examples
    --------
    >>> purity(["a", "a", "b", "b", "b"], [0, 1, 2, 2, 1])
    0.8
    """
    truth, found = _paired(labels, clusters)
    counts = np.zeros((found.max() + 1, truth.max() + 1))
    np.add.at(counts, (found, truth), 1)
    return float(counts.max(axis=1).sum() / len(truth))


def homogeneity_completeness(labels: Labels, clusters: Labels) -> tuple[float, float]:
    """Compute whether clusters hold one label each, and whether labels lie in one cluster each.

    1 - H(label | cluster) / H(label), and the same the other way round (Rosenberg & Hirschberg
    2007); 1 where there is nothing to tell apart. Parameters and errors are those of
    :func:`clustering_accuracy`.

    Examples
    --------
    >>> found = homogeneity_completeness(["a", "a", "b", "b"], [0, 1, 2, 2])
    >>> [round(each, 3) for each in found]
    [1.0, 0.667]
    """
    from sklearn.metrics import homogeneity_completeness_v_measure

    homogeneity, completeness, _ = homogeneity_completeness_v_measure(*_paired(labels, clusters))
    return float(homogeneity), float(completeness)


def silhouette(points: Points, clusters: Labels) -> float:
    """Compute the mean silhouette width of clusters, with Euclidean distances.

    Parameters
    ----------
    points
        Array of shape (n_samples, n_dimensions).
    clusters
        One entry per sample, of any type.

    Raises
    ------
    DataError
        If there are fewer than 2 clusters, or as many as samples; or as in
        :func:`clustering_accuracy`.

    Examples
    --------
    >>> round(silhouette([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1]), 2)
    0.98
    """
    from sklearn.metrics import silhouette_score

    x, codes = as_points(points, clusters), as_codes("clusters", clusters)
    n_clusters = len(np.unique(codes))
    if not 2 <= n_clusters < len(codes):
        raise DataError(
            f"a silhouette needs at least 2 clusters and fewer than samples; there are "
            f"{n_clusters} clusters of {len(codes)} samples"
        )
    return float(silhouette_score(x, codes))


def balanced_accuracy(labels: Labels, predictions: Labels) -> float:
    """Compute the recall of each class, averaged over the classes that occur in ``labels``.

    Parameters and errors are those of :func:`clustering_accuracy`, except
    that predictions carry the names of the labels.

    Examples
    --------
    >>> balanced_accuracy(["a", "a", "a", "b"], ["a", "a", "a", "a"])
    0.5
    """
    from sklearn.metrics import recall_score

    _paired(labels, predictions)
    both = [np.asarray(each, dtype=object) for each in (labels, predictions)]
    truth, predicted = np.split(pd.factorize(np.concatenate(both))[0], 2)
    # Not balanced_accuracy_score, which warns where a prediction is no label's name.
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro"))


def as_codes(name: str, values: Labels) -> Codes:
    """Return labels as integers, or raise if one is missing."""
    array = np.asarray(values, dtype=object)
    if array.ndim != 1 or not array.size:
        raise DataError(f"{name} must have one entry a sample; its shape is {array.shape}")
    codes, _ = pd.factorize(array)
    missing = int((codes < 0).sum())
    if missing:
        raise DataError(
            f"{name} has {missing} missing values in {len(codes)}; leave those samples out"
        )
    return codes


def _paired(labels: Labels, clusters: Labels) -> tuple[Codes, Codes]:
    """Return two labellings of the same samples as integers."""
    first, second = as_codes("labels", labels), as_codes("clusters", clusters)
    if len(first) != len(second):
        raise DataError(f"there are {len(first)} labels for {len(second)} clusters or predictions")
    return first, second


def as_points(points: Points, labels: Labels) -> Floats:
    """Return an embedding as an array, checked against the labels."""
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2:
        raise DataError(f"points must be a table of samples by dimensions; its shape is {x.shape}")
    n_labels = len(np.asarray(labels, dtype=object))
    if len(x) != n_labels:
        raise DataError(f"there are {len(x)} points for {n_labels} labels")
    if (
        isinstance(points, pd.DataFrame)
        and isinstance(labels, pd.Series)
        and not points.index.equals(labels.index)
    ):
        raise DataError(
            "points and labels have different sample names, or another order; "
            "pass labels.loc[points.index], or labels.to_numpy() if they do correspond"
        )
    wrong = int((~np.isfinite(x)).any(axis=1).sum())
    if wrong:
        raise DataError(f"{wrong} of {len(x)} points are not finite; leave those samples out")
    return x
