"""Preprocessing of a cohort: learned on the training samples, applied to any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from poems.config import PreprocessingSettings
from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.findings import Finding, name_some
from poems.nn.batch import Batch
from poems.scaling import ViewScaling, fit_scaling

# Of one's own cohort, a few entries in a thousand lie beyond the limits.
_MANY_CLIPPED = 0.05


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
                n_entries = int(np.count_nonzero(~np.isnan(scaled[aligned.measured])))
                findings.append(_winsorised(name, n_clipped, n_entries))
            there = ~np.isnan(scaled)
            rows = aligned.measured & there.any(axis=1)
            findings += _unusable_rows(name, cohort.samples[aligned.measured & ~rows])
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
        views[name], some = fit_scaling(name, view, settings)
        findings += some
    return Preprocessing(views), tuple(findings)


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


def _unusable_rows(name: str, samples: pd.Index) -> list[Finding]:
    """Report samples whose only values in a view are of features that the model does not use."""
    names = tuple(map(str, samples))
    text = (
        f"{len(names)} samples have values only in features that the model does not use, so the "
        f"view counts as unmeasured on them: {name_some(names)}"
    )
    return [Finding("warning", "rows-unusable", text, name, names)] if names else []


def _unknown_views(cohort: MultiOmics, known: Mapping[str, object]) -> list[Finding]:
    """Report views that the model does not have."""
    return [
        Finding("warning", "view-unknown", "the model has no such view; it is not used", name)
        for name in cohort.views
        if name not in known
    ]


def _winsorised(name: str, n_clipped: int, n_measured: int) -> Finding:
    """Report how many of the measured entries were clipped."""
    share = n_clipped / n_measured
    text = (
        f"{n_clipped} of {n_measured} entries ({share:.2%}) lay beyond the limits of the training "
        "samples and were clipped to them"
    )
    if share > _MANY_CLIPPED:
        text += "; that many suggest another unit, scale or platform: check that they match"
        return Finding("warning", "winsorised", text, name)
    return Finding("note", "winsorised", text, name)
