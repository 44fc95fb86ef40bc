"""K-means clusterings of points, for every number of clusters that may be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import names_by_size
from poems.clustering.restarts import restarted_kmeans
from poems.errors import DataError, SettingsError
from poems.findings import name_some

# A number of subtypes chosen automatically leaves none with fewer samples than this: a silhouette
# is best when outliers stand alone, but an outlier is no subtype.
FEWEST_SAMPLES: Final = 3
# Silhouettes compare every two samples: of more samples than this, a random subset is clustered.
LARGEST_CLUSTERED: Final = 20_000
_CLUSTERED_OF_MANY = 10_000


def one_thread() -> Any:
    """Return a context in which linear algebra takes one thread.

    Problems of this size only get slower with more, and sums would depend on their number.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(limits=1)


def by_size(labels: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Number clusters anew from 0, the largest first, as :func:`names_by_size` names them.

    Examples
    --------
    >>> by_size(np.array([4, 7, 7])).tolist()
    [1, 0, 0]
    """
    return np.array([int(name[1:]) - 1 for name in names_by_size(labels)], dtype=np.intp)


def some_rows(n_samples: int, seed: int) -> npt.NDArray[np.intp]:
    """Draw the samples that are clustered where there are too many for all."""
    drawn = np.random.default_rng(seed).choice(n_samples, _CLUSTERED_OF_MANY, replace=False)
    return np.sort(drawn)


def finite_points(points: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the coordinates of an embedding, (n_samples, n_dimensions).

    Raises
    ------
    DataError
        If one is not finite; the text names the samples.
    """
    values = points.to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise DataError(
            f"the embedding of {bad.sum()} of {len(bad)} samples is not finite: "
            f"{name_some(points.index[bad])}; the fit diverged, try a smaller learning_rate"
        )
    return values


def _check_count(n_subtypes: int, n_samples: int, distinct: int) -> None:
    if n_subtypes < 1:
        raise SettingsError(f"n_subtypes must be at least 1, not {n_subtypes}")
    if n_subtypes > n_samples:
        raise SettingsError(
            f"n_subtypes is {n_subtypes}, but there are only {n_samples} samples; "
            "ask for fewer subtypes"
        )
    if n_subtypes > distinct:
        raise DataError(
            f"n_subtypes is {n_subtypes}, but the {n_samples} samples lie at only {distinct} "
            "distinct points of the embedding; ask for fewer subtypes, or look for copied samples"
        )


def clusterings_of(
    values: npt.NDArray[np.float64],
    n_subtypes: int | None,
    candidates: Iterable[int],
    seed: int,
) -> dict[int, npt.NDArray[np.intp]]:
    """Cluster by every number of subtypes that is asked for or may be chosen.

    Returns the labels, (n_samples,), of each number tried.

    Raises
    ------
    DataError
        If there are fewer distinct points than subtypes asked for.
    SettingsError
        If no such number is possible.
    """
    n_samples = len(values)
    # A model without factors leaves points without coordinates, all at one place.
    distinct = len(np.unique(values, axis=0)) if values.shape[1] else 1
    if n_subtypes is not None:
        _check_count(n_subtypes, n_samples, distinct)
        return {n_subtypes: _kmeans(values, n_subtypes, seed)}
    limit = min(n_samples - 1, distinct)
    if limit < 2:
        return {1: _kmeans(values, 1, seed)}
    wanted = sorted(set(candidates))
    tried = [k for k in wanted if 2 <= k <= limit]
    if not tried:
        raise SettingsError(
            f"none of the numbers of subtypes {wanted} can be chosen for {n_samples} samples at "
            f"{distinct} distinct points: from 2 to {limit} are possible; give n_subtypes, or "
            "other candidates"
        )
    found = {k: _kmeans(values, k, seed) for k in tried}
    if all(np.bincount(labels).min() < FEWEST_SAMPLES for labels in found.values()):
        # Nothing else can be chosen.
        found = {2: _kmeans(values, 2, seed)} | found
    return found


def _kmeans(values: npt.NDArray[np.float64], k: int, seed: int) -> npt.NDArray[np.intp]:
    if k == 1:
        return np.zeros(len(values), dtype=np.intp)
    # Restarts of k-means; the best of them is kept.
    return restarted_kmeans(values, k, n_starts=20, seed=seed)[0]


def silhouettes_of(
    values: npt.NDArray[np.float64], labels: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Compute the silhouette of each sample, (n_samples,); NaN where there is no other cluster."""
    from sklearn.metrics import silhouette_samples

    if not 2 <= len(np.unique(labels)) < len(values):
        return np.full(len(values), np.nan)
    return np.asarray(silhouette_samples(values, labels), dtype=np.float64)
