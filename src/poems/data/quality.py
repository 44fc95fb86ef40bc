"""Findings on a cohort that is about to be fitted: what may hurt the result, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.findings import Finding, count, name_some

_FEWEST_SAMPLES = 8  # fewer cannot be fitted
_FEW_SAMPLES = 30
_FEW_MEASURED = 10
_FEW_FEATURES = 10
_MANY_MISSING = 0.2
_MOST_LEVELS = 10
_FEWEST_CARRIERS = 3
# On a log scale (base 2) values stay far below this: 2^64 counts nothing that is measured.
_LARGEST_LOGGED = 64
_SKEWED = 2.0
_EXTREME_Z = 30.0
_IQR_OF_NORMAL = 1.349
_SCALE_RATIO = 100.0
# More rows than this, and this many times as many as columns, may be features.
_TALL = 1000
_TALL_RATIO = 5


@dataclass(frozen=True)
class _Measured:
    """The measured rows of a view, with per-feature statistics used by several checks."""

    name: str
    samples: pd.Index
    features: pd.Index
    values: npt.NDArray[np.float64]  # (n_measured, n_features)
    transformed: npt.NDArray[np.float64]  # the values on the scale that the fit takes
    present: npt.NDArray[np.bool_]
    constant: npt.NDArray[np.bool_]  # at most one distinct value, but some
    empty: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, name: str, view: View, samples: pd.Index, log1p: bool) -> _Measured:
        values = view.values[view.measured].astype(np.float64)
        present = ~np.isnan(values)
        empty = np.count_nonzero(present, axis=0) == 0
        lowest = np.where(present, values, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(present, values, -np.inf).max(axis=0, initial=-np.inf)
        # The fit itself refuses the logarithm of values below zero.
        transformed = np.log1p(values) if log1p and lowest.min(initial=0) >= 0 else values
        return cls(
            name, samples[view.measured], view.features, values, transformed, present,
            (lowest == highest) & ~empty, empty,
        )  # fmt: skip

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        return ~self.constant & ~self.empty


def quality_findings(cohort: MultiOmics, *, log1p: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return what may hurt a fit of the cohort, or prevents it.

    Errors: fewer than 8 samples, a view without any feature that varies.
    Warnings: fewer than 30 samples, views measured on fewer than 10, features
    that are constant, all missing or differ from their most common value in
    fewer than 3 samples, more than 20 % missing entries, values that look like
    raw counts or are extreme outliers: more than 30 robust standard deviations
    (IQR / 1.349, of the feature or of the view's typical feature if that is
    larger) from the median of their feature, views on very different scales.
    Notes: other missing entries, views of fewer than 10 features, discrete
    values.

    Parameters
    ----------
    cohort
        The cohort, with its values as they were read.
    log1p
        The views whose values the fit will transform with log(1 + x); their
        outliers and scales are judged after it.

    Examples
    --------
    >>> import numpy as np, poems
    >>> values = np.random.default_rng(0).normal(size=(20, 12))
    >>> frame = pd.DataFrame(values).rename(index="s{}".format, columns="g{}".format)
    >>> for finding in quality_findings(poems.read({"rna": frame})):
    ...     print(finding)
    warning: 20 samples are few for learning factors; expect unstable results, and compare ...
    """
    views = [
        _Measured.of(name, view, cohort.samples, log1p=name in log1p)
        for name, view in cohort.views.items()
    ]
    findings = list(_sample_findings(cohort))
    for view in views:
        findings += _size_findings(view, cohort.n_samples)
        findings += _feature_findings(view)
        findings += _rare_findings(view)
        findings += _missing_findings(view)
        findings += _value_findings(view)
    findings += _scale_findings(views)
    return tuple(findings)


def _sample_findings(cohort: MultiOmics) -> Iterator[Finding]:
    n = cohort.n_samples
    if n < _FEWEST_SAMPLES:
        text = (
            f"{count(n, 'sample is', 'samples are')} too few to fit; at least {_FEWEST_SAMPLES} "
            "are needed"
        )
        yield Finding("error", "too-few-samples", text)
    elif n < _FEW_SAMPLES:
        text = (
            f"{n} samples are few for learning factors; expect unstable results, and compare "
            "several seeds"
        )
        yield Finding("warning", "few-samples", text)
    widest = max(view.n_features for view in cohort.views.values())
    if n >= _TALL and n > _TALL_RATIO * widest:
        text = (
            f"there are {n} samples but at most {count(widest, 'feature')} in a view; if features "
            "are in rows, pass features_in_rows=True (--features-in-rows)"
        )
        yield Finding("warning", "looks-swapped", text)
    told = any(finding.code == "samples-without-obs" for finding in cohort.findings)
    if len(cohort.obs.columns) and not told:
        without = tuple(cohort.samples[cohort.obs.isna().all(axis=1)])
        if without:
            text = (
                f"{len(without)} of {n} samples {'has' if len(without) == 1 else 'have'} no "
                f"annotations in obs ({name_some(without)})"
            )
            yield Finding("warning", "samples-without-obs", text, items=without)


def _size_findings(view: _Measured, n_samples: int) -> Iterator[Finding]:
    n_measured, n_features = view.values.shape
    if n_measured < min(_FEW_MEASURED, n_samples):
        text = (
            f"measured on {n_measured} of {count(n_samples, 'sample')}; too few to learn from, "
            "consider leaving the view out"
        )
        yield Finding("warning", "few-measured-samples", text, view=view.name)
    if n_features < _FEW_FEATURES:
        text = (
            f"has only {count(n_features, 'feature')} ({name_some(view.features)}); its say in "
            f"the factors will rest on {'it' if n_features == 1 else 'them'} alone"
        )
        yield Finding("note", "few-features", text, view=view.name)


def _feature_findings(view: _Measured) -> Iterator[Finding]:
    n_features = len(view.features)
    for code, which, reason in (
        ("all-missing-features", view.empty, "no value on any sample"),
        ("constant-features", view.constant, "the same value wherever measured"),
    ):
        names = tuple(view.features[which])
        if names:
            text = (
                f"{len(names)} of {count(n_features, 'feature')} "
                f"{'has' if len(names) == 1 else 'have'} {reason} ({name_some(names)}), which "
                f"tells nothing; {'it is' if len(names) == 1 else 'they are'} left out of the fit"
            )
            yield Finding("warning", code, text, view=view.name, items=names)
    if not view.usable.any():
        text = "no feature varies over the samples, so there is nothing to fit; leave the view out"
        yield Finding("error", "no-usable-features", text, view=view.name)


def _rare_findings(view: _Measured) -> Iterator[Finding]:
    rare = tuple(view.features[_rare(view)])
    if rare:
        remedy = f"Leave out features seen in fewer than {_FEWEST_CARRIERS} samples"
        if len(rare) == view.usable.sum():
            remedy = "Beside them no other feature varies: consider leaving the view out"
        text = (
            f"{len(rare)} of {count(len(view.features), 'feature')} "
            f"{'differs from its' if len(rare) == 1 else 'differ from their'} most common value in "
            f"fewer than {_FEWEST_CARRIERS} samples ({name_some(rare)}), as mutations with a "
            f"single carrier do; {'it teaches' if len(rare) == 1 else 'they teach'} the model "
            f"single patients. {remedy}"
        )
        yield Finding("warning", "rare-features", text, view=view.name, items=rare)


def _rare(view: _Measured) -> npt.NDArray[np.bool_]:
    """Say which features differ from the value of most samples in one or two, (n_features,)."""
    values, present = view.values, view.present
    # Each such sample breaks a run of equal values at most twice: most features need no sorting.
    breaks = (values[1:] != values[:-1]) & present[1:] & present[:-1]
    n_breaks = np.count_nonzero(breaks, axis=0)
    few = np.flatnonzero(view.usable & (n_breaks <= 2 * (_FEWEST_CARRIERS - 1)))
    rare = np.zeros(len(view.features), dtype=np.bool_)
    # A value that more than half of the samples share is their median.
    common = np.nanmedian(values[:, few], axis=0)
    n_common = np.count_nonzero(values[:, few] == common, axis=0)
    n_other = np.count_nonzero(present[:, few], axis=0) - n_common
    rare[few] = (n_other < _FEWEST_CARRIERS) & (n_other < n_common)
    return rare


def _missing_findings(view: _Measured) -> Iterator[Finding]:
    considered = view.present[:, ~view.empty]
    n_missing = considered.size - int(considered.sum())
    if not n_missing:
        return
    share = n_missing / considered.size
    n_features = int((~considered.all(axis=0)).sum())
    text = (
        f"{count(n_missing, 'entry', 'entries')} ({_percent(share)}) "
        f"{'is' if n_missing == 1 else 'are'} missing, in {n_features} of "
        f"{count(considered.shape[1], 'feature')}"
    )
    if share > _MANY_MISSING:
        text += "; consider leaving out the features that are missing most"
        yield Finding("warning", "many-missing-entries", text, view=view.name)
    else:
        pronoun = "it is" if n_missing == 1 else "they are"
        text += f"; {pronoun} skipped, not imputed, when fitting"
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
    elif view.transformed is view.values and _looks_raw(flat):
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
    values = view.transformed[:, columns]
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
    n_extreme = int(extreme.sum())
    scale = "" if view.transformed is view.values else ", after log1p"
    text = (
        f"{count(n_extreme, 'value')} in {count(len(names), 'feature')} "
        f"{'is an extreme outlier' if n_extreme == 1 else 'are extreme outliers'}, more than "
        f"{_EXTREME_Z:g} robust standard deviations from the median of the feature; the furthest "
        f"is {values[row, column]:.4g} in feature {view.features[columns[column]]} of sample "
        f"{view.samples[row]} (median {centre[column]:.4g}{scale}). Check for errors of unit or "
        "measurement, and keep winsorising on"
    )
    yield Finding("warning", "extreme-outliers", text, view=view.name, items=names)


def _scale_findings(views: Sequence[_Measured]) -> Iterator[Finding]:
    scales = {
        view.name: float(np.median(np.nanstd(view.transformed[:, view.usable], axis=0)))
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
        yield Finding("warning", "view-scales", text)


def _percent(share: float) -> str:
    return "under 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
