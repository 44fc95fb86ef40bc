"""What is seen of a view's values, in memory or on disk, that its likelihood is chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.data.container import View
from poems.data.disk.summary import any_summary
from poems.data.disk.view import BackedView

_Floats = npt.NDArray[np.float64]

# Features whose values are looked at at once.
_AT_ONCE = 500


@dataclass(frozen=True)
class Range:
    """Least and largest value of a view, and whether all are whole numbers."""

    low: float
    high: float
    integers: bool

    @classmethod
    def of(cls, view: View) -> Range:
        """Look at all values, some features at a time; of none ``low`` is above ``high``."""
        low, high, integers = np.inf, -np.inf, True
        for first in range(0, view.n_features, _AT_ONCE):
            part = view.values[view.measured, first : first + _AT_ONCE]
            known = part[~np.isnan(part)]
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
                integers = integers and bool((known == np.round(known)).all())
        return cls(low, high, integers)


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and variance of features, (n_features,), and the least of their values."""

    mean: _Floats
    variance: _Floats
    least: float

    @classmethod
    def of(cls, x: _Floats, there: npt.NDArray[np.bool_]) -> Moments:
        """Compute them of values, (n_samples, n_features), of which some are there."""
        # A feature without a value has sums of 0, divided by anything.
        n = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, x, 0.0).sum(axis=0) / n
        variance = np.where(there, (x - mean) ** 2, 0.0).sum(axis=0) / n
        return cls(mean, variance, float(x[there].min()))


@dataclass(frozen=True, eq=False)
class Features:
    """How many values features have, their sums, least and largest: each (n_features,)."""

    known: npt.NDArray[np.int64]
    total: _Floats
    lowest: _Floats
    highest: _Floats

    @classmethod
    def of(cls, view: View) -> Features:
        """Look at all values; of those on disk at their statistics."""
        if isinstance(view, BackedView):
            each = any_summary(view, log1p=False).features
            # Of features without a value there is no mean.
            total: _Floats = np.where(each.n_present > 0, each.mean, 0.0) * each.n_present
            return cls(each.n_present, total, each.lowest, each.highest)
        values = view.values[view.measured]
        there = ~np.isnan(values)
        return cls(
            there.sum(axis=0),
            np.nansum(values.astype(np.float64), axis=0),
            np.where(there, values, np.inf).min(axis=0),
            np.where(there, values, -np.inf).max(axis=0),
        )


def totals_of(view: View) -> _Floats:
    """Total of each sample on which a view was measured, in the cohort's order."""
    if not isinstance(view, BackedView):
        values = view.values[view.measured]
        return np.asarray(np.nansum(values, axis=1, dtype=np.float64))
    found: _Floats = view.cached("totals", lambda: _on_disk(view))
    return found


def _on_disk(view: BackedView) -> _Floats:
    totals = np.zeros(len(view.measured))
    for which, rows in view.blocks():
        if view.matrix.is_sparse:
            row = np.repeat(np.arange(len(which)), np.diff(rows.indptr))
            known = ~np.isnan(rows.data)
            weights = rows.data[known].astype(np.float64)
            totals[which] = np.bincount(row[known], weights, minlength=len(which))
        else:
            totals[which] = np.nansum(rows, axis=1, dtype=np.float64)
    return totals[view.measured]
