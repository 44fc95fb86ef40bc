"""Findings on a cohort that is about to be fitted: what may hurt the result, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.findings import Finding, name_some

_FEWEST_SAMPLES = 8  # fewer cannot be fitted
_FEW_SAMPLES = 30
_FEW_MEASURED = 10
_FEW_FEATURES = 10
_MANY_MISSING = 0.2
_MOST_LEVELS = 10
# On a log scale (base 2) values stay far below this: 2^64 counts nothing that is measured.
_LARGEST_LOGGED = 64
_SKEWED = 2.0
_EXTREME_Z = 30.0
_IQR_OF_NORMAL = 1.349
_SCALE_RATIO = 100.0


@dataclass(frozen=True)
class _Measured:
    """The measured rows of a view, with per-feature statistics used by several checks."""

    name: str
    samples: pd.Index
    features: pd.Index
    values: npt.NDArray[np.float64]  # (n_measured, n_features)
    present: npt.NDArray[np.bool_]
    constant: npt.NDArray[np.bool_]  # at most one distinct value, but some
    empty: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, name: str, view: View, samples: pd.Index) -> _Measured:
        values = view.values[view.measured].astype(np.float64)
        present = ~np.isnan(values)
        empty = np.count_nonzero(present, axis=0) == 0
        lowest = np.where(present, values, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(present, values, -np.inf).max(axis=0, initial=-np.inf)
        return cls(
            name, samples[view.measured], view.features, values, present,
            (lowest == highest) & ~empty, empty,
        )  # fmt: skip

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        return ~self.constant & ~self.empty


def quality_findings(cohort: MultiOmics) -> tuple[Finding, ...]:
    """Return what may hurt a fit of the cohort, or prevents it.

    Errors: fewer than 8 samples, a view without any feature that varies.
    Warnings: fewer than 30 samples, views measured on fewer than 10, features
    that are constant or all missing, more than 20 % missing entries, values
    that look like raw counts or are extreme outliers: more than 30 robust
    standard deviations (IQR / 1.349, of the feature or of the view's typical
    feature if that is larger) from the median of their feature.
    Notes: other missing entries, views of fewer than 10 features, discrete
    values, views on very different scales.

    Examples
    --------
    >>> import numpy as np, poems
    >>> values = np.random.default_rng(0).normal(size=(20, 12))
    >>> frame = pd.DataFrame(values).rename(index="s{}".format, columns="g{}".format)
    >>> for finding in quality_findings(poems.read({"rna": frame})):
    ...     print(finding)
    warning: 20 samples are few for learning factors; expect unstable results, and compare ...
    """
    views = [_Measured.of(name, view, cohort.samples) for name, view in cohort.views.items()]
    findings = list(_sample_findings(cohort))
    for view in views:
        findings += _size_findings(view, cohort.n_samples)
        findings += _feature_findings(view)
        findings += _missing_findings(view)
        findings += _value_findings(view)
    findings += _scale_findings(views)
    return tuple(findings)


def _sample_findings(cohort: MultiOmics) -> Iterator[Finding]:
    n = cohort.n_samples
    if n < _FEWEST_SAMPLES:
        text = f"{n} samples are too few to fit; at least {_FEWEST_SAMPLES} are needed"
        yield Finding("error", "too-few-samples", text)
    elif n < _FEW_SAMPLES:
        text = (
            f"{n} samples are few for learning factors; expect unstable results, and compare "
            "several seeds"
        )
        yield Finding("warning", "few-samples", text)
    told = any(finding.code == "samples-without-obs" for finding in cohort.findings)
    if len(cohort.obs.columns) and not told:
        without = tuple(cohort.samples[cohort.obs.isna().all(axis=1)])
        if without:
            text = (
                f"{len(without)} of {n} samples have no annotations in obs ({name_some(without)})"
            )
            yield Finding("warning", "samples-without-obs", text, items=without)


def _size_findings(view: _Measured, n_samples: int) -> Iterator[Finding]:
    n_measured, n_features = view.values.shape
    if n_measured < min(_FEW_MEASURED, n_samples):
        text = (
            f"measured on {n_measured} of {n_samples} samples; too few to learn from, consider "
            "leaving the view out"
        )
        yield Finding("warning", "few-measured-samples", text, view=view.name)
    if n_features < _FEW_FEATURES:
        text = (
            f"has only {n_features} feature{'s' if n_features > 1 else ''} ("
            f"{name_some(view.features)}); its say in the factors will rest on them alone"
        )
        yield Finding("note", "few-features", text, view=view.name)


def _feature_findings(view: _Measured) -> Iterator[Finding]:
    n_features = len(view.features)
    for code, which, reason in (
        ("all-missing-features", view.empty, "no value on any sample"),
        ("constant-features", view.constant, "the same value on all samples"),
    ):
        names = tuple(view.features[which])
        if names:
            text = (
                f"{len(names)} of {n_features} features {'has' if len(names) == 1 else 'have'} "
                f"{reason} ({name_some(names)}), which tells nothing; left out of the fit"
            )
            yield Finding("warning", code, text, view=view.name, items=names)
    if not view.usable.any():
        text = "no feature varies over the samples, so there is nothing to fit; leave the view out"
        yield Finding("error", "no-usable-features", text, view=view.name)


def _missing_findings(view: _Measured) -> Iterator[Finding]:
    considered = view.present[:, ~view.empty]
    n_missing = considered.size - int(considered.sum())
    if not n_missing:
        return
    share = n_missing / considered.size
    n_features = int((~considered.all(axis=0)).sum())
    text = (
        f"{n_missing} entries ({_percent(share)}) are missing, in {n_features} of "
        f"{considered.shape[1]} features"
    )
    if share > _MANY_MISSING:
        text += "; consider leaving out the features that are missing most"
        yield Finding("warning", "many-missing-entries", text, view=view.name)
    else:
        text += "; they are skipped, not imputed, when fitting"
        yield Finding("note", "missing-entries", text, view=view.name)


def _value_findings(view: _Measured) -> Iterator[Finding]:
    """Judge the values themselves; each view gets the one description that fits best."""
    if not view.usable.any():
        return
    flat = view.values[view.present]
    whole = bool((flat == np.round(flat)).all())
    levels = np.unique(flat) if whole else flat
    if whole and len(levels) <= _MOST_LEVELS:
        shown = ", ".join(f"{level:g}" for level in levels)
        text = (
            f"holds only the values {shown}; the model treats them as a continuous scale, so read "
            "its loadings as trends"
        )
        yield Finding("note", "discrete-values", text, view=view.name)
    elif _looks_raw(flat):
        kind = "raw counts" if whole else "values that are not on a log scale"
        text = (
            f"looks like {kind}: none is negative, the largest is {flat.max():.4g}, the median "
            f"{np.median(flat):.4g}; a few large values would dominate the fit. Transform the view "
            "with log1p, or take a normalised table"
        )
        yield Finding("warning", "unlogged-values", text, view=view.name)
    else:
        yield from _outlier_findings(view)


def _looks_raw(flat: npt.NDArray[np.float64]) -> bool:
    if flat.min() < 0 or flat.max() <= _LARGEST_LOGGED:
        return False
    return bool(flat.mean() > _SKEWED * np.median(flat))


def _outlier_findings(view: _Measured) -> Iterator[Finding]:
    columns = np.flatnonzero(view.usable)
    values = view.values[:, columns]
    lower, centre, upper = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    spread = (upper - lower) / _IQR_OF_NORMAL
    if not spread.any():
        return
    # A feature that hardly ever varies (a gene seen in few samples) has a tiny spread of its own,
    # against which every true signal is an outlier: hold it to that of a typical feature.
    spread = np.maximum(spread, np.median(spread[spread > 0]))
    z = np.nan_to_num(np.abs(values - centre) / spread, nan=0.0)
    extreme = z > _EXTREME_Z
    if not extreme.any():
        return
    row, column = divmod(int(z.argmax()), z.shape[1])
    names = tuple(view.features[columns[extreme.any(axis=0)]])
    text = (
        f"{int(extreme.sum())} values in {len(names)} features are extreme outliers, more than "
        f"{_EXTREME_Z:g} robust standard deviations from the median of their feature; the furthest "
        f"is {values[row, column]:.4g} in feature {view.features[columns[column]]} of sample "
        f"{view.samples[row]} (median {centre[column]:.4g}). Check them for errors of unit or "
        "measurement, and keep winsorising on"
    )
    yield Finding("warning", "extreme-outliers", text, view=view.name, items=names)


def _scale_findings(views: Sequence[_Measured]) -> Iterator[Finding]:
    scales = {
        view.name: float(np.median(np.nanstd(view.values[:, view.usable], axis=0)))
        for view in views
        if view.usable.any()
    }
    if len(scales) < 2:
        return
    widest, narrowest = max(scales, key=scales.__getitem__), min(scales, key=scales.__getitem__)
    if scales[widest] > _SCALE_RATIO * scales[narrowest]:
        text = (
            f"views are on very different scales: a typical feature of '{widest}' has a standard "
            f"deviation of {scales[widest]:.3g}, one of '{narrowest}' {scales[narrowest]:.3g}. "
            "Standardising (the default) takes care of it; with scale='none' the first would "
            "drown the second"
        )
        yield Finding("note", "view-scales", text)


def _percent(share: float) -> str:
    return "under 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
