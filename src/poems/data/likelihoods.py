"""Which likelihood a view's values call for, and why: a proposal, never a choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from poems.data.container import MultiOmics, View
from poems.data.disk.view import BackedView
from poems.data.facts import MOST_LEVELS
from poems.findings import Finding

_Floats = npt.NDArray[np.float64]

# Features that are looked at, at most; samples without which tails are not judged.
_MOST_FEATURES: Final = 2000
_FEWEST_SAMPLES: Final = 50
# Counts: by how much the largest mean exceeds the least, and what power of it the variance is.
_RANGE, _POWER = 5.0, 0.6
# A Poisson's variance is its mean; beyond this ratio in a typical feature counts vary more.
_OVERDISPERSED = 1.3
# Fractions: share of the values within this distance of an end.
_END, _PILED = 0.05, 0.2
# Kurtosis of a typical feature, 3 for a Gaussian, beyond which tails are heavy.
_HEAVY = 6.0
_SKEWED = 2.0


@dataclass(frozen=True)
class Proposal:
    """A likelihood by its name, and the reason in words."""

    likelihood: str
    reason: str


def propose_likelihood(view: View) -> Proposal | None:
    """Propose a likelihood for the values of a view; ``None`` where a Gaussian is as good as any.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).integers(0, 2, size=(30, 4)).astype(np.float32)
    >>> view = View(values, pd.Index(list("abcd")), np.ones(30, dtype=bool))
    >>> propose_likelihood(view)
    Proposal(likelihood='bernoulli', reason='all values are 0 or 1')
    """
    step = max(1, -(-view.n_features // _MOST_FEATURES))
    x = view.values[view.measured][:, ::step].astype(np.float64)
    there = ~np.isnan(x)
    flat = x[there]
    if not len(flat) or flat.min() == flat.max():
        return None
    if (flat == np.round(flat)).all():
        return _of_whole(x, there, flat)
    if flat.min() >= 0 and flat.max() <= 1:
        ends = float(np.mean((flat < _END) | (flat > 1 - _END)))
        if ends >= _PILED:
            reason = f"fractions from 0 to 1, {ends:.0%} of them within {_END} of an end"
            return Proposal("beta", reason)
        return None
    return _of_tails(x, there)


def _of_whole(x: _Floats, there: npt.NDArray[np.bool_], flat: _Floats) -> Proposal | None:
    """Judge whole numbers: calls, counts, or levels."""
    levels = np.unique(flat)
    if flat.min() >= 0 and flat.max() <= 1:
        return Proposal("bernoulli", "all values are 0 or 1")
    few = len(levels) <= MOST_LEVELS
    counts = _of_counts(x, there, few) if flat.min() >= 0 and len(levels) > 3 else None
    if counts is not None:
        return counts
    if few:
        shown = ", ".join(f"{level:g}" for level in levels)
        return Proposal("ordinal", f"few whole numbers in an order: {shown}")
    return None


def _of_counts(x: _Floats, there: npt.NDArray[np.bool_], few: bool) -> Proposal | None:
    """Counts, if the variance of features grows with their mean."""
    # A feature without a value has sums of 0, divided by anything.
    n = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, x, 0.0).sum(axis=0) / n
    variance = np.where(there, (x - mean) ** 2, 0.0).sum(axis=0) / n
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
    elif few or ratio < 1.0 or x[there].min() > 0:
        return None
    else:
        growth = "of many values, whose variance"
    reason = f"whole numbers from 0 on {growth} is {ratio:.2g} times the mean in a typical feature"
    return Proposal("negative_binomial" if ratio > _OVERDISPERSED else "poisson", reason)


def _of_tails(x: _Floats, there: npt.NDArray[np.bool_]) -> Proposal | None:
    """Heavy tails, if a typical feature has them."""
    n = there.sum(axis=0)
    enough = n >= _FEWEST_SAMPLES
    if not enough.any():
        return None
    x, there, n = x[:, enough], there[:, enough], n[enough]
    centred = np.where(there, x - np.where(there, x, 0.0).sum(axis=0) / n, 0.0)
    second = (centred**2).sum(axis=0) / n
    varies = second > 0
    if not varies.any():
        return None
    third = (centred[:, varies] ** 3).sum(axis=0) / n[varies]
    skewness = float(np.median(np.abs(third) / second[varies] ** 1.5))
    if skewness > _SKEWED:
        # Long on one side: that is for a logarithm to mend.
        return None
    fourth = (centred[:, varies] ** 4).sum(axis=0) / n[varies]
    kurtosis = float(np.median(fourth / second[varies] ** 2))
    if kurtosis < _HEAVY:
        return None
    return Proposal(
        "student_t", f"heavy tails: a typical feature has a kurtosis of {kurtosis:.1f}, not 3"
    )


def likelihood_findings(cohort: MultiOmics) -> Iterator[Finding]:
    """Propose a likelihood for each view in memory whose values call for one."""
    for name, view in cohort.views.items():
        if isinstance(view, BackedView):
            continue
        found = propose_likelihood(view)
        if found is not None:
            text = (
                f"{found.reason}: the likelihood {found.likelihood} is made for such values "
                f"(--likelihood {name}={found.likelihood}, or likelihood={{{name!r}: "
                f"{found.likelihood!r}}}); without it the view is treated as Gaussian"
            )
            yield Finding("note", "likelihood-proposed", text, view=name)
