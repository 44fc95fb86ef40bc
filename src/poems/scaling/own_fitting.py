"""Learn the own scale of a view in passes over its values, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import Values
from poems.scaling.own_scale import Array, Kind, OwnScale, require_allowed
from poems.scaling.sizes import column_of, from_counts

# A pass over the samples that have a view: values (n_some, n_features), ``NaN`` where missing,
# and these samples in the table of the samples.
Blocks: TypeAlias = Callable[[], Iterable[tuple[Values, pd.DataFrame]]]

# Dispersions of counts in the residuals, at the least and at most: moments may say anything.
_DISPERSION = (1e-3, 20.0)
# How often sizes and what a sample of size 1 has are found from each other, by rule.
_ROUNDS = {"pooled": 3}
# How far from 0 and 1 fractions at the ends are put, at most, and where there are no others.
_MOST_END, _ALONE = 0.01, 1e-3


def fit_own_scale(
    kind: Kind, blocks: Blocks, name: str, features: pd.Index, sizes: str = "none"
) -> OwnScale:
    """Learn the own scale of a view from the samples that have it.

    Parameters
    ----------
    kind
        What the values are.
    blocks
        Passes over them: one for all kinds, of counts three more, and two for ``pooled`` sizes.
    name, features
        Names, for errors.
    sizes
        Where sizes of samples of counts come from.

    Raises
    ------
    DataError
        If the likelihood cannot take one of the values, or a sample has no size.
    """
    width = len(features)
    total, n = np.zeros(width), np.zeros(width, dtype=np.int64)
    levels, inside = np.zeros(0), np.inf
    for values, obs in blocks():
        x = values.astype(np.float64)
        require_allowed(kind, x, name, features, obs.index)
        total += np.nansum(x, axis=0)
        n += (~np.isnan(x)).sum(axis=0)
        if kind == "levels":
            levels = np.union1d(levels, x[~np.isnan(x)])
        if kind == "fractions":
            between = x[(x > 0) & (x < 1)]
            inside = min(inside, between.min(initial=np.inf), (1.0 - between).min(initial=np.inf))
    found = OwnScale(
        kind=kind,
        mean=total / n,
        dispersion=np.zeros(width),
        levels=levels,
        sizes=sizes if kind == "counts" else "none",
        ends=_ends(inside) if kind == "fractions" else 0.0,
    )
    return _of_counts(found, total, blocks, name) if kind == "counts" else found


def _ends(nearest: float) -> float:
    """How far fractions at the ends are put from them: half as far as the nearest other one is."""
    return float(min(0.5 * nearest, _MOST_END)) if np.isfinite(nearest) else _ALONE


def _of_counts(found: OwnScale, total: Array, blocks: Blocks, name: str) -> OwnScale:
    """Learn rates at size 1, sizes having a geometric mean of 1, and dispersions by moments."""
    if column_of(found.sizes) is not None:
        known = [log_size for log_size, there, _ in _sized(found, blocks, name) if there.any()]
        found = replace(found, reference=float(np.exp(np.concatenate(known).mean())))
    for _ in range(_ROUNDS.get(found.sizes, 1) if found.sized else 0):
        log_sizes, expected = [], np.zeros(len(total))
        for log_size, there, _ in _sized(found, blocks, name):
            log_sizes.append(log_size)
            expected += np.exp(log_size) @ there
        # A common factor of all rates: sizes then have a geometric mean of 1.
        rate = total / expected * np.exp(np.concatenate(log_sizes).mean())
        found = replace(found, mean=rate)
    if from_counts(found.sizes):
        again = np.concatenate([log_size for log_size, _, _ in _sized(found, blocks, name)])
        found = replace(found, mean=found.mean * np.exp(again.mean()))
    excess, squares = np.zeros(len(total)), np.zeros(len(total))
    for log_size, there, x in _sized(found, blocks, name):
        mean = np.exp(log_size)[:, None] * found.mean
        excess += np.nansum((x - mean) ** 2 - mean, axis=0)
        squares += np.where(there, mean**2, 0.0).sum(axis=0)
    # Moments of few values may be negative or without bound; this scales residuals, no more.
    return replace(found, dispersion=np.clip(excess / squares, *_DISPERSION))


def _sized(
    own: OwnScale, blocks: Blocks, name: str
) -> Iterator[tuple[Array, npt.NDArray[np.bool_], Array]]:
    """Yield log sizes, which values are there, and these, for some samples each."""
    for values, obs in blocks():
        x = values.astype(np.float64)
        yield own.log_sizes(x, name, obs), ~np.isnan(x), x


def residual_moments(own: OwnScale, blocks: Blocks, name: str) -> tuple[Array, Array]:
    """Return the mean and standard deviation of each feature's residuals, (n_features,).

    Sums of squares of parts are put together as Chan, Golub & LeVeque (1983) do.
    """
    n, mean, squares = np.zeros((3, len(own.mean)))
    for values, obs in blocks():
        x = own.coded(values.astype(np.float64))
        residuals = own.residuals(x, own.log_sizes(x, name, obs))
        n_here = (~np.isnan(residuals)).sum(axis=0)
        # Of no value sums are 0, whatever they are divided by.
        mean_here = np.nansum(residuals, axis=0) / np.maximum(n_here, 1)
        squares_here = np.nansum(np.square(residuals - mean_here), axis=0)
        # As above.
        both = np.maximum(n + n_here, 1)
        shift = mean_here - mean
        squares += squares_here + shift**2 * n * n_here / both
        mean += shift * (n_here / both)
        n += n_here
    return mean, np.sqrt(squares / n)
