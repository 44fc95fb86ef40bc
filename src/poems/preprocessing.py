"""Preprocessing: learned on the training samples, applied to any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.config import PreprocessingSettings
from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.findings import Finding, name_some
from poems.nn.batch import Batch

Array = npt.NDArray[np.float64]

# Rounds of clipping, and how close to the limit (as a share of it) they have to come.
_WINSORISE_ROUNDS = 100
_WINSORISE_TOLERANCE = 1e-3


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
        clipped = np.clip(x, self.lower, self.upper)
        n_clipped = int(np.count_nonzero(clipped != x) - np.count_nonzero(np.isnan(x)))
        return ((clipped - self.offset) / self.scale).astype(np.float32), n_clipped

    def invert(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Bring scaled values back to the units of the input."""
        x = values.astype(np.float64) * self.scale + self.offset
        return np.expm1(x) if self.log1p else x


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The fitted preprocessing of a cohort: view name to :class:`ViewScaling`.

    Fit with :func:`fit_preprocessing`, use with :meth:`apply`.
    """

    views: Mapping[str, ViewScaling]

    def apply(self, cohort: MultiOmics) -> tuple[Batch, tuple[Finding, ...]]:
        """Bring a cohort to the model's scale.

        Features are matched by name. A view that is absent counts as
        unmeasured; features that are absent count as missing entries; features
        that the model does not know are left out. All of it is reported.

        Raises
        ------
        DataError
            If none of the model's views is there, a view shares no feature
            with the model's, or a sample is left without any view.
        """
        known = [name for name in self.views if name in cohort.views]
        if not known:
            raise DataError(
                f"none of the model's views ({name_some(self.views, 20)}) is among the cohort's "
                f"({name_some(cohort.views, 20)}). Give the views the names used in training."
            )
        findings = _unknown_views(cohort, self.views)
        values: dict[str, torch.Tensor] = {}
        observed: dict[str, torch.Tensor | None] = {}
        measured = []
        for name, scaling in self.views.items():
            if name not in cohort.views:
                shape = (cohort.n_samples, len(scaling.features))
                values[name] = torch.zeros(shape)
                observed[name] = None
                measured.append(np.zeros(cohort.n_samples, dtype=bool))
                findings.append(
                    Finding("note", "view-absent", "not given; counts as unmeasured", name)
                )
                continue
            aligned, some = _align(cohort.views[name], name, scaling.features)
            findings += some
            scaled, n_clipped = scaling.apply(aligned.values, name)
            if n_clipped:
                findings.append(_winsorised(name, n_clipped, scaled, aligned.measured))
            there = ~np.isnan(scaled)
            rows = aligned.measured & there.any(axis=1)
            filled = np.where(there, scaled, scaling.fill.astype(np.float32))
            values[name] = torch.from_numpy(filled)
            observed[name] = None if there[rows].all() else torch.from_numpy(there)
            measured.append(rows)
        mask = np.column_stack(measured)
        bare = np.flatnonzero(~mask.any(axis=1))
        if len(bare):
            raise DataError(
                f"{len(bare)} samples have no measured feature that the model knows: "
                f"{name_some(cohort.samples[bare])}. Remove them or add a view."
            )
        return Batch(values, observed, torch.from_numpy(mask)), tuple(findings)


def fit_preprocessing(
    cohort: MultiOmics, settings: PreprocessingSettings
) -> tuple[Preprocessing, tuple[Finding, ...]]:
    """Learn the preprocessing of each view from a cohort.

    Features that are constant or missing throughout, and those not selected by
    ``most_variable``, are left out; findings list them.

    Raises
    ------
    DataError
        If a view has no usable feature, or log1p meets values below zero.
    SettingsError
        If ``log1p`` names a view that does not exist.
    """
    unknown = [name for name in settings.log1p if name not in cohort.views]
    if unknown:
        raise SettingsError(
            f"log1p names the view {name_some(unknown)}; there are {name_some(cohort.views, 20)}"
        )
    views, findings = {}, []
    for name, view in cohort.views.items():
        views[name], some = _fit_view(name, view, settings)
        findings += some
    return Preprocessing(views), tuple(findings)


def _fit_view(
    name: str, view: View, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn one view's scaling."""
    findings = []
    x = view.values[view.measured].astype(np.float64)
    log1p = name in settings.log1p
    if log1p:
        x = _log1p(x, name)

    n_there = np.count_nonzero(~np.isnan(x), axis=0)
    usable = n_there > 1
    if usable.any():
        usable[usable] = np.nanmin(x[:, usable], axis=0) < np.nanmax(x[:, usable], axis=0)
    if not usable.any():
        raise DataError(
            f"view '{name}' has no usable feature: every one is constant or missing. "
            "Leave the view out."
        )
    if not usable.all():
        left_out = tuple(map(str, view.features[~usable]))
        findings.append(
            Finding(
                "warning",
                "features-left-out",
                f"{len(left_out)} features are constant or missing throughout and were left out: "
                f"{name_some(left_out)}",
                name,
                left_out,
            )
        )
    if settings.most_variable is not None and usable.sum() > settings.most_variable:
        spread = np.full(len(usable), -np.inf)
        spread[usable] = np.nanvar(x[:, usable], axis=0)
        keep = np.sort(np.argsort(-spread, kind="stable")[: settings.most_variable])
        findings.append(
            Finding(
                "note",
                "most-variable",
                f"the {settings.most_variable} most variable of {usable.sum()} features were kept",
                name,
                tuple(map(str, view.features[keep])),
            )
        )
        usable = np.zeros_like(usable)
        usable[keep] = True

    x = x[:, usable]
    lower, upper = _limits(x, settings.winsorise)
    if settings.winsorise is not None and np.isinf(upper).any():
        uneven = tuple(map(str, view.features[usable][np.isinf(upper)]))
        findings.append(
            Finding(
                "note",
                "not-winsorised",
                f"no clipping brings {len(uneven)} features within {settings.winsorise:g} standard "
                "deviations, usually because nearly all of their entries are equal; they were "
                f"left as they are: {name_some(uneven)}",
                name,
                uneven,
            )
        )
    x = np.clip(x, lower, upper)
    if settings.scale == "standard":
        offset, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    elif settings.scale == "minmax":
        offset = np.nanmin(x, axis=0)
        scale = np.nanmax(x, axis=0) - offset
    else:
        offset, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    scaled = (x - offset) / scale
    scaling = ViewScaling(
        features=view.features[usable],
        log1p=log1p,
        lower=lower,
        upper=upper,
        offset=offset,
        scale=scale,
        fill=np.nanmean(scaled, axis=0),
        variance=np.nanvar(scaled, axis=0),
    )
    return scaling, findings


def _log1p(x: Array, name: str) -> Array:
    """Take log(1 + x), refusing values below zero."""
    below = x < 0
    if below.any():
        raise DataError(
            f"view '{name}': log1p was asked for, but {below.sum()} values are below zero "
            f"(the least is {np.nanmin(x):g}). It is for counts; leave it out for this view."
        )
    return np.log1p(x)


def _limits(x: Array, n_sd: float | None) -> tuple[Array, Array]:
    """Find limits ``n_sd`` standard deviations from the mean of each feature.

    An outlier inflates the very standard deviation that it is judged by, so the
    limits are found anew from the clipped values until they settle. Where more
    than a share of about 1 - 1 / n_sd^2 of the entries are equal (a rare
    mutation) they never do: the limits would close in on that value and take
    the feature with them. It gets infinite limits.
    """
    lower, upper = np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf)
    if n_sd is None:
        return lower, upper
    # About the median, so that entries equal to it are exact zeros throughout.
    centre = np.nanmedian(x, axis=0)
    x = x - centre
    open_ = np.arange(x.shape[1])
    beyond = np.ones(x.shape[1], dtype=bool)
    for _ in range(_WINSORISE_ROUNDS):
        part = x[:, open_]
        mean, sd = np.nanmean(part, axis=0), np.nanstd(part, axis=0)
        lower[open_] = np.maximum(lower[open_], mean - n_sd * sd)
        upper[open_] = np.minimum(upper[open_], mean + n_sd * sd)
        furthest = np.nanmax(np.abs(part - mean), axis=0)
        beyond[open_] = furthest > n_sd * sd * (1.0 + _WINSORISE_TOLERANCE)
        open_ = open_[furthest > n_sd * sd]
        if not open_.size:
            break
        x[:, open_] = np.clip(x[:, open_], lower[open_], upper[open_])
    lower[beyond], upper[beyond] = -np.inf, np.inf
    return lower + centre, upper + centre


def _align(view: View, name: str, features: pd.Index) -> tuple[View, list[Finding]]:
    """Put a view's features in the model's order; absent ones become missing entries."""
    findings = []
    position = view.features.get_indexer(features)
    absent = tuple(map(str, features[position < 0]))
    extra = tuple(map(str, view.features.difference(features, sort=False)))
    if len(absent) == len(features):
        raise DataError(
            f"view '{name}' shares no feature with the model: it has {name_some(view.features)}, "
            f"the model {name_some(features)}. If its features are in rows, say features_in_rows "
            "(--features-in-rows)."
        )
    if absent:
        findings.append(
            Finding(
                "warning",
                "features-absent",
                f"{len(absent)} of the model's {len(features)} features are absent and count as "
                f"missing: {name_some(absent)}",
                name,
                absent,
            )
        )
    if extra:
        findings.append(
            Finding(
                "note",
                "features-unknown",
                f"{len(extra)} features are not used by the model: {name_some(extra)}",
                name,
                extra,
            )
        )
    values = view.values[:, position]
    values[:, position < 0] = np.nan
    # Whatever an unmeasured row holds must be neither counted nor refused.
    values[~view.measured] = np.nan
    return View(values, features, view.measured), findings


def _unknown_views(cohort: MultiOmics, known: Mapping[str, object]) -> list[Finding]:
    """Report views that the model does not have."""
    return [
        Finding("warning", "view-unknown", "the model has no such view; it is not used", name)
        for name in cohort.views
        if name not in known
    ]


def _winsorised(
    name: str, n_clipped: int, values: npt.NDArray[np.float32], measured: npt.NDArray[np.bool_]
) -> Finding:
    """Report how many entries were clipped."""
    total = int(measured.sum()) * values.shape[1]
    return Finding(
        "note",
        "winsorised",
        f"{n_clipped} of {total} entries ({n_clipped / total:.2%}) lay beyond the limits of the "
        "training samples and were clipped to them",
        name,
    )
