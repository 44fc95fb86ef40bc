"""Embeddings and subtypes of a run beside known labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from poems.clustering.agreement import (
    ari,
    clustering_accuracy,
    homogeneity_completeness,
    nmi,
    purity,
)
from poems.clustering.names import natural_order
from poems.data.obs.cells import clean_column
from poems.errors import DataError
from poems.evaluation.paper.protocol import kmeans_scores, knn_accuracy
from poems.findings import Finding, count, name_some
from poems.steps import steps_of

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
    known = clean_column(_column(obs, column, where)).values
    n_classes, n_known = known.nunique(), int(known.notna().sum())
    if n_classes > max(n_known // 2, 1):
        raise DataError(
            f"column '{column}' has {n_classes} different values on {n_known} samples; it does "
            "not hold labels of groups, choose another with --labels"
        )
    return known


def _column(obs: pd.DataFrame, column: str, where: str) -> pd.Series:
    at = [place for place, name in enumerate(obs.columns) if str(name) == column]
    if not at:
        columns = ", ".join(map(str, obs.columns))
        there = f"there are: {columns}" if columns else "it has none; fit with --obs"
        raise DataError(f"the obs table of {where} has no column '{column}'; {there}")
    return obs.iloc[:, at[0]]


def group_column(
    obs: pd.DataFrame, column: str, known: pd.Series, where: str
) -> tuple[pd.Series, tuple[Finding, ...]]:
    """Return which samples belong together, such as those of one patient, and what is said of it.

    Parameters
    ----------
    obs, column, where
        As for :func:`label_column`.
    known
        Label of each sample.

    Returns
    -------
    A group for each sample, and findings. A sample of no known group is one of its own.

    Raises
    ------
    DataError
        If there is no such column, or the labelled samples are of fewer than 2 groups.

    Examples
    --------
    >>> obs = pd.DataFrame({"patient": ["p1", "p1", "p2", None]})
    >>> groups, said = group_column(obs, "patient", pd.Series(list("abab")), "run")
    >>> groups.nunique(), len(said)
    (3, 2)
    """
    values = clean_column(_column(obs, column, where)).values
    alone = values.isna().to_numpy()
    codes, names = pd.factorize(values)
    codes = np.where(alone, len(names) + np.arange(len(codes)), codes)
    groups = pd.Series(codes, index=obs.index, name=column)
    of_labelled = groups[known.notna().to_numpy()]
    n_groups, n_largest = of_labelled.nunique(), int(of_labelled.value_counts().max())
    if n_groups < 2:
        raise DataError(
            f"column '{column}' puts the labelled samples into {n_groups} group, and 2 are needed "
            "to learn from one and test on another; choose another with --groups"
        )
    text = (
        f"neighbours were tested on whole groups of '{column}': {count(n_groups, 'group')} of "
        f"{count(len(of_labelled), 'labelled sample')}, the largest of {n_largest}; none is on "
        "both sides of a split"
    )
    findings = [Finding("note", "evaluate-groups", text)]
    if alone.any():
        text = (
            f"{count(int(alone.sum()), 'sample')} without a value in '{column}', each taken for a "
            f"group of its own: {name_some(obs.index[alone])}"
        )
        items = tuple(map(str, obs.index[alone]))
        findings.append(Finding("warning", "evaluate-no-group", text, items=items))
    return groups, tuple(findings)


def compare_embeddings(
    embeddings: Mapping[str, pd.DataFrame], known: pd.Series, groups: pd.Series | None = None
) -> pd.DataFrame:
    """Score k-means clusters and nearest neighbours of several embeddings against labels.

    Parameters
    ----------
    embeddings
        Name to points of shape (n_samples, n_dimensions).
    known
        Label of each sample; missing where unknown.
    groups
        Group of each sample, none missing: samples of one group, as of one patient, are
        never on both sides of a split of the neighbours.

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
        for name, points in steps_of("embeddings", embeddings.items()):
            if not points.shape[1]:
                rows.append({"embedding": name, **dict.fromkeys(_SCORES, np.nan)})
                continue
            clusters = kmeans_scores(points, known)
            neighbours = knn_accuracy(points, known, groups=groups)
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
    over the labelled samples ``n_samples``, ``n_subtypes``, ``n_classes``, ``purity``,
    ``homogeneity``, ``completeness``, ``nmi``, ``ari`` and ``accuracy``. The accuracy is that of
    a one-to-one matching, ``NaN`` where subtypes and classes differ in number: it would count
    every further subtype as wrong, however pure.

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
    counts = counts.loc[sorted(counts.index, key=natural_order)]
    homogeneity, completeness = homogeneity_completeness(truth, assigned)
    n_subtypes, n_classes = counts.shape
    scores = {
        "n_samples": float(len(truth)),
        "n_subtypes": float(n_subtypes),
        "n_classes": float(n_classes),
        "purity": purity(truth, assigned),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "nmi": nmi(truth, assigned),
        "ari": ari(truth, assigned),
        "accuracy": clustering_accuracy(truth, assigned) if n_subtypes == n_classes else np.nan,
    }
    return counts, scores
