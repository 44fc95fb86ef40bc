"""The POEMS paper's protocol: k-means over seeds and nearest neighbours over splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from poems.clustering.agreement import (
    Codes,
    Floats,
    Labels,
    Points,
    ari,
    as_codes,
    as_points,
    balanced_accuracy,
    clustering_accuracy,
    nmi,
    silhouette,
)
from poems.errors import DataError, SettingsError

# The k-means seeds of the POEMS paper's code (arXiv 2511.03464).
PAPER_SEEDS = (0, 12, 21, 42, 1234)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of repeated runs, with their mean and spread.

    Parameters
    ----------
    runs
        One row per run (a seed or a split), one column per score.
    n_scored
        Samples that have a label and were used.
    n_unlabelled
        Samples without a label, left out.
    """

    runs: pd.DataFrame
    n_scored: int
    n_unlabelled: int

    @property
    def mean(self) -> pd.Series[float]:
        """Mean of each score over the runs."""
        return self.runs.mean()

    @property
    def sd(self) -> pd.Series[float]:
        """Standard deviation of each score over the runs (n - 1); NaN for a single run."""
        return self.runs.std(ddof=1)


def kmeans_scores(
    points: Points,
    labels: Labels,
    *,
    seeds: Sequence[int] = PAPER_SEEDS,
    n_init: int = 10,
    n_clusters: int | None = None,
) -> Scores:
    """Score k-means clusters of an embedding against labels, over seeds.

    Samples without a label are left out before clustering. Labels are used for
    nothing else.

    Parameters
    ----------
    points
        Array of shape (n_samples, n_dimensions).
    labels
        One entry per sample; missing where unknown.
    seeds
        One run of k-means each; by default those of the paper.
    n_init
        Starts within a run, of which the tightest counts.
    n_clusters
        Number of clusters; by default the number of classes.

    Returns
    -------
    Scores
        ``runs`` has one row per seed and the columns ``accuracy`` (matched),
        ``nmi``, ``ari`` and ``silhouette``.

    Raises
    ------
    DataError
        If lengths differ, a point is not finite, or there are fewer than 2
        classes.

    Examples
    --------
    >>> points = np.repeat([[0.0, 0.0], [9.0, 9.0]], 5, axis=0) + np.arange(10)[:, None] / 100
    >>> kmeans_scores(points, ["a"] * 5 + ["b"] * 5).mean["accuracy"].item()
    1.0
    """
    from sklearn.cluster import KMeans

    if not seeds:
        raise SettingsError("seeds is empty; give at least one seed")
    x, codes, n_unlabelled = _labelled(points, labels)
    k = n_clusters if n_clusters is not None else len(np.unique(codes))
    if not 1 <= k <= len(codes):
        raise DataError(f"{len(codes)} labelled samples cannot be put into {k} clusters")
    runs = {}
    for seed in seeds:
        clusters = KMeans(k, n_init=n_init, random_state=seed).fit_predict(x)
        runs[seed] = {
            "accuracy": clustering_accuracy(codes, clusters),
            "nmi": nmi(codes, clusters),
            "ari": ari(codes, clusters),
            "silhouette": silhouette(x, clusters),
        }
    table = pd.DataFrame.from_dict(runs, orient="index").rename_axis("seed")
    return Scores(table, len(codes), n_unlabelled)


def knn_accuracy(
    points: Points,
    labels: Labels,
    *,
    n_neighbours: int | None = None,
    n_splits: int = 5,
    test_share: float = 0.25,
    stratify: bool = False,
    groups: Labels | None = None,
    seed: int = 0,
) -> Scores:
    """Score a nearest-neighbour classifier on random splits of an embedding.

    The paper's protocol (arXiv 2511.03464) is the default: as many neighbours
    as classes, and five random splits, of 75 % to learn from and 25 % to test
    on, of the embedding of its test samples.

    Parameters
    ----------
    points
        Array of shape (n_samples, n_dimensions).
    labels
        One entry per sample; missing where unknown. Such samples are left out.
    n_neighbours
        Neighbours that vote; by default the number of classes.
    n_splits
        Number of random splits.
    test_share
        Share of the samples (or of the groups) in each test part.
    stratify
        Hold the share of each class equal in both parts.
    groups
        One entry per sample, a patient for example: samples of one group stay
        in the same part. Not to be had together with ``stratify``.
    seed
        Seed of the splits.

    Returns
    -------
    Scores
        ``runs`` has one row per split and the columns ``accuracy`` and
        ``balanced_accuracy``.

    Raises
    ------
    DataError
        If lengths differ, a point is not finite, there are fewer than 2
        classes, or a part to learn from has fewer samples than neighbours.
    SettingsError
        If both ``stratify`` and ``groups`` are given.

    Examples
    --------
    >>> points = np.repeat([[0.0], [9.0]], 20, axis=0) + np.arange(40)[:, None] / 100
    >>> knn_accuracy(points, ["a"] * 20 + ["b"] * 20).mean["accuracy"].item()
    1.0
    """
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
    from sklearn.neighbors import KNeighborsClassifier

    if stratify and groups is not None:
        raise SettingsError("stratify and groups cannot be combined; give one of them")
    x, codes, n_unlabelled = _labelled(points, labels)
    group_codes = None if groups is None else as_codes("groups", groups)
    if group_codes is not None:
        known = ~pd.isna(np.asarray(labels, dtype=object))
        if len(group_codes) != len(known):
            raise DataError(f"there are {len(group_codes)} groups for {len(known)} labels")
        group_codes = group_codes[known]
    k = n_neighbours if n_neighbours is not None else len(np.unique(codes))
    splitter_type = (
        StratifiedShuffleSplit
        if stratify
        else (ShuffleSplit if groups is None else GroupShuffleSplit)
    )
    splitter = splitter_type(n_splits, test_size=test_share, random_state=seed)
    try:
        splits = list(splitter.split(x, codes, group_codes))
    except ValueError as error:
        raise DataError(f"the samples cannot be split: {error}") from error
    runs = []
    for learn, test in splits:
        if len(learn) < k:
            raise DataError(
                f"{k} neighbours cannot be found among {len(learn)} samples; lower n_neighbours"
            )
        with warnings.catch_warnings():
            # That there are many classes for so few samples: the scores show it.
            warnings.filterwarnings("ignore", "The number of unique classes")
            predicted = KNeighborsClassifier(k).fit(x[learn], codes[learn]).predict(x[test])
        runs.append(
            {
                "accuracy": float(np.mean(predicted == codes[test])),
                "balanced_accuracy": balanced_accuracy(codes[test], predicted),
            }
        )
    return Scores(pd.DataFrame(runs).rename_axis("split"), len(codes), n_unlabelled)


def _labelled(points: Points, labels: Labels) -> tuple[Floats, Codes, int]:
    """Return points and labels of the labelled samples, and how many have no label."""
    x = as_points(points, labels)
    array = np.asarray(labels, dtype=object)
    known = ~pd.isna(array)
    if len(set(array[known])) < 2:
        raise DataError(
            f"labels must hold at least 2 classes; {int(known.sum())} of {len(known)} samples "
            f"have a label, of {len(set(array[known]))} class"
        )
    return x[known], as_codes("labels", array[known]), int((~known).sum())
