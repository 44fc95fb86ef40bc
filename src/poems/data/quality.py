"""Findings on a cohort that is about to be fitted: what may hurt the result, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from poems.data.container import MultiOmics
from poems.data.disk.facts import backed_facts
from poems.data.disk.view import BackedCohort, BackedView
from poems.data.facts import EXTREME_Z, FEWEST_CARRIERS, Outliers, ViewFacts, view_facts
from poems.findings import Finding, count, name_some
from poems.wording import general

_FEWEST_SAMPLES = 8  # fewer cannot be fitted
_FEW_SAMPLES = 30
_FEW_MEASURED = 10
_FEW_FEATURES = 10
_MANY_MISSING = 0.2
_SCALE_RATIO = 100.0
# Totals of samples that differ by more than this are seen in the factors.
_DEPTH_RATIO = 3.0
# Fewer samples than the one are few for more features than the other, and so many are advised.
_FEW_FOR_MANY = 40
_MANY_FEATURES = 2000
_ADVISED = 1000
# The code of the finding that samples differ in depth.
DEPTH_DIFFERS: Final = "depth-differs"
# More rows than this, and this many times as many as columns, may be features.
_TALL = 1000
_TALL_RATIO = 5


def quality_findings(
    cohort: MultiOmics, *, log1p: Collection[str] = (), own_scale: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return what may hurt a fit of the cohort, or prevents it.

    Errors: fewer than 8 samples, a view without any feature that varies.
    Warnings: fewer than 30 samples, views measured on fewer than 10, features
    that are constant, all missing or differ from their most common value in
    fewer than 3 samples, more than 20 % missing entries, values that look like
    raw counts or are extreme outliers: more than 30 robust standard deviations
    (IQR / 1.349, of the feature or of the view's typical feature if that is
    larger) from the median of their feature, views on very different scales.
    Notes: other missing entries, views of fewer than 10 features, views of more than
    2,000 on fewer than 40 samples, discrete values.

    Parameters
    ----------
    cohort
        The cohort, with its values as they were read.
    log1p
        The views whose values the fit will transform with log(1 + x); their
        outliers and scales are judged after it.
    own_scale
        The views whose likelihood takes values as they were measured: whether
        these are on a log scale, discrete or far apart is nothing to warn of.

    Examples
    --------
    >>> import numpy as np, pandas as pd, poems
    >>> values = np.random.default_rng(0).normal(size=(20, 12))
    >>> frame = pd.DataFrame(values).rename(index="s{}".format, columns="g{}".format)
    >>> for finding in quality_findings(poems.read({"rna": frame})):
    ...     print(finding)
    warning: 20 samples are few for learning factors; expect unstable results, and compare ...
    """
    views = [
        backed_facts(name, view, cohort.samples, name in log1p)
        if isinstance(view, BackedView)
        else view_facts(name, view, cohort.samples, name in log1p)
        for name, view in cohort.views.items()
    ]
    findings = list(_sample_findings(cohort))
    for view in views:
        findings += _size_findings(view, cohort.n_samples)
        findings += _feature_findings(view)
        findings += _rare_findings(view)
        findings += _silent_findings(view)
        findings += _missing_findings(view)
        if view.name not in own_scale:
            findings += _value_findings(view)
            findings += _depth_findings(view)
    findings += _scale_findings([view for view in views if view.name not in own_scale])
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
    # In the formats that stay on disk samples are in rows by design.
    tall = n >= _TALL and n > _TALL_RATIO * widest
    if tall and not isinstance(cohort, BackedCohort):
        text = (
            f"there are {n} samples but at most {count(widest, 'feature')} in a view; if features "
            "are in rows, pass features_in_rows=True (--features-in-rows)"
        )
        yield Finding("warning", "looks-swapped", text)
    reported = any(finding.code == "samples-without-obs" for finding in cohort.findings)
    if len(cohort.obs.columns) and not reported:
        without = tuple(cohort.samples[cohort.obs.isna().all(axis=1)])
        if without:
            text = (
                f"{len(without)} of {n} samples {'has' if len(without) == 1 else 'have'} no "
                f"annotations in obs ({name_some(without)})"
            )
            yield Finding("warning", "samples-without-obs", text, items=without)


def _size_findings(view: ViewFacts, n_samples: int) -> Iterator[Finding]:
    n_measured, n_features = view.n_measured, len(view.features)
    if n_measured < min(_FEW_MEASURED, n_samples):
        text = (
            f"measured on {n_measured} of {count(n_samples, 'sample')}; too few to learn from, "
            "consider leaving the view out"
        )
        yield Finding("warning", "few-measured-samples", text, view=view.name)
    if n_measured < _FEW_FOR_MANY and n_features > _MANY_FEATURES:
        text = (
            f"{n_features} features on {count(n_measured, 'sample')}: chance alone reaches so far "
            "among so many that few loadings can be told from it. A fit sets the least variable "
            "features aside by itself where this is worst (screening); if it explains little, "
            f"keep fewer (most_variable={_ADVISED}, --most-variable {_ADVISED}). Give values that "
            "were not scaled to unit variance, or which vary most cannot be told"
        )
        yield Finding("note", "few-samples-for-features", text, view=view.name)
    if n_features < _FEW_FEATURES:
        text = (
            f"has only {count(n_features, 'feature')} ({name_some(view.features)}); its say in "
            f"the factors will rest on {'it' if n_features == 1 else 'them'} alone"
        )
        yield Finding("note", "few-features", text, view=view.name)


def _feature_findings(view: ViewFacts) -> Iterator[Finding]:
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


def _rare_findings(view: ViewFacts) -> Iterator[Finding]:
    rare = tuple(view.features[view.rare])
    if rare:
        remedy = f"Leave out features seen in fewer than {FEWEST_CARRIERS} samples"
        if len(rare) == view.usable.sum():
            remedy = "Beside them no other feature varies: consider leaving the view out"
        text = (
            f"{len(rare)} of {count(len(view.features), 'feature')} "
            f"{'differs from its' if len(rare) == 1 else 'differ from their'} most common value in "
            f"fewer than {FEWEST_CARRIERS} samples ({name_some(rare)}), {_what_is_rare(view)}; "
            f"{'it teaches' if len(rare) == 1 else 'they teach'} the model "
            f"single samples. {remedy}"
        )
        yield Finding("warning", "rare-features", text, view=view.name, items=rare)


def _what_is_rare(view: ViewFacts) -> str:
    """Say what features are that hardly any sample has, by what values the view holds."""
    if view.levels is not None and set(view.levels) <= {0, 1}:
        return "as mutations with a single carrier do"
    if view.levels is not None and view.whole:
        return "as events do that one or two samples have"
    if view.whole:
        return "as genes, transcripts or genera do that are counted in hardly any sample"
    return "as features do that were detected in hardly any sample"


def _silent_findings(view: ViewFacts) -> Iterator[Finding]:
    if not view.silent:
        return
    n = len(view.silent)
    text = f"{count(n, 'sample is', 'samples are')} without any value but 0: "
    if view.levels is not None and set(view.levels) <= {0, 1}:
        text = (
            f"{count(n, 'sample has', 'samples have')} 0 throughout, without a single mutation or "
            "what else a 1 stands for: "
        )
    text += (
        f"{name_some(view.silent)}. {'This is' if n == 1 else 'These are'} taken as measured; "
        "where nothing was measured, leave the cells empty or the "
        f"{'row' if n == 1 else 'rows'} out"
    )
    yield Finding("note", "samples-all-zero", text, view=view.name, items=view.silent)


def _depth_findings(view: ViewFacts) -> Iterator[Finding]:
    if view.depth is None:
        return
    low, high = view.depth
    if high < _DEPTH_RATIO * max(low, 1.0):
        return
    text = (
        f"samples differ much in depth: their totals are some {general(low)} to {general(high)}, "
        "by what a typical feature has (5% lie below, 5% above). A factor would stand for it, and "
        "log1p does not take it away: divide each sample by its total before log1p"
    )
    if view.whole:
        text += (
            ", or choose a likelihood for counts, which does so (--likelihood "
            f"{view.name}=negative_binomial)"
        )
    yield Finding("warning", DEPTH_DIFFERS, text, view=view.name)


def _missing_findings(view: ViewFacts) -> Iterator[Finding]:
    n_missing = view.n_missing
    if not n_missing:
        return
    share = n_missing / view.n_entries
    text = (
        f"{count(n_missing, 'entry', 'entries')} ({_percent(share)}) "
        f"{'is' if n_missing == 1 else 'are'} missing, in {view.n_incomplete} of "
        f"{count(int((~view.empty).sum()), 'feature')}"
    )
    if share > _MANY_MISSING:
        text += "; consider leaving out the features that are missing most"
        yield Finding("warning", "many-missing-entries", text, view=view.name)
    else:
        pronoun = "it is" if n_missing == 1 else "they are"
        text += f"; {pronoun} skipped, not imputed, when fitting"
        yield Finding("note", "missing-entries", text, view=view.name)


def _value_findings(view: ViewFacts) -> Iterator[Finding]:
    """Judge the values themselves; each view gets the one description that fits best."""
    if view.levels is not None:
        shown = ", ".join(f"{level:g}" for level in view.levels)
        text = (
            f"holds only the values {shown}; the model treats them as a continuous scale, so read "
            "its loadings as trends"
        )
        yield Finding("note", "discrete-values", text, view=view.name)
    elif view.raw is not None:
        raw = view.raw
        kind = "raw counts" if raw.whole else "values that are not on a log scale"
        about = "about " if raw.about else ""
        text = (
            f"looks like {kind}: none is negative, the largest is {general(raw.largest)}, the "
            f"median {about}{general(raw.median)}; a few large values would dominate the fit. "
            "Transform the view with log1p, or take a normalised table"
        )
        yield Finding("warning", "unlogged-values", text, view=view.name)
    elif view.outliers is not None:
        yield _outlier_finding(view, view.outliers)


def _outlier_finding(view: ViewFacts, found: Outliers) -> Finding:
    scale = ", after log1p" if view.transformed else ""
    text = (
        f"{count(found.n, 'value')} in {count(len(found.features), 'feature')} "
        f"{'is an extreme outlier' if found.n == 1 else 'are extreme outliers'}, more than "
        f"{EXTREME_Z:g} robust standard deviations from the median of the feature; the furthest "
        f"is {general(found.value)} in feature {found.feature} of sample {found.sample} (median "
        f"{general(found.median)}{scale}). Check for errors of unit or measurement, and keep "
        "winsorising on"
    )
    return Finding("warning", "extreme-outliers", text, view=view.name, items=found.features)


def _scale_findings(views: Sequence[ViewFacts]) -> Iterator[Finding]:
    scales = {view.name: view.scale for view in views if view.scale is not None}
    if len(scales) < 2:
        return
    widest, narrowest = max(scales, key=scales.__getitem__), min(scales, key=scales.__getitem__)
    if scales[widest] > _SCALE_RATIO * scales[narrowest]:
        text = (
            f"views are on very different scales: a typical feature of '{widest}' has a standard "
            f"deviation of {general(scales[widest])}, one of '{narrowest}' "
            f"{general(scales[narrowest])}. "
            "Standardising (the default) takes care of it; with scale='none' the first would "
            "drown the second"
        )
        yield Finding("warning", "view-scales", text)


def _percent(share: float) -> str:
    return "under 0.1%" if share < 0.001 else f"{share:.1%}"
