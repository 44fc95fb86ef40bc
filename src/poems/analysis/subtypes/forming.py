"""Subtypes formed from points: by k-means, or as components of the mixture prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.result import Subtypes
from poems.clustering.how_many import drawn_rows, try_numbers
from poems.clustering.kmeans import (
    LARGEST_CLUSTERED,
    by_size,
    clusterings_of,
    finite_points,
    one_thread,
    silhouettes_of,
    some_rows,
)
from poems.clustering.names import names_by_size
from poems.clustering.redraws import PointRedraws, Redraws
from poems.clustering.tried import NumberTried, number_to_report
from poems.settings.schema import Metric

# From clusterings by their number to what speaks for each number.
Clusterings = Mapping[int, npt.NDArray[np.intp]]
Judge = Callable[[Clusterings], tuple[NumberTried, ...]]


def kmeans_subtypes(
    points: pd.DataFrame,
    n_subtypes: int | None = None,
    *,
    candidates: Iterable[int] = range(2, 11),
    metric: Metric | None = None,
    seed: int = 0,
    judge: Judge | None = None,
) -> Subtypes:
    """Cluster ``points`` by k-means, into as many clusters as hold when samples are drawn anew.

    A number holds if each of its clusters is found again in subsamples, and they are farther
    apart than in data without groups (:func:`poems.clustering.how_many.try_numbers`), and
    none has fewer than 3 samples: outliers are no subtypes. Taken is the largest number that
    holds, or 1.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions), finite.
    n_subtypes
        Number of clusters; ``None`` chooses among 1 and ``candidates``.
    candidates
        Numbers of clusters to try; those above n_samples - 1, or above the
        number of distinct points, are passed over. An ``n_subtypes`` that is
        given is kept, whether it holds or not.
    metric
        Name of the embedding, kept in the result.
    seed
        Seed of k-means and of the subsamples.
    judge
        What judges the numbers of these samples; by default the points are held when
        samples are drawn.

    Raises
    ------
    SettingsError
        If ``n_subtypes`` does not fit the number of samples, or none of the
        candidates does.
    DataError
        If a point is not finite, or there are fewer distinct points than
        clusters asked for.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = np.repeat([0.0, 9.0], [12, 8]) + rng.normal(size=20)
    >>> kmeans_subtypes(pd.DataFrame({"x": values})).sizes.to_dict()
    {'S1': 12, 'S2': 8}
    """
    values = finite_points(points)
    if len(values) > LARGEST_CLUSTERED:
        return _of_many(points, values, n_subtypes, tuple(candidates), metric, seed)
    with one_thread():
        clusterings = clusterings_of(values, n_subtypes, candidates, seed)
        silhouettes = {k: silhouettes_of(values, labels) for k, labels in clusterings.items()}
        sized = {k: by_size(labels) for k, labels in clusterings.items()}
        tried = _held(values, seed)(sized) if judge is None else judge(sized)
    numbers = list(clusterings)
    means = pd.Series([silhouettes[k].mean() for k in numbers], index=numbers, name="silhouette")
    smallest = pd.Series(
        [int(np.bincount(clusterings[k]).min()) for k in numbers], index=numbers, name="smallest"
    )
    best = number_to_report(tried) if n_subtypes is None else n_subtypes
    labels = clusterings.get(best, np.zeros(len(values), dtype=np.intp))
    widths = silhouettes.get(best, np.full(len(values), np.nan))
    return Subtypes(
        assignment=pd.Series(names_by_size(labels), index=points.index, name="subtype"),
        silhouette=means.rename_axis("n_subtypes"),
        sample_silhouette=pd.Series(widths, index=points.index, name="silhouette"),
        metric=metric,
        smallest=smallest.rename_axis("n_subtypes"),
        tried=tried,
        asked=n_subtypes is not None,
    )


def _held(values: npt.NDArray[np.float64], seed: int) -> Judge:
    """Judge points of which nothing else is known: their coordinates are no factors."""
    judge = judge_points(values, values, seed)

    def judged(clusterings: Clusterings) -> tuple[NumberTried, ...]:
        return tuple(replace(each, along=()) for each in judge(clusterings))

    return judged


def judge_points(
    points: npt.NDArray[np.float64], latents: npt.NDArray[np.float64], seed: int
) -> Judge:
    """Return what judges numbers of clusters of points that are held.

    Parameters
    ----------
    points
        Of shape (n_samples, n_dimensions).
    latents
        Of shape (n_samples, n_factors), in which it is measured how far clusters are apart.
    seed
        Of the draws.
    """
    rows = drawn_rows(len(points), seed)
    return judge_by(PointRedraws(latents[rows], points[rows]), rows, seed)


def judge_by(redraws: Redraws, rows: npt.NDArray[np.intp], seed: int) -> Judge:
    """Return what judges numbers of clusters by draws; ``rows``: those of the samples drawn."""

    def judge(clusterings: Clusterings) -> tuple[NumberTried, ...]:
        own = {k: labels[rows] for k, labels in clusterings.items()}
        return try_numbers(redraws, own, seed=seed)

    return judge


def mixture_subtypes(
    points: pd.DataFrame, probabilities: pd.DataFrame, *, metric: Metric | None = None
) -> Subtypes:
    """Assign each sample to its most probable component; components without a sample vanish.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions), in which the silhouette
        is measured.
    probabilities
        Array of shape (n_samples, n_components), rows sum to 1.
    metric
        Name of the embedding, kept in the result.
    """
    values = finite_points(points)
    weights = probabilities.loc[points.index].to_numpy()
    labels = weights.argmax(axis=1)
    some = some_rows(len(values), 0) if len(values) > LARGEST_CLUSTERED else slice(None)
    silhouettes = np.full(len(values), np.nan)
    silhouettes[some] = silhouettes_of(values[some], labels[some])
    names = names_by_size(labels)
    means = pd.Series({len(set(names)): float(silhouettes[some].mean())}, name="silhouette")
    smallest = pd.Series({len(set(names)): min(map(names.count, set(names)))}, name="smallest")
    return Subtypes(
        assignment=pd.Series(names, index=points.index, name="subtype"),
        silhouette=means.rename_axis("n_subtypes"),
        sample_silhouette=pd.Series(silhouettes, index=points.index, name="silhouette"),
        method="mixture",
        metric=metric,
        probability=pd.Series(weights.max(axis=1), index=points.index, name="probability"),
        smallest=smallest.rename_axis("n_subtypes"),
        n_clustered=None if isinstance(some, slice) else len(some),
    )


def _of_many(
    points: pd.DataFrame,
    values: npt.NDArray[np.float64],
    n_subtypes: int | None,
    candidates: tuple[int, ...],
    metric: Metric | None,
    seed: int,
) -> Subtypes:
    """Cluster a random subset; the other samples join the cluster whose centre is nearest."""
    rows = some_rows(len(values), seed)
    found = kmeans_subtypes(
        points.iloc[rows], n_subtypes, candidates=candidates, metric=metric, seed=seed
    )
    names = list(found.sizes.index)
    of_subset = found.assignment.to_numpy()
    centres = np.stack([values[rows][of_subset == name].mean(axis=0) for name in names])
    labels = np.empty(len(values), dtype=np.intp)
    for start in range(0, len(values), LARGEST_CLUSTERED):
        some = slice(start, start + LARGEST_CLUSTERED)
        # |x - c|^2 without |x|^2, which is the same for every centre.
        distances = (centres**2).sum(axis=1) - 2.0 * values[some] @ centres.T
        labels[some] = distances.argmin(axis=1)
    labels[rows] = [names.index(name) for name in of_subset]
    silhouettes = np.full(len(values), np.nan)
    silhouettes[rows] = found.sample_silhouette.to_numpy()
    return replace(
        found,
        assignment=pd.Series(names_by_size(labels), index=points.index, name="subtype"),
        sample_silhouette=pd.Series(silhouettes, index=points.index, name="silhouette"),
        n_clustered=len(rows),
    )
