"""Embeddings and subtypes of a run beside known labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from poems.clustering.agreement import ari, clustering_accuracy, nmi
from poems.data.obs.cells import clean_column
from poems.errors import DataError
from poems.evaluation.paper.protocol import kmeans_scores, knn_accuracy

_SCORES = tuple(
    f"{score}{ending}"
    for score in ("accuracy", "nmi", "ari", "silhouette", "knn")
    for ending in ("", "_sd")
)


def label_column(obs: pd.DataFrame, column: str, where: str) -> pd.Series:
    """Return a column of labels, ``NaN`` where a word says that there is none.

    Which words do goes by :func:`poems.data.obs.cells.clean_column`, as in all that reads an
    obs table.

    Parameters
    ----------
    obs
        One row per sample.
    column
        Its name.
    where
        What the table belongs to, for the errors.

    Raises
    ------
    DataError
        If there is no such column, or its values name samples rather than groups.

    Examples
    --------
    >>> label_column(pd.DataFrame({"grade": ["1", "2", "1", "2"]}), "grade", "run").nunique()
    2
    """
    at = [place for place, name in enumerate(obs.columns) if str(name) == column]
    if not at:
        columns = ", ".join(map(str, obs.columns))
        there = f"there are: {columns}" if columns else "it has none; fit with --obs"
        raise DataError(f"the obs table of {where} has no column '{column}'; {there}")
    known = clean_column(obs.iloc[:, at[0]]).values
    n_classes, n_known = known.nunique(), int(known.notna().sum())
    if n_classes > max(n_known // 2, 1):
        raise DataError(
            f"column '{column}' has {n_classes} different values on {n_known} samples; it does "
            "not hold labels of groups, choose another with --labels"
        )
    return known


def compare_embeddings(embeddings: Mapping[str, pd.DataFrame], known: pd.Series) -> pd.DataFrame:
    """Score k-means clusters and nearest neighbours of several embeddings against labels.

    Parameters
    ----------
    embeddings
        Name to points of shape (n_samples, n_dimensions).
    known
        Label of each sample; missing where unknown.

    Returns
    -------
    DataFrame
        One row per embedding: ``embedding``, and of ``accuracy``, ``nmi``,
        ``ari``, ``silhouette`` (k-means into as many clusters as classes) and
        ``knn`` (neighbours) the mean, and in ``<score>_sd`` the standard deviation
        over seeds or splits. An embedding without dimensions, as the latents of a model
        without factors, has no scores: ``NaN``.

    Raises
    ------
    DataError
        If there are fewer than 2 classes.

    Examples
    --------
    >>> points = pd.DataFrame({"x": [at % 2 * 9 + at / 100 for at in range(40)]})
    >>> found = compare_embeddings({"x": points}, pd.Series(["a", "b"] * 20))
    >>> found[["embedding", "accuracy", "knn"]].to_dict("records")
    [{'embedding': 'x', 'accuracy': 1.0, 'knn': 1.0}]
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    rows: list[dict[str, object]] = []
    # Problems of this size only get slower with more threads.
    with threadpool_limits(limits=1):
        for name, points in embeddings.items():
            if not points.shape[1]:
                rows.append({"embedding": name, **dict.fromkeys(_SCORES, np.nan)})
                continue
            clusters = kmeans_scores(points, known)
            neighbours = knn_accuracy(points, known)
            row: dict[str, object] = {"embedding": name}
            for score in clusters.mean.index:
                row[score] = float(clusters.mean[score])
                row[f"{score}_sd"] = float(clusters.sd[score])
            row["knn"] = float(neighbours.mean["accuracy"])
            row["knn_sd"] = float(neighbours.sd["accuracy"])
            rows.append(row)
    return pd.DataFrame(rows)


def compare_subtypes(
    subtypes: pd.Series, known: pd.Series
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Cross subtypes with labels.

    Returns
    -------
    Number of samples by subtype (rows, S1 first) and label (columns), and
    ``n_samples``, ``accuracy``, ``nmi`` and ``ari`` over the labelled samples.

    Raises
    ------
    DataError
        If no sample has a label.

    Examples
    --------
    >>> counts, scores = compare_subtypes(pd.Series(["S1", "S1", "S2"]), pd.Series(["a", "a", "b"]))
    >>> counts.to_numpy().tolist(), scores["accuracy"]
    ([[2, 0], [0, 1]], 1.0)
    """
    labelled = known.notna()
    truth, assigned = known[labelled].astype(str), subtypes[labelled].astype(str)
    if not len(truth):
        raise DataError("no sample has a label; choose another column with --labels")
    counts = pd.crosstab(assigned.to_numpy(), truth.to_numpy())
    counts = counts.rename_axis(index="subtype", columns=None)
    counts = counts.loc[sorted(counts.index, key=lambda name: int(str(name).removeprefix("S")))]
    scores = {
        "n_samples": float(len(truth)),
        "accuracy": clustering_accuracy(truth, assigned),
        "nmi": nmi(truth, assigned),
        "ari": ari(truth, assigned),
    }
    return counts, scores
