"""Scores of one fit: clusters, neighbours and survival, a row for each label column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from poems.clustering.agreement import ari, clustering_accuracy, nmi, silhouette
from poems.data.container import MultiOmics
from poems.evaluation.paper.protocol import PAPER_SEEDS, kmeans_scores, knn_accuracy
from poems_benchmark.cohorts import CohortSpec
from poems_benchmark.methods.interface import Clusters, MethodResult
from poems_benchmark.scores.survival import cox_concordance, logrank_p

CLUSTER_SCORES = ("accuracy", "nmi", "ari")
# Clusters for survival where no label says how many.
SURVIVAL_CLUSTERS = 3

Row = dict[str, float | int | str | None]


def score(result: MethodResult, cohort: MultiOmics, spec: CohortSpec) -> list[Row]:
    """Score a method's result on a cohort, for each of its label columns.

    Columns: ``accuracy``, ``nmi``, ``ari``, ``silhouette`` of the clusters
    that count as the method's; ``kmeans_…`` of k-means on the embedding and
    ``own_…`` of a clustering of the method's own (absent without); ``knn``
    and ``knn_balanced``; ``n_scored``, ``n_unlabelled``. Every cluster score
    is a mean over the paper's five seeds, as many clusters as classes. With
    survival: ``logrank_p``, the median over the same seeds, and
    ``concordance`` of a Cox model with ``cox_failed`` folds; clusters are as
    many as the first label's classes, or 3.

    Parameters
    ----------
    result
        Of the method's fit.
    cohort
        With the labels in ``obs``.
    spec
        Which columns to score.

    Returns
    -------
    One row per label column, the cohort's survival scores repeated in each; one
    row with the label ``""`` if there is survival only.
    """
    survival = _survival(result, cohort, spec)
    rows = [
        {"label": label, **_labelled(result, cohort.obs[label]), **survival}
        for label in spec.labels
    ]
    return rows or [{"label": "", **survival}]


def _labelled(result: MethodResult, labels: pd.Series) -> Row:
    points = result.embedding
    kmeans = kmeans_scores(points, labels)
    row: Row = {"n_scored": kmeans.n_scored, "n_unlabelled": kmeans.n_unlabelled}
    found = {f"kmeans_{name}": float(kmeans.mean[name]) for name in CLUSTER_SCORES}
    headline = "kmeans"
    width = float(kmeans.mean["silhouette"])
    if result.own_clusters is not None:
        own = _own(result.own_clusters, points, labels)
        found |= {f"own_{name}": own[name] for name in CLUSTER_SCORES}
        if result.headline == "own":
            headline, width = "own", own["silhouette"]
    row |= {name: found[f"{headline}_{name}"] for name in CLUSTER_SCORES}
    knn = knn_accuracy(points, labels).mean
    return {
        **row,
        "silhouette": width,
        "knn": float(knn["accuracy"]),
        "knn_balanced": float(knn["balanced_accuracy"]),
        **found,
    }


def _own(own_clusters: Clusters, points: pd.DataFrame, labels: pd.Series) -> dict[str, float]:
    """Score clusters of all samples on those that have a label."""
    known = labels.notna().to_numpy()
    k = labels.nunique()
    runs = []
    for seed in PAPER_SEEDS:
        clusters = own_clusters(k, seed)[known]
        alone = len(np.unique(clusters)) < 2
        runs.append(
            {
                "accuracy": clustering_accuracy(labels[known], clusters),
                "nmi": nmi(labels[known], clusters),
                "ari": ari(labels[known], clusters),
                "silhouette": np.nan if alone else silhouette(points[known].to_numpy(), clusters),
            }
        )
    table = pd.DataFrame(runs)
    return {name: float(table[name].mean()) for name in (*CLUSTER_SCORES, "silhouette")}


def _survival(result: MethodResult, cohort: MultiOmics, spec: CohortSpec) -> Row:
    if spec.time is None or spec.event is None:
        return {}
    time, event = cohort.obs[spec.time], cohort.obs[spec.event]
    k = cohort.obs[spec.labels[0]].nunique() if spec.labels else SURVIVAL_CLUSTERS
    p = [logrank_p(time, event, clusters) for clusters in _clusterings(result, k)]
    cox = cox_concordance(result.embedding, time, event)
    return {
        "logrank_p": float(np.median(p)),
        "concordance": cox.mean,
        "cox_failed": cox.n_failed,
    }


def _clusterings(result: MethodResult, k: int) -> Sequence[np.ndarray]:
    """Return the clusters that count as the method's, for each of the paper's seeds."""
    from sklearn.cluster import KMeans

    if result.headline == "own" and result.own_clusters is not None:
        return [result.own_clusters(k, seed) for seed in PAPER_SEEDS]
    x = result.embedding.to_numpy(dtype=np.float64)
    return [KMeans(k, n_init=10, random_state=seed).fit_predict(x) for seed in PAPER_SEEDS]
