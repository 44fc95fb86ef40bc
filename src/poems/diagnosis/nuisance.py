"""Factors that go with how samples were measured: depth, the mean of a sample, batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.agreement import ari
from poems.data.container import MultiOmics, View
from poems.data.disk.view import BackedView
from poems.findings import Finding, name_some

# Correlations beyond which a factor is told to be the depth, or the mean of a sample.
LEAST_DEPTH, LEAST_MEAN = 0.8, 0.9
# Share of a factor's variance, or of the agreement of two groupings, beyond which batches are told.
LEAST_BATCH: Final = 0.5
# Standard deviations below which samples are alike: of logarithms, a share, standardised values.
_LEAST_SPREAD: Final = {"depth": 0.15, "detected": 0.05, "mean": 0.4}
_FEWEST_SAMPLES: Final = 20
_FEWEST_FEATURES: Final = 10
_MOST_SAMPLES: Final = 5000
# Entries of a view that are looked at, at most: what is computed of them takes some 40 bytes each.
_MOST_ENTRIES: Final = 24_000_000
_MOST_LEVELS: Final = 10
_MOST_BATCHES: Final = 50
# Of batches, to know what is chance.
_SHUFFLES: Final = 20
# What columns of batches are called, in whole words.
_BATCH: Final = frozenset(
    ("batch", "batches", "plate", "lane", "flowcell", "chip", "slide", "sentrix", "array", "center",
     "centre", "site", "hospital", "lab", "laboratory", "institute", "institution", "scanner",
     "machine", "instrument", "operator", "technician", "protocol", "kit", "platform", "library",
     "run", "seqrun", "sequencer", "tss", "cohort", "study", "dataset", "processing", "prep",
     "extraction", "tmt", "plex", "pool", "wave")
)  # fmt: skip
# Words that make a column of such a name one of the patients: site of the tumour, study arm.
_CLINICAL: Final = frozenset(
    ("primary", "tumor", "tumour", "biopsy", "anatomic", "anatomical", "metastasis", "metastatic",
     "metastases", "disease", "body", "organ", "arm", "lesion", "size", "status", "treatment")
)  # fmt: skip

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SampleMeasure:
    """A number that says how a sample was measured in one view.

    Parameters
    ----------
    kind
        ``"depth"``: how much of it was counted (:func:`size_factors`); ``"detected"``: how many
        features are not zero; ``"mean"``: the mean of its features, each standardised.
    values
        By sample of the cohort, of shape (n_samples,); ``NaN`` where the view was not measured.
    binary
        Whether the view holds nothing but 0 and 1, which no depth can be divided out of.
    """

    kind: Literal["depth", "detected", "mean"]
    values: Floats
    binary: bool = False


def nuisance_findings(
    latent: pd.DataFrame,
    cohort: MultiOmics,
    *,
    sized: frozenset[str] = frozenset(),
    warned: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Warn of factors that are the depth or mean of samples, or the batches that obs names.

    Parameters
    ----------
    latent
        Of shape (n_samples, n_factors), by the samples of the cohort.
    cohort
        What was fitted.
    sized
        Views whose likelihood takes totals into account.
    warned
        Views of whose depth, and of what to do about it, was warned before the fit.

    Examples
    --------
    >>> import poems
    >>> rng = np.random.default_rng(0)
    >>> depth = np.exp(rng.normal(size=40))
    >>> counts = pd.DataFrame(rng.poisson(np.outer(depth, np.full(30, 50.0))))
    >>> cohort = poems.read({"rna": counts.rename(index="s{}".format, columns="g{}".format)})
    >>> latent = pd.DataFrame({"factor_1": np.log(depth)}, index=cohort.samples)
    >>> print(*nuisance_findings(latent, cohort))
    warning: rna: factor_1 is the depth of the samples: it goes with how much of them was ...
    """
    if not latent.shape[1] or len(latent) < _FEWEST_SAMPLES:
        return []
    findings = []
    for name, view in cohort.views.items():
        found = _closest(latent, sample_measures(view))
        if found is not None:
            remedy = _depth_remedy(name, sized=name in sized, warned=name in warned)
            findings.append(_measure_finding(name, *found, remedy))
    return [*findings, *batch_findings(latent, cohort.obs)]


def sample_measures(view: View) -> list[SampleMeasure]:
    """Return what is known of how the samples of a view were measured."""
    rows = np.flatnonzero(view.measured)
    if view.n_features < _FEWEST_FEATURES or len(rows) < _FEWEST_SAMPLES:
        return []
    if isinstance(view, BackedView):
        rows = rows[:: -(-len(rows) // _MOST_SAMPLES)]
    x = _some_features(view, rows)
    there = ~np.isnan(x)
    found = []
    known = np.where(there, x, 0.0)
    counted = bool((known >= 0).all() and (known == np.round(known)).all())
    if counted and known.max(initial=0) > _MOST_LEVELS:
        x = np.log1p(x)
        found.append(SampleMeasure("depth", _placed(size_factors(x), rows, view)))
    zeros = float((known[there] == 0).mean()) if there.any() else 0.0
    if counted and 0.05 < zeros < 0.95:
        detected = _placed((known > 0).mean(axis=1), rows, view)
        found.append(SampleMeasure("detected", detected, binary=bool(known.max() == 1)))
    found.append(SampleMeasure("mean", _placed(_mean_of_standardised(x, there), rows, view)))
    return found


def _some_features(view: View, rows: npt.NDArray[np.intp]) -> Floats:
    """Return a view's values of these samples, of wide views those of every so many features.

    What is asked is typical of a sample's features, for which some thousands do as well.
    """
    every = -(-view.n_features * len(rows) // _MOST_ENTRIES)
    if not isinstance(view, BackedView):
        return view.values[rows, ::every].astype(np.float64)
    parts = np.array_split(rows, every)
    return np.concatenate([view.rows(part)[:, ::every] for part in parts]).astype(np.float64)


def size_factors(logged: Floats) -> Floats:
    """Return how far counts of a sample lie above others', in a typical feature: (n_samples,).

    The median over features of log(1 + x), less its mean over the samples. Totals would be
    those of a few genes, which a factor may move.
    """
    # A feature without a value has a sum of 0, divided by anything.
    n = np.maximum((~np.isnan(logged)).sum(axis=0), 1)
    shift = logged - np.nansum(logged, axis=0) / n
    # Features that nearly no sample has say nothing of depth.
    counted = np.nansum(logged > 0, axis=0) > logged.shape[0] / 2
    shift = shift[:, counted]
    factors = np.zeros(len(shift))
    some = ~np.isnan(shift).all(axis=1)
    if shift.shape[1]:
        factors[some] = np.nanmedian(shift[some], axis=1)
    return factors


def batch_findings(latent: pd.DataFrame, obs: pd.DataFrame) -> list[Finding]:
    """Warn of factors most of whose variance lies between the batches that a column names."""
    findings = []
    for name, groups in _batch_columns(obs.reindex(latent.index)):
        shares = {factor: between_groups(latent[factor], groups) for factor in latent.columns}
        alike = {factor: share for factor, share in shares.items() if share >= LEAST_BATCH}
        if not alike:
            continue
        first = max(alike, key=alike.__getitem__)
        others = len(alike) - 1
        text = (
            f"{first} goes with '{name}', which seems to name batches: {alike[first]:.0%} of its "
            f"variance lies between them"
            + (
                f" (and most of that of {name_some(x for x in alike if x != first)})"
                if others
                else ""
            )
            + f". {_BATCH_REMEDY}"
        )
        findings.append(Finding("warning", "batch-in-factor", text, items=(name, *alike)))
    return findings


def batch_subtypes(subtypes: pd.Series, obs: pd.DataFrame) -> list[Finding]:
    """Warn of subtypes that are the batches that a column of obs names.

    Parameters
    ----------
    subtypes
        By sample.
    obs
        One row a sample.

    Examples
    --------
    >>> names = [f"s{n}" for n in range(40)]
    >>> obs = pd.DataFrame({"batch": ["a", "b"] * 20}, index=names)
    >>> print(*batch_subtypes(pd.Series(["S1", "S2"] * 20, index=names), obs))
    warning: the subtypes are the batches that column 'batch' names (adjusted Rand index 1.00). ...
    """
    findings: list[Finding] = []
    if subtypes.nunique() < 2:
        return findings
    for name, groups in _batch_columns(obs.reindex(subtypes.index)):
        known = groups.notna()
        if known.sum() < _FEWEST_SAMPLES:
            continue
        batches, own = groups[known].astype(str), subtypes[known].astype(str)
        score = ari(batches, own)
        within = share_within(own, batches)
        if score >= LEAST_BATCH:
            text = (
                f"the subtypes are the batches that column '{name}' names (adjusted Rand index "
                f"{score:.2f}). {_BATCH_REMEDY}"
            )
        elif within >= LEAST_BATCH:
            commonest = pd.crosstab(own, batches).max(axis=1).sum() / len(own)
            text = (
                f"the subtypes are parts of the batches that column '{name}' names: "
                f"{commonest:.0%} of the samples are of the batch that is commonest in their "
                f"subtype. {_BATCH_REMEDY}"
            )
        else:
            continue
        findings.append(Finding("warning", "subtypes-follow-batch", text, items=(name,)))
    return findings


def share_within(subtypes: pd.Series, batches: pd.Series) -> float:
    """Return how far subtypes lie within batches: 0 as by chance, 1 each in a single one.

    (s − e) / (1 − e), of the share s of samples that are of the batch that is commonest in their
    subtype, and its mean e where batches are shuffled.

    Examples
    --------
    >>> subtypes = pd.Series(["S1", "S2", "S3", "S4"] * 10)
    >>> share_within(subtypes, subtypes.map({"S1": "a", "S2": "a", "S3": "b", "S4": "b"}))
    1.0
    >>> share_within(subtypes, pd.Series(["a", "b"]).repeat(20)) < 0.1
    True
    """
    rng = np.random.default_rng(0)
    one, other = (pd.factorize(each)[0] for each in (subtypes, batches))

    def commonest(batch: npt.NDArray[np.intp]) -> float:
        n, k = one.max() + 1, other.max() + 1
        counts = np.bincount(one * k + batch, minlength=n * k).reshape(n, k)
        return float(counts.max(axis=1).sum() / len(one))

    by_chance = float(np.mean([commonest(rng.permutation(other)) for _ in range(_SHUFFLES)]))
    return 0.0 if by_chance == 1 else (commonest(other) - by_chance) / (1 - by_chance)


def between_groups(values: pd.Series, groups: pd.Series) -> float:
    """Return the share of the variance that lies between groups, adjusted for their number.

    1 − (1 − R²)(n − 1) / (n − k) of k groups over n samples; 0 where there is nothing to tell.
    """
    known = (groups.notna() & values.notna()).to_numpy()
    x, g = values[known].to_numpy(np.float64), groups[known].astype(str)
    n, k = len(x), g.nunique()
    total = float(np.square(x - x.mean()).sum()) if n else 0.0
    if n < _FEWEST_SAMPLES or k < 2 or n <= 2 * k or total == 0:
        return 0.0
    within = float(np.square(x - pd.Series(x).groupby(g.to_numpy()).transform("mean")).sum())
    return 1 - within / total * (n - 1) / (n - k)


def may_be_batch(column: str) -> bool:
    """Say whether a column of obs is called as batches are.

    >>> [may_be_batch(name) for name in ("seq_batch", "PlateID", "primary_site", "stage")]
    [True, True, False, False]
    """
    parts = re.sub(r"([a-z])([A-Z])", r"\1 \2", column)
    words = set(re.findall(r"[a-z]+", parts.lower()))
    return bool(words & _BATCH) and not words & _CLINICAL


_BATCH_REMEDY: Final = (
    "Take the effect of the batches out of each omic before the fit (ComBat, or limma's "
    "removeBatchEffect, told which groups are to be kept) and fit again; where batches and groups "
    "of interest coincide, no method can tell them apart"
)


def _batch_columns(obs: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    for name in obs.columns:
        groups = obs[name]
        n_groups = groups.nunique()
        # Numbers of plates are few; a date of each run, or a measured quantity, is no grouping.
        if may_be_batch(str(name)) and 2 <= n_groups <= min(_MOST_BATCHES, len(groups) / 3):
            yield str(name), groups


def _closest(
    latent: pd.DataFrame, measures: list[SampleMeasure]
) -> tuple[str, SampleMeasure, float] | None:
    """Return the factor and the measure that go together most closely, if any does closely."""
    best: tuple[str, SampleMeasure, float] | None = None
    for each in measures:
        least = LEAST_MEAN if each.kind == "mean" else LEAST_DEPTH
        known = ~np.isnan(each.values)
        y = each.values[known]
        # What hardly differs between samples is nothing that a factor would have to stand for.
        if known.sum() < _FEWEST_SAMPLES or np.std(y) < _LEAST_SPREAD[each.kind]:
            continue
        x = latent.to_numpy(np.float64)[known]
        r = [float(np.corrcoef(own, y)[0, 1]) if np.ptp(own) > 0 else 0.0 for own in x.T]
        at = int(np.abs(r).argmax())
        # Of several measures that are as close, the first says most.
        if abs(r[at]) >= least and (best is None or abs(r[at]) > abs(best[2]) + 0.05):
            best = str(latent.columns[at]), each, r[at]
    return best


def _depth_remedy(view: str, *, sized: bool, warned: bool) -> str:
    if sized:
        return (
            "The likelihood takes totals into account already: look whether the quality of samples "
            "differs, and leave poor ones out"
        )
    if warned:
        return "What was said of it before the fit would take it away"
    return (
        "log1p does not take it away: divide each sample by its total (counts per million) before "
        "log1p, or take a likelihood for counts, which does so (--likelihood "
        f"{view}=negative_binomial), and fit again"
    )


def _measure_finding(
    view: str, factor: str, measure: SampleMeasure, r: float, remedy: str
) -> Finding:
    what = {
        "depth": "how much of them was counted (library size)",
        "detected": "how many features were detected in them",
        "mean": "the mean of all features of a sample",
    }[measure.kind]
    if measure.kind == "mean":
        text = (
            f"{factor} goes with {what} (r {r:.2f}), as differences in the amount of material, "
            "staining or depth do, though a process that moves most features would, too. If the "
            "table was not normalised by sample, normalise it and fit again"
        )
    elif measure.binary:
        text = (
            f"{factor} is the load of the samples: it goes with how many features are 1 in them "
            f"(r {r:.2f}), such as how many mutations, which may be biology, or how deep or well "
            "they were called. Do not read its features as a group that belongs together, and "
            "leave samples out whose load is an error"
        )
    else:
        text = f"{factor} is the depth of the samples: it goes with {what} (r {r:.2f}). {remedy}"
    return Finding("warning", f"{measure.kind}-in-factor", text, view, (factor,))


def _placed(values: Floats, rows: npt.NDArray[np.intp], view: View) -> Floats:
    found = np.full(len(view.measured), np.nan)
    found[rows] = values
    return found


def _mean_of_standardised(x: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    n = there.sum(axis=0)
    # Where a feature or a sample has no value, sums are 0 and stay so.
    mean = np.where(there, x, 0.0).sum(axis=0) / np.maximum(n, 1)
    deviation = np.where(there, x - mean, 0.0)
    # As above.
    spread = np.sqrt(np.square(deviation).sum(axis=0) / np.maximum(n, 1))
    scaled = deviation / np.where(spread > 0, spread, 1.0)
    # A sample without a value has a sum of 0, too.
    found: Floats = scaled.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return found
