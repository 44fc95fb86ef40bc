"""Scaling of one view: learned on its training samples, applied to any, inverted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import Values, View
from poems.data.winsorising import Clipped, Limits, winsorising_limits
from poems.errors import DataError
from poems.findings import Finding
from poems.scaling.left_out import left_out_findings, most_variable_finding
from poems.scaling.own_scale import OwnScale, row_blocks
from poems.scaling.screening import Screening, screened_finding, tells, unscreened_finding
from poems.settings.groups import PreprocessingSettings

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ViewScaling:
    """How one view's values are brought to the model's scale.

    In this order: log(1 + x) if ``log1p``; clip to [``lower``, ``upper``];
    subtract ``offset`` and divide by ``scale``. All arrays have shape
    (n_features,), over the ``features`` that are kept.

    ``fill`` is the mean of the scaled training values, which the encoder sees
    where an entry is missing; ``variance`` is theirs too.

    ``own`` is there where the likelihood is given values as they were measured. What is scaled is
    then their residuals (:meth:`apply_own`); of ``"heavy"`` values, which are standardised as
    any, the likelihood is given them unclipped.
    """

    features: pd.Index
    log1p: bool
    lower: Array
    upper: Array
    offset: Array
    scale: Array
    fill: Array
    variance: Array
    own: OwnScale | None = None

    def apply(self, values: Values, name: str) -> tuple[npt.NDArray[np.float32], int]:
        """Scale values of shape (n_samples, n_features); also count the clipped entries.

        ``name`` is the view's, for errors.
        """
        x = values.astype(np.float64)
        if self.log1p:
            x = _log1p(x, name)
        # The winsorising of the fit; how many values it moved is counted and told.
        clipped = np.clip(x, self.lower, self.upper)
        n_clipped = int(np.count_nonzero(clipped != x) - np.count_nonzero(np.isnan(x)))
        return ((clipped - self.offset) / self.scale).astype(np.float32), n_clipped

    def apply_own(self, values: Values, name: str, obs: pd.DataFrame) -> OwnValues:
        """Scale the residuals of values that a likelihood is given as they are.

        ``name`` is the view's, for errors; ``obs`` is the table of the samples.

        Raises
        ------
        DataError
            If the likelihood cannot take one of the values, or a sample has no size.
        """
        parts = [
            self._own_block(values[rows], name, obs.iloc[rows]) for rows in row_blocks(values.shape)
        ]
        return OwnValues(
            np.concatenate([part.scaled for part in parts]),
            sum(part.n_clipped for part in parts),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.log_sizes for part in parts]),
        )

    def _own_block(self, values: Values, name: str, obs: pd.DataFrame) -> OwnValues:
        """Do so with some samples, whose values are then in double precision."""
        assert self.own is not None
        log_sizes = np.zeros(len(values))
        if self.own.kind != "heavy":
            targets = self.own.targets(values, name, self.features, obs.index)
            log_sizes = self.own.log_sizes(targets, name, obs)
        return self.own_values(values, log_sizes, name)

    def own_values(self, values: Values, log_sizes: Array, name: str) -> OwnValues:
        """Do so with values that the likelihood can take, of samples whose sizes are known.

        ``log_sizes``: of shape (n_samples,).
        """
        assert self.own is not None
        x = values.astype(np.float64)
        if self.own.kind == "heavy":
            scaled, n_clipped = self.apply(values, name)
            x = _log1p(x, name) if self.log1p else x
            targets = (x - self.offset) / self.scale
            return OwnValues(scaled, n_clipped, targets.astype(np.float32), log_sizes)
        targets = self.own.coded(x)
        residuals = (self.own.residuals(targets, log_sizes) - self.offset) / self.scale
        return OwnValues(residuals.astype(np.float32), 0, targets.astype(np.float32), log_sizes)

    def invert(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Bring scaled values, or means of a likelihood on its own scale, to the input's units."""
        if self.own is not None and self.own.kind != "heavy":
            return self.own.invert(values.astype(np.float64))
        x = values.astype(np.float64) * self.scale + self.offset
        return np.expm1(x) if self.log1p else x


@dataclass(frozen=True, eq=False)
class OwnValues:
    """A view whose likelihood is given values as they are, of shape (n_samples, n_features).

    ``scaled``: what encoders see, with ``n_clipped`` of them at their limits; ``targets``: what
    the likelihood is given; ``log_sizes``: of the samples, (n_samples,). ``NaN`` where missing.
    """

    scaled: npt.NDArray[np.float32]
    n_clipped: int
    targets: npt.NDArray[np.float32]
    log_sizes: Array


class Statistics(Protocol):
    """What scaling is learned from: some features of a view, on the samples that have it.

    Arrays are of shape (n_features,); "clipped" is at the limits of winsorising.
    """

    @property
    def limits(self) -> Limits:
        """Limits of winsorising."""

    def take(self, columns: npt.NDArray[np.intp]) -> Statistics:
        """Return those of some of the features."""

    def clipped_variance(self) -> Array:
        """Variance of the clipped values."""

    def clipped_range(self) -> tuple[Array, Array]:
        """Least and largest of the clipped values."""

    def moments(self) -> tuple[Array, Array]:
        """Mean and standard deviation of the clipped values.

        Where the limits could not settle, those before clipping: taken after it, a value that
        nearly all others differ from would be stretched out again.
        """

    def scaled(self, offset: Array, scale: Array) -> tuple[Array, Array]:
        """Mean and variance of ``(clipped - offset) / scale``."""


def fit_scaling(
    name: str,
    view: View,
    settings: PreprocessingSettings,
    screening: Screening | None = None,
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how one view is scaled; also report the features that are left out.

    Raises
    ------
    DataError
        If no feature is usable, or log1p meets values below zero.
    """
    x = view.values[view.measured].astype(np.float64)
    if name in settings.log1p:
        x = _log1p(x, name)
    kept = np.flatnonzero(varies(x))
    findings = list(left_out_findings(name, view.features, kept))
    x = x[:, kept]
    limits = _limits(x, settings.winsorise)
    # The winsorising that was asked for; how many values it moves is a finding.
    statistics = _Values(x, np.clip(x, limits.lower, limits.upper), limits)
    n_samples = int(view.measured.sum())
    scaling, more = scaling_from(
        name, view.features[kept], statistics, settings, n_samples, screening
    )
    return scaling, [*findings, *more]


def scaling_from(
    name: str,
    features: pd.Index,
    statistics: Statistics,
    settings: PreprocessingSettings,
    n_samples: int,
    screening: Screening | None = None,
) -> tuple[ViewScaling, list[Finding]]:
    """Learn a view's scaling from the statistics of its usable features.

    Parameters
    ----------
    name
        The view's.
    features
        Those that vary.
    statistics
        Theirs, wherever the values are.
    settings
        Which of them are kept, and what they are scaled to.
    n_samples
        That have the view.
    screening
        The rule by which features are set aside where samples are few, if there is any.
    """
    findings = []
    most, said = _selected(name, features, statistics, settings, n_samples, screening)
    findings += said
    if most is not None:
        features, statistics = features[most], statistics.take(most)
    if settings.scale == "standard":
        offset, scale = statistics.moments()
    elif settings.scale == "minmax":
        offset, largest = statistics.clipped_range()
        scale = largest - offset
    else:
        offset, scale = np.zeros(len(features)), np.ones(len(features))
    fill, variance = statistics.scaled(offset, scale)
    limits = statistics.limits
    scaling = ViewScaling(
        features=features,
        log1p=name in settings.log1p,
        lower=limits.lower,
        upper=limits.upper,
        offset=offset,
        scale=scale,
        fill=fill,
        variance=variance,
    )
    return scaling, findings


def _selected(
    name: str,
    features: pd.Index,
    statistics: Statistics,
    settings: PreprocessingSettings,
    n_samples: int,
    screening: Screening | None,
) -> tuple[npt.NDArray[np.intp] | None, list[Finding]]:
    """Return the positions of the most variable features, ``None`` for all, and what to say."""
    n_features = len(features)
    if settings.most_variable is not None:
        if n_features <= settings.most_variable:
            return None, []
        most = _most_variable(statistics.clipped_variance(), settings.most_variable)
        return most, [most_variable_finding(name, features[most], n_features)]
    kept = n_features if screening is None else screening.most(n_samples, n_features)
    if screening is None or kept == n_features:
        return None, []
    variance = statistics.clipped_variance()
    if not tells(variance, n_samples):
        return None, [unscreened_finding(screening, name, n_samples, n_features)]
    said = screened_finding(screening, name, n_samples, n_features, kept)
    return _most_variable(variance, kept), [said]


def _most_variable(variance: Array, n: int) -> npt.NDArray[np.intp]:
    most = np.argsort(-variance, kind="stable")[:n]
    most.sort()
    return most


@dataclass(frozen=True, eq=False)
class _Values:
    """Statistics of values in memory, before and after clipping: (n_samples, n_features)."""

    x: Array
    clipped: Array
    limits: Limits

    def take(self, columns: npt.NDArray[np.intp]) -> _Values:
        return _Values(self.x[:, columns], self.clipped[:, columns], self.limits.take(columns))

    def clipped_variance(self) -> Array:
        variance: Array = np.nanvar(self.clipped, axis=0)
        return variance

    def clipped_range(self) -> tuple[Array, Array]:
        return np.nanmin(self.clipped, axis=0), np.nanmax(self.clipped, axis=0)

    def moments(self) -> tuple[Array, Array]:
        basis = np.where(self.limits.settled, self.clipped, self.x)
        return np.nanmean(basis, axis=0), np.nanstd(basis, axis=0)

    def scaled(self, offset: Array, scale: Array) -> tuple[Array, Array]:
        scaled = (self.clipped - offset) / scale
        return np.nanmean(scaled, axis=0), np.nanvar(scaled, axis=0)


def require_not_negative(name: str, n_below: int, least: float) -> None:
    """Refuse the logarithm of values below zero.

    Raises
    ------
    DataError
        If there are any.
    """
    if n_below:
        raise DataError(
            f"view '{name}': log1p was asked for, but {n_below} values are below zero "
            f"(the least is {least:g}). It is for counts; leave it out for this view."
        )


def varies(x: Array) -> npt.NDArray[np.bool_]:
    """Which features have at least two different values?"""
    found: npt.NDArray[np.bool_] = np.count_nonzero(~np.isnan(x), axis=0) > 1
    if found.any():
        found[found] = np.nanmin(x[:, found], axis=0) < np.nanmax(x[:, found], axis=0)
    return found


def _log1p(x: Array, name: str) -> Array:
    """Take log(1 + x), refusing values below zero."""
    below = x < 0
    if below.any():
        require_not_negative(name, int(below.sum()), float(np.nanmin(x)))
    return np.log1p(x)


def _limits(x: Array, n_sd: float | None) -> Limits:
    """Find the limits of winsorising; those of the first round where they do not settle."""
    n_features = x.shape[1]
    if n_sd is None:
        unlimited = np.full(n_features, np.inf)
        return Limits(-unlimited, unlimited, np.ones(n_features, dtype=bool))
    mean, reach = np.nanmean(x, axis=0), n_sd * np.nanstd(x, axis=0)
    centre = np.nanmedian(x, axis=0)
    found = winsorising_limits(_AboutMedian(x, centre), n_sd, n_features, np.arange(n_features))
    return Limits(
        np.where(found.settled, found.lower + centre, mean - reach),
        np.where(found.settled, found.upper + centre, mean + reach),
        found.settled,
    )


class _AboutMedian:
    """Values about each feature's median, narrowed to what winsorising still asks for.

    So that entries equal to the median are exact zeros throughout, as those that are
    missing are: numpy's functions for data with gaps would be most of the work in many rounds.
    """

    def __init__(self, x: Array, centre: Array) -> None:
        self._there = ~np.isnan(x)
        self._x = np.where(self._there, x - centre, 0.0)
        self._counts = self._there.sum(axis=0)
        self._columns = np.arange(x.shape[1])

    def clip(self, lower: Array, upper: Array, columns: npt.NDArray[np.intp]) -> Clipped:
        """Describe some features clipped at limits."""
        # Nothing is clipped in the first round.
        if np.isfinite(lower).any():
            here = np.searchsorted(self._columns, columns)
            self._there = self._there[:, here]
            # A round of winsorising; values still missing are marked in `there`.
            self._x = np.where(self._there, self._x[:, here].clip(lower, upper), 0.0)
            self._columns = columns
        counts = self._counts[columns]
        mean = self._x.sum(axis=0) / counts
        deviations = np.where(self._there, self._x - mean, 0.0)
        sd = np.sqrt(np.square(deviations).sum(axis=0) / counts)
        return Clipped(mean, sd, np.abs(deviations).max(axis=0))
