"""Which likelihood a view's values call for, and why; which of them a fit chooses by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from poems.data.container import MultiOmics, View
from poems.data.disk.summary import any_summary
from poems.data.disk.view import BackedView
from poems.data.evidence import Features, Moments, Range, totals_of
from poems.data.facts import FEWEST_CARRIERS, MOST_LEVELS
from poems.findings import Finding, count
from poems.wording import general, whole

_Floats = npt.NDArray[np.float64]

# Features that are looked at, at most; samples without which tails are not judged.
_MOST_FEATURES: Final = 2000
_FEWEST_SAMPLES: Final = 50
# Samples of which moments are taken, at most.
_MOST_SAMPLES = 5000
# Counts: by how much the largest mean exceeds the least, and what power of it the variance is.
_RANGE, _POWER = 5.0, 0.6
# A Poisson's variance is its mean; beyond this ratio in a typical feature counts vary more.
_OVERDISPERSED = 1.3
# Fractions: share of the values within this distance of an end.
_END, _PILED = 0.05, 0.2
# 0 and 1: share of features with next to no carriers from which nothing is to be learned.
_RARE: Final = 0.9
# And measured samples of a typical feature from which its probability cannot be told.
_FEWEST_KNOWN: Final = 20
# Likelihoods of counts, and totals of samples so many times apart that depth is the first factor.
COUNTS: Final = ("poisson", "negative_binomial", "zinb")
_UNEQUAL: Final = 10.0
# Features whose total is a size of the sample.
_FEWEST_FOR_TOTALS: Final = 10
# Share of features with a 0 and a 1 from which all were scaled by their range.
_SCALED: Final = 0.9
# Kurtosis of a typical feature, 3 for a Gaussian, beyond which tails are heavy.
_HEAVY = 6.0
_SKEWED = 2.0


# What is proposed and not chosen, and why: measured on cohorts (docs/design.md, "Likelihoods").
LEFT_GAUSSIAN: Final[Mapping[str, str]] = {
    "ordinal": "levels hidden from fits of copy number were less probable under it than under a "
    "Gaussian, which background factors add to",
    "student_t": "it explained less of copy number hidden from a fit than a Gaussian of "
    "winsorised values does",
    "beta": "on methylation it was not better than a Gaussian",
}


@dataclass(frozen=True)
class Proposal:
    """A likelihood by its name, and the reason in words."""

    likelihood: str
    reason: str
    #: What of these very values speaks against it.
    doubt: str | None = None
    #: Whether that is that totals of samples are no sizes, which matters where they are taken.
    of_sizes: bool = False

    @property
    def against(self) -> str | None:
        """Why a fit does not choose it by itself; ``None`` where it does."""
        return LEFT_GAUSSIAN.get(self.likelihood, self.doubt)


def propose_likelihood(view: View) -> Proposal | None:
    """Propose a likelihood for the values of a view; ``None`` where a Gaussian is as good as any.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).integers(0, 2, size=(30, 4)).astype(np.float32)
    >>> view = View(values, pd.Index(list("abcd")), np.ones(30, dtype=bool))
    >>> propose_likelihood(view)
    Proposal(likelihood='bernoulli', reason='all values are 0 or 1', doubt=None, of_sizes=False)
    """
    if isinstance(view, BackedView):
        return _propose_on_disk(view)
    whole = Range.of(view)
    if whole.low >= whole.high:
        return None
    rows = np.flatnonzero(view.measured)
    rows = rows[:: max(1, -(-len(rows) // _MOST_SAMPLES))]
    columns = slice(None, None, max(1, -(-view.n_features // _MOST_FEATURES)))
    x = view.values[rows, columns].astype(np.float64)
    there = ~np.isnan(x)
    if whole.integers:
        levels = np.unique(x[there])
        few = levels if len(levels) <= MOST_LEVELS else None
        return _of_whole(view, whole, few, Moments.of(x, there))
    if whole.low >= 0 and whole.high <= 1:
        ends = float(np.mean((x[there] < _END) | (x[there] > 1 - _END)))
        return _of_fractions(ends, Features.of(view))
    return _of_tails(x, there)


def _propose_on_disk(view: BackedView) -> Proposal | None:
    """Propose the same from the statistics that checks and fits take of all values.

    Heavy tails, for which nothing is chosen by itself, are not looked for.
    """
    found = any_summary(view, log1p=False)
    each, values = found.features, found.values
    if not each.varies.any():
        return None
    whole = Range(float(np.nanmin(each.lowest)), float(np.nanmax(each.highest)), values.whole)
    if whole.integers:
        moments = Moments(each.mean, each.variance, whole.low)
        return _of_whole(view, whole, values.levels, moments)
    if whole.low >= 0 and whole.high <= 1:
        ends = values.share_below(_END) + 1.0 - values.share_below(1 - _END)
        return _of_fractions(ends, Features.of(view))
    return None


def _of_fractions(ends: float, features: Features) -> Proposal | None:
    """Fractions piled at the ends, unless every feature was brought to run from 0 to 1."""
    if ends < _PILED or _brought_to_run_from_0_to_1(features):
        return None
    return Proposal("beta", f"fractions from 0 to 1, {ends:.0%} of them within {_END} of an end")


def _brought_to_run_from_0_to_1(features: Features) -> bool:
    """Whether nearly every feature that varies has a 0 and a 1, as scaling by the range leaves."""
    lowest, highest = features.lowest, features.highest
    varies = lowest < highest
    return bool(np.mean((lowest == 0) & (highest == 1) & varies) > _SCALED * varies.mean())


def _of_whole(
    view: View, whole: Range, levels: _Floats | None, moments: Moments
) -> Proposal | None:
    """Judge whole numbers: calls, counts, or ``levels``, where different values are few."""
    if whole.low >= 0 and whole.high <= 1:
        return Proposal("bernoulli", "all values are 0 or 1", _too_rare(Features.of(view)))
    several = levels is None or len(levels) > 3
    counts = _of_counts(moments, levels is not None) if whole.low >= 0 and several else None
    if counts is not None:
        return replace(counts, doubt=_no_sizes(view), of_sizes=True)
    if levels is not None:
        shown = ", ".join(f"{level:g}" for level in levels)
        return Proposal("ordinal", f"few whole numbers in an order: {shown}")
    return None


def _of_counts(moments: Moments, few: bool) -> Proposal | None:
    """Counts, if the variance of features grows with their mean."""
    mean, variance = moments.mean, moments.variance
    used = (mean > 0) & (variance > 0)
    if used.sum() < 3:
        return None
    ratio = float(np.median(variance[used] / mean[used]))
    low, high = np.quantile(mean[used], [0.1, 0.9])
    if high >= _RANGE * low:
        power = float(np.polyfit(np.log(mean[used]), np.log(variance[used]), 1)[0])
        if power < _POWER:
            return None
        growth = f"whose variance grows with the mean (as its power {power:.1f}); it"
    # Of features that are alike in their means growth cannot be seen: many values with 0 among
    # them are counts all the same, if they vary as counts do.
    elif few or ratio < 1.0 or moments.least > 0:
        return None
    else:
        growth = "of many values, whose variance"
    reason = (
        f"whole numbers from 0 on {growth} is {general(ratio)} times the mean in a typical feature"
    )
    return Proposal("negative_binomial" if ratio > _OVERDISPERSED else "poisson", reason)


def _too_rare(features: Features) -> str | None:
    """Say so where features are known too seldom, or next to none is often enough 0 and 1."""
    known, ones = features.known, features.total
    carriers = np.minimum(ones, known - ones).round()
    varies = carriers > 0
    typical = float(np.median(known))
    if typical < _FEWEST_KNOWN:
        return (
            f"a typical feature was measured on {typical:.0f} samples, too few to tell a "
            "probability of its own"
        )
    rare = float(np.mean(carriers[varies] < FEWEST_CARRIERS)) if varies.any() else 1.0
    if rare < _RARE:
        return None
    return (
        f"{rare:.0%} of the features differ from their most common value in fewer than "
        f"{FEWEST_CARRIERS} samples, too few to tell a probability that changes"
    )


def _no_sizes(view: View) -> str | None:
    """Say so where samples cannot be compared at the same total."""
    totals = totals_of(view)
    empty = int((totals == 0).sum())
    if empty:
        return (
            f"the counts of {count(empty, 'sample')} are all 0, so that nothing has a size there "
            "(size_factors='none', or a column of obs, does without)"
        )
    if view.n_features < _FEWEST_FOR_TOTALS:
        return (
            f"the total of {count(view.n_features, 'feature')} is that of the largest, and says "
            "little of how much was counted"
        )
    return None


def _of_tails(x: _Floats, there: npt.NDArray[np.bool_]) -> Proposal | None:
    """Heavy tails, if a typical feature has them."""
    n = there.sum(axis=0)
    enough = n >= _FEWEST_SAMPLES
    if not enough.any():
        return None
    x, there, n = x[:, enough], there[:, enough], n[enough]
    centred = np.where(there, x - np.where(there, x, 0.0).sum(axis=0) / n, 0.0)
    squares = centred * centred  # powers above the second take ten times as long
    second = squares.sum(axis=0) / n
    varies = second > 0
    if not varies.any():
        return None
    third = (squares * centred).sum(axis=0)[varies] / n[varies]
    skewness = float(np.median(np.abs(third) / second[varies] ** 1.5))
    if skewness > _SKEWED:
        # Long on one side: that is for a logarithm to mend.
        return None
    fourth = (squares * squares).sum(axis=0)[varies] / n[varies]
    kurtosis = float(np.median(fourth / second[varies] ** 2))
    if kurtosis < _HEAVY:
        return None
    return Proposal(
        "student_t", f"heavy tails: a typical feature has a kurtosis of {kurtosis:.1f}, not 3"
    )


def likelihood_findings(
    cohort: MultiOmics,
    views: Collection[str] | None = None,
    sized: Collection[str] | None = None,
) -> Iterator[Finding]:
    """Say of each view whose values call for a likelihood what a fit does with them.

    Parameters
    ----------
    cohort
        The cohort.
    views
        The views whose likelihood is to be chosen (``auto``); by default all.
    sized
        Those whose samples get their sizes from the counts; by default all.
    """
    for name, view in cohort.views.items():
        if views is not None and name not in views:
            continue
        found = propose_likelihood(view)
        if found is not None and found.of_sizes and sized is not None and name not in sized:
            found = replace(found, doubt=None)
        if found is not None:
            yield _finding(name, found)


def depth_findings(cohort: MultiOmics, chosen: Collection[str] = ()) -> Iterator[Finding]:
    """Name the views of counts whose samples were counted to very unequal depth.

    Of views whose likelihood of counts is ``chosen`` that is a note: it takes depth into account.

    Examples
    --------
    >>> import pandas as pd, poems
    >>> mean = np.array([[1.0], [1.5], [40.0]]).repeat(20, axis=0) * np.linspace(1, 9, 12)
    >>> counts = pd.DataFrame(np.random.default_rng(0).poisson(mean)).rename("s{}".format)
    >>> [found.code for found in depth_findings(poems.read({"rna": counts}))]
    ['unequal-depth']
    """
    for name, view in cohort.views.items():
        if not isinstance(view, BackedView) and not Range.of(view).integers:
            continue  # no counts: what else they are is not looked for
        found = propose_likelihood(view)
        if found is None or found.likelihood not in COUNTS:
            continue
        totals = totals_of(view)
        low, high = float(totals.min()), float(totals.max())
        if high < _UNEQUAL * max(low, 1.0):
            continue
        samples = cohort.samples[view.measured]
        least, most = samples[int(totals.argmin())], samples[int(totals.argmax())]
        text = (
            "samples were counted to very unequal depth: their totals run from "
            f"{whole(round(low))} ({least}) to {whole(round(high))} ({most}). "
        )
        items = (str(least), str(most))
        if name in chosen:
            text += f"The likelihood {found.likelihood} compares them at the same size"
            yield Finding("note", "unequal-depth", f"{text} (--size-factors)", name, items)
            continue
        text += (
            "As continuous values, logged or not, the depth becomes a factor of all features. The "
            f"likelihood {found.likelihood} compares samples at the same total (--likelihood "
            f"{name}={found.likelihood}, or "
            f"likelihood={{{name!r}: {found.likelihood!r}}}); or divide each sample by its total "
            "before taking logarithms, and leave out samples with next to no counts"
        )
        yield Finding("warning", "unequal-depth", text, name, items)


def chosen_likelihoods(findings: Collection[Finding]) -> dict[str, str]:
    """Return view to likelihood, of what findings say was chosen."""
    return {str(each.view): each.items[0] for each in findings if each.code == "likelihood-chosen"}


def _finding(name: str, found: Proposal) -> Finding:
    if found.against is None:
        text = (
            f"{found.reason}: its likelihood is {found.likelihood}, chosen for such values "
            f"(--likelihood {name}=gaussian, or likelihood={{{name!r}: 'gaussian'}}, treats it as "
            "continuous)"
        )
        return Finding("note", "likelihood-chosen", text, name, (found.likelihood,))
    text = (
        f"{found.reason}: the likelihood {found.likelihood} is made for such values "
        f"(--likelihood {name}={found.likelihood}, or likelihood={{{name!r}: "
        f"{found.likelihood!r}}}), and is not chosen by itself: {found.against}. The view is "
        "treated as Gaussian"
    )
    return Finding("note", "likelihood-proposed", text, name, (found.likelihood,))
