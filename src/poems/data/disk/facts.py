"""Facts about one view on disk that the checks judge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.disk.summary import Summaries, any_summary
from poems.data.disk.view import BackedView
from poems.data.facts import (
    EXTREME_Z,
    FEWEST_CARRIERS,
    LARGEST_LOGGED,
    SKEWED,
    Outliers,
    Raw,
    ViewFacts,
    robust_spread,
)

Array = npt.NDArray[np.float64]


def backed_facts(name: str, view: BackedView, samples: pd.Index, log1p: bool) -> ViewFacts:
    """Count what :func:`poems.data.facts.view_facts` does, from the statistics of the features.

    The median of all values, which tells raw counts, is known to within 1 %.
    """
    found = any_summary(view, log1p=log1p)
    summary, values = found.features, found.values
    n_measured = int(view.measured.sum())
    empty = summary.n_present == 0
    constant = ~empty & (summary.lowest == summary.highest)
    usable = ~empty & ~constant
    transformed = log1p and not summary.n_below_zero.any()
    n_other = summary.n_present - summary.n_common
    n_missing = n_measured - summary.n_present[~empty]
    levels, raw, outliers = None, None, None
    if usable.any():
        raw = None if transformed else _raw(found)
        if values.levels is not None:
            levels, raw = [float(level) for level in values.levels], None
        elif raw is None:
            outliers = _outliers(view, found, usable, samples, transformed)
    return ViewFacts(
        name=name,
        features=view.features,
        n_measured=n_measured,
        empty=empty,
        constant=constant,
        rare=usable & (n_other < FEWEST_CARRIERS) & (n_other < summary.n_common),
        n_missing=int(n_missing.sum()),
        n_entries=n_measured * int((~empty).sum()),
        n_incomplete=int(np.count_nonzero(n_missing)),
        levels=levels,
        raw=raw,
        outliers=outliers,
        transformed=transformed,
        scale=float(np.median(np.sqrt(summary.variance[usable]))) if usable.any() else None,
    )


def _raw(found: Summaries) -> Raw | None:
    summary, values = found.features, found.values
    largest = float(np.nanmax(summary.highest))
    if np.nanmin(summary.lowest) < 0 or largest <= LARGEST_LOGGED:
        return None
    median = values.median()
    if values.total / values.n <= SKEWED * median:
        return None
    return Raw(values.whole, largest, median, about=True)


def _outliers(
    view: BackedView,
    found: Summaries,
    usable: npt.NDArray[np.bool_],
    samples: pd.Index,
    transformed: bool,
) -> Outliers | None:
    """Count extreme outliers in one more pass, if the extremes say that there are any."""
    summary = found.features
    columns = np.flatnonzero(usable)
    spread = robust_spread(summary.lower_quartile[columns], summary.upper_quartile[columns])
    if spread is None:
        return None
    centre = summary.median[columns]
    furthest = np.maximum(summary.highest[columns] - centre, centre - summary.lowest[columns])
    suspect = furthest / spread > EXTREME_Z
    if not suspect.any():
        return None
    columns, centre, spread = columns[suspect], centre[suspect], spread[suspect]
    n, extreme = 0, np.zeros(len(columns), dtype=bool)
    worst, where, value = 0.0, (0, 0), 0.0
    for which, rows in view.blocks():
        part = rows[:, columns]
        x = (part.toarray() if view.matrix.is_sparse else part).astype(np.float64)
        x = np.log1p(x) if transformed else x
        # NaN is a missing value alone, and not extreme: no spread is 0, infinity is refused.
        z = np.nan_to_num(np.abs(x - centre) / spread, nan=0.0)
        beyond = z > EXTREME_Z
        n += int(beyond.sum())
        extreme |= beyond.any(axis=0)
        row, column = divmod(int(z.argmax()), z.shape[1])
        if z[row, column] > worst:
            worst, where = float(z[row, column]), (int(which[row]), column)
            value = float(x[row, column])
    sample, column = where
    return Outliers(
        n=n,
        features=tuple(view.features[columns[extreme]]),
        value=value,
        feature=str(view.features[columns[column]]),
        sample=str(samples[sample]),
        median=float(centre[column]),
    )
