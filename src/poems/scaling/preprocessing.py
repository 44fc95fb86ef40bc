"""Preprocessing of a cohort: learned on the training samples, applied to any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.data.container import MultiOmics, View
from poems.data.disk.view import BackedCohort, BackedView
from poems.data.naming.near_features import near_hint
from poems.errors import DataError, SettingsError
from poems.findings import Finding, count, name_some
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.learning import fit_backed_scaling
from poems.scaling.disk.own import fit_backed_own_scaling, n_at_ends
from poems.scaling.disk.scaled import ScaledView
from poems.scaling.disk.survey import surveyed
from poems.scaling.own_scale import Kind
from poems.scaling.own_scaling import fit_own_scaling, own_findings
from poems.scaling.screening import Screening
from poems.scaling.view_scaling import ViewScaling, fit_scaling
from poems.settings.groups import PreprocessingSettings
from poems.wording import whole

# Of one's own cohort, a few entries in a thousand lie beyond the limits.
_MANY_CLIPPED = 0.05
# How features that have other names are matched.
_HOW = "to do so, call transform with match_features='{0}' (--match-features {0})"


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The fitted preprocessing of a cohort: view name to :class:`ViewScaling`.

    Fit with :func:`fit_preprocessing`, use with :meth:`apply`.
    """

    views: Mapping[str, ViewScaling]

    @property
    def n_levels(self) -> dict[str, int]:
        """Number of levels that the values of views of ordered levels take."""
        return {
            name: len(scaling.own.levels)
            for name, scaling in self.views.items()
            if scaling.own is not None and scaling.own.kind == "levels"
        }

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
        findings = self._unknown_views(cohort)
        values: dict[str, torch.Tensor] = {}
        observed: dict[str, torch.Tensor | None] = {}
        targets: dict[str, torch.Tensor] = {}
        log_sizes: dict[str, torch.Tensor] = {}
        measured = []
        for name, scaling in self.views.items():
            if name not in cohort.views:
                shape = (cohort.n_samples, len(scaling.features))
                values[name] = torch.zeros(shape)
                observed[name] = None
                if scaling.own is not None:
                    targets[name] = torch.zeros(shape)
                    log_sizes[name] = torch.zeros(cohort.n_samples)
                measured.append(np.zeros(cohort.n_samples, dtype=bool))
                findings.append(_absent(name))
                continue
            aligned, some = _align(cohort.views[name], name, scaling.features)
            findings += some
            if scaling.own is None:
                scaled, n_clipped = scaling.apply(aligned.values, name)
            else:
                given = scaling.apply_own(aligned.values, name, cohort.obs)
                scaled, n_clipped = given.scaled, given.n_clipped
                # Entries that are missing hold a 0, which no likelihood reads.
                own = np.where(np.isnan(scaled), np.float32(0), given.targets)
                targets[name] = torch.from_numpy(own)
                log_sizes[name] = torch.from_numpy(given.log_sizes.astype(np.float32))
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
        _require_any(mask, cohort.samples)
        batch = Batch(values, observed, torch.from_numpy(mask), targets, log_sizes)
        return batch, tuple(findings)

    def apply_backed(self, cohort: BackedCohort) -> tuple[BackedBatches, tuple[Finding, ...]]:
        """Bring a cohort on disk to the model's scale, batch by batch when they are asked for.

        As :meth:`apply`; the values are passed over once, for what there is to
        report and for the entries that are missing.

        Raises
        ------
        DataError
            As :meth:`apply`.
        """
        findings = self._unknown_views(cohort)
        known = cohort.backed_views()
        views: dict[str, ScaledView | None] = {}
        gaps: dict[str, npt.NDArray[np.int64]] = {}
        measured = []
        for name, scaling in self.views.items():
            if name not in known:
                views[name], gaps[name] = None, np.zeros(len(scaling.features), dtype=np.int64)
                measured.append(np.zeros(cohort.n_samples, dtype=bool))
                findings.append(_absent(name))
                continue
            view = known[name]
            column, some = _columns(view.features, name, scaling.features)
            findings += some
            scaled, noticed = surveyed(ScaledView(name, view, scaling, column), cohort.obs)
            if noticed.n_clipped:
                findings.append(_winsorised(name, noticed.n_clipped, noticed.n_entries))
            findings += _unusable_rows(name, cohort.samples[view.measured & ~noticed.usable])
            views[name], gaps[name] = scaled, noticed.gaps
            measured.append(noticed.usable)
        mask = np.column_stack(measured)
        _require_any(mask, cohort.samples)
        batches = BackedBatches(
            views=views,
            n_features={name: len(scaling.features) for name, scaling in self.views.items()},
            measured=torch.from_numpy(mask),
            rows=np.arange(cohort.n_samples, dtype=np.int64),
            gaps=gaps,
            own=frozenset(name for name, each in self.views.items() if each.own is not None),
        )
        return batches, tuple(findings)

    def _unknown_views(self, cohort: MultiOmics) -> list[Finding]:
        """Report views that the model does not have; refuse if it has none of them."""
        if not any(name in cohort.views for name in self.views):
            raise DataError(
                f"none of the model's views ({name_some(self.views, 20)}) is among the cohort's "
                f"({name_some(cohort.views, 20)}). Give the views the names used in training."
            )
        return [
            Finding("warning", "view-unknown", "the model has no such view; it is not used", name)
            for name in cohort.views
            if name not in self.views
        ]


def fit_preprocessing(
    cohort: MultiOmics,
    settings: PreprocessingSettings,
    kinds: Mapping[str, Kind] | None = None,
    screening: Screening | None = None,
) -> tuple[Preprocessing, tuple[Finding, ...]]:
    """Learn the preprocessing of each view from a cohort.

    Features that are constant or missing throughout, and those not selected by
    ``most_variable``, are left out; findings list them. Without ``most_variable``,
    ``screening`` sets the least variable features aside where samples are few.

    Parameters
    ----------
    cohort
        The training samples.
    settings
        What is to be done.
    kinds
        What the likelihood of each view is for (:attr:`poems.nn.likelihoods.Likelihood.kind`);
        continuous values by default.
    screening
        By which rule features are set aside where samples are few; none by default.

    Raises
    ------
    DataError
        If a view has no usable feature, log1p meets values below zero, or a likelihood cannot take
        one of its values.
    SettingsError
        If ``log1p`` names a view that does not exist, or one that is taken as it was measured, or
        ``size_factors`` one that is not there or not of counts.
    """
    kinds = {} if kinds is None else kinds
    _require_known(settings, cohort, kinds)
    views, findings = {}, []
    for name, view in cohort.views.items():
        kind = kinds.get(name, "continuous")
        if isinstance(view, BackedView):
            if kind == "continuous":
                views[name], some = fit_backed_scaling(name, view, settings, screening)
            else:
                views[name], some = fit_backed_own_scaling(name, view, cohort.obs, kind, settings)
        elif kind == "continuous":
            views[name], some = fit_scaling(name, view, settings, screening)
        else:
            views[name], some = fit_own_scaling(name, view, cohort.obs, kind, settings)
        findings += [*some, *own_findings(name, partial(_n_at_ends, view), views[name])]
    return Preprocessing(views), tuple(findings)


def _require_known(
    settings: PreprocessingSettings, cohort: MultiOmics, kinds: Mapping[str, Kind]
) -> None:
    """Refuse settings of views that are not there, or for which they mean nothing."""
    sized = [] if isinstance(settings.size_factors, str) else list(settings.size_factors)
    for setting, names in (("log1p", settings.log1p), ("size_factors", sized)):
        if unknown := [name for name in names if name not in cohort.views]:
            raise SettingsError(
                f"{setting} names the view {name_some(unknown)}; there are "
                f"{name_some(cohort.views, 20)}"
            )
    for name in settings.log1p:
        if kinds.get(name, "continuous") not in ("continuous", "heavy"):
            raise SettingsError(
                f"log1p names the view {name}, whose likelihood is given values as they were "
                "measured; leave it out of log1p (--log1p), or choose gaussian for the view"
            )
    for name in sized:
        if settings.sizes_of(name) != "none" and kinds.get(name, "continuous") != "counts":
            raise SettingsError(
                f"size_factors names the view {name}, whose likelihood is not one of counts and "
                "knows no sizes; leave it out of size_factors (--size-factors), or choose a "
                f"likelihood of counts (--likelihood {name}=negative_binomial)"
            )


def _n_at_ends(view: View) -> int:
    """Count the fractions of a view that are 0 or 1."""
    if isinstance(view, BackedView):
        return n_at_ends(view)
    return int(np.count_nonzero((view.values <= 0) | (view.values >= 1)))


def prepare(
    preprocessing: Preprocessing, cohort: MultiOmics
) -> tuple[Batch | BackedBatches, tuple[Finding, ...]]:
    """Bring a cohort to the model's scale, wherever its values are."""
    if isinstance(cohort, BackedCohort):
        return preprocessing.apply_backed(cohort)
    return preprocessing.apply(cohort)


def _align(view: View, name: str, features: pd.Index) -> tuple[View, list[Finding]]:
    """Put a view's features in the model's order; absent ones become missing entries."""
    position, findings = _columns(view.features, name, features)
    values = view.values[:, position]
    values[:, position < 0] = np.nan
    # Whatever an unmeasured row holds must be neither counted nor refused.
    values[~view.measured] = np.nan
    return View(values, features, view.measured), findings


def _columns(
    given: pd.Index, name: str, features: pd.Index
) -> tuple[npt.NDArray[np.intp], list[Finding]]:
    """Find the column of each of the model's features, -1 if absent, and report differences."""
    findings = []
    position = given.get_indexer(features)
    absent = tuple(map(str, features[position < 0]))
    extra = tuple(map(str, given.difference(features, sort=False)))
    if len(absent) == len(features):
        raise DataError(_none_shared(given, name, features))
    if absent:
        hint = near_hint(given, features, _HOW)
        findings.append(
            Finding(
                "warning",
                "features-absent",
                f"{len(absent)} of the model's {len(features)} features are absent and count as "
                f"missing: {name_some(absent)}{hint}",
                name,
                absent,
            )
        )
    if extra:
        findings.append(
            Finding(
                "note",
                "features-unknown",
                f"{count(len(extra), 'feature is', 'features are')} not used by the model: "
                f"{name_some(extra)}",
                name,
                extra,
            )
        )
    return position, findings


def _none_shared(given: pd.Index, name: str, features: pd.Index) -> str:
    """Say why a view and the model have no feature in common."""
    text = (
        f"view '{name}' shares no feature with the model: it has {name_some(given)}, the model "
        f"{name_some(features)}"
    )
    hint = near_hint(given, features, _HOW)
    if hint:
        return text + hint
    return text + (
        ". If its features are in rows, say features_in_rows (--features-in-rows); if they have "
        "other names, give a table of names as rename_features (--rename-features)"
    )


def _unusable_rows(name: str, samples: pd.Index) -> list[Finding]:
    """Report samples whose only values in a view are of features that the model does not use."""
    names = tuple(map(str, samples))
    text = (
        f"{count(len(names), 'sample has', 'samples have')} values only in features that the model "
        f"does not use, so the view counts as unmeasured there: {name_some(names)}"
    )
    return [Finding("warning", "rows-unusable", text, name, names)] if names else []


def _absent(name: str) -> Finding:
    return Finding("note", "view-absent", "not given, so unmeasured", name)


def _require_any(measured: npt.NDArray[np.bool_], samples: pd.Index) -> None:
    """Refuse samples without any view that the model can use."""
    bare = np.flatnonzero(~measured.any(axis=1))
    if len(bare):
        raise DataError(
            f"{len(bare)} samples have no measured feature that the model knows: "
            f"{name_some(samples[bare])}. Remove them or add a view."
        )


def _winsorised(name: str, n_clipped: int, n_measured: int) -> Finding:
    """Report how many of the measured entries were clipped."""
    share = n_clipped / n_measured
    few = "less than 0.01%" if share < 1e-4 else f"{share:.2%}"
    text = (
        f"{whole(n_clipped)} of {whole(n_measured)} entries ({few}) lay beyond the limits of "
        "the training samples and were clipped to them"
    )
    if share > _MANY_CLIPPED:
        text += "; that many suggest another unit, scale or platform: check that they match"
        return Finding("warning", "winsorised", text, name)
    return Finding("note", "winsorised", text, name)
