"""Scaling of one view: learned on its training samples, applied to any, inverted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import View
from poems.data.disk.sorted_columns import WINSORISE_ROUNDS, WINSORISE_TOLERANCE
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.settings.schema import PreprocessingSettings

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ViewScaling:
    """How one view's values are brought to the model's scale.

    In this order: log(1 + x) if ``log1p``; clip to [``lower``, ``upper``];
    subtract ``offset`` and divide by ``scale``. All arrays have shape
    (n_features,), over the ``features`` that are kept.

    ``fill`` is the mean of the scaled training values, which the encoder sees
    where an entry is missing; ``variance`` is theirs too.
    """

    features: pd.Index
    log1p: bool
    lower: Array
    upper: Array
    offset: Array
    scale: Array
    fill: Array
    variance: Array

    def apply(
        self, values: npt.NDArray[np.float32], name: str
    ) -> tuple[npt.NDArray[np.float32], int]:
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

    def invert(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Bring scaled values back to the units of the input."""
        x = values.astype(np.float64) * self.scale + self.offset
        return np.expm1(x) if self.log1p else x


def fit_scaling(
    name: str, view: View, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how one view is scaled; also report the features that are left out.

    Raises
    ------
    DataError
        If no feature is usable, or log1p meets values below zero.
    """
    findings: list[Finding] = []
    x = view.values[view.measured].astype(np.float64)
    log1p = name in settings.log1p
    if log1p:
        x = _log1p(x, name)
    kept = np.flatnonzero(_varies(x))
    findings += left_out_findings(name, view.features, kept)
    limits = _limits(x[:, kept], settings.winsorise)
    # The winsorising that was asked for; how many values it moves is a finding.
    clipped = np.clip(x[:, kept], limits.lower, limits.upper)
    if settings.most_variable is not None and len(kept) > settings.most_variable:
        most = np.argsort(-np.nanvar(clipped, axis=0), kind="stable")[: settings.most_variable]
        most.sort()
        findings.append(most_variable_finding(name, view.features[kept[most]], len(kept)))
        kept, clipped, limits = kept[most], clipped[:, most], limits.take(most)
    if settings.scale == "standard":
        # Where the limits could not settle, the deviation is that before clipping: taken
        # after it, a value that nearly all others differ from would be stretched out again.
        basis = np.where(limits.settled, clipped, x[:, kept])
        offset, scale = np.nanmean(basis, axis=0), np.nanstd(basis, axis=0)
    elif settings.scale == "minmax":
        offset = np.nanmin(clipped, axis=0)
        scale = np.nanmax(clipped, axis=0) - offset
    else:
        offset, scale = np.zeros(len(kept)), np.ones(len(kept))
    scaled = (clipped - offset) / scale
    scaling = ViewScaling(
        features=view.features[kept],
        log1p=log1p,
        lower=limits.lower,
        upper=limits.upper,
        offset=offset,
        scale=scale,
        fill=np.nanmean(scaled, axis=0),
        variance=np.nanvar(scaled, axis=0),
    )
    return scaling, findings


def left_out_findings(
    name: str, features: pd.Index, kept: npt.NDArray[np.intp]
) -> Iterator[Finding]:
    """Say which features are left out for want of two different values.

    Raises
    ------
    DataError
        If none is kept.
    """
    if not len(kept):
        raise DataError(
            f"view '{name}' has no usable feature: every one is constant or missing. "
            "Leave the view out."
        )
    if len(kept) < len(features):
        left_out = tuple(map(str, features.delete(kept)))
        text = (
            f"{len(left_out)} features are constant or missing throughout and were left out: "
            f"{name_some(left_out)}"
        )
        yield Finding("warning", "features-left-out", text, name, left_out)


def most_variable_finding(name: str, most: pd.Index, n_features: int) -> Finding:
    """Say which features were kept as the most variable ones."""
    text = f"the {len(most)} most variable of {n_features} features were kept"
    return Finding("note", "most-variable", text, name, tuple(map(str, most)))


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


def _varies(x: Array) -> npt.NDArray[np.bool_]:
    """Which features have at least two different values?"""
    varies: npt.NDArray[np.bool_] = np.count_nonzero(~np.isnan(x), axis=0) > 1
    if varies.any():
        varies[varies] = np.nanmin(x[:, varies], axis=0) < np.nanmax(x[:, varies], axis=0)
    return varies


@dataclass(frozen=True)
class _Limits:
    """Limits of each feature, and whether they settled; all (n_features,)."""

    lower: Array
    upper: Array
    settled: npt.NDArray[np.bool_]

    def take(self, columns: npt.NDArray[np.intp]) -> _Limits:
        return _Limits(self.lower[columns], self.upper[columns], self.settled[columns])


def _log1p(x: Array, name: str) -> Array:
    """Take log(1 + x), refusing values below zero."""
    below = x < 0
    if below.any():
        require_not_negative(name, int(below.sum()), float(np.nanmin(x)))
    return np.log1p(x)


def _limits(x: Array, n_sd: float | None) -> _Limits:
    """Find limits ``n_sd`` standard deviations from the mean of each feature.

    An outlier inflates the very standard deviation that it is judged by, so the
    limits are found anew from the clipped values until they settle. Where a
    share of more than about 1 - 1 / n_sd^2 of the entries are equal (a rare
    mutation) they never do: they would close in on that value and take the
    feature with them. Such a feature gets the limits of the first round.
    """
    n_features = x.shape[1]
    if n_sd is None:
        unlimited = np.full(n_features, np.inf)
        return _Limits(-unlimited, unlimited, np.ones(n_features, dtype=bool))
    mean, sd = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    first = (mean - n_sd * sd, mean + n_sd * sd)

    # About the median, so that entries equal to it are exact zeros throughout, as those that are
    # missing are: numpy's functions for data with gaps would be most of the work in many rounds.
    centre, there = np.nanmedian(x, axis=0), ~np.isnan(x)
    x, counts = np.where(there, x - centre, 0.0), there.sum(axis=0)
    lower, upper = np.full(n_features, -np.inf), np.full(n_features, np.inf)
    open_ = np.arange(n_features)
    settled = np.zeros(n_features, dtype=bool)
    for _ in range(WINSORISE_ROUNDS):
        mean = x.sum(axis=0) / counts[open_]
        deviations = np.where(there, x - mean, 0.0)
        sd = np.sqrt(np.square(deviations).sum(axis=0) / counts[open_])
        lower[open_] = np.maximum(lower[open_], mean - n_sd * sd)
        upper[open_] = np.minimum(upper[open_], mean + n_sd * sd)
        furthest = np.abs(deviations).max(axis=0)
        settled[open_] = furthest <= n_sd * sd * (1.0 + WINSORISE_TOLERANCE)
        beyond = furthest > n_sd * sd
        open_, x, there = open_[beyond], x[:, beyond], there[:, beyond]
        if not open_.size:
            break
        # A round of winsorising; values still missing are marked in `there`.
        x = np.where(there, x.clip(lower[open_], upper[open_]), 0.0)
    return _Limits(
        np.where(settled, lower + centre, first[0]),
        np.where(settled, upper + centre, first[1]),
        settled,
    )
