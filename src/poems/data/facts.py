"""Facts about one view that the checks judge: counted from its values in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import View

Bools = npt.NDArray[np.bool_]

# A feature that fewer samples than this tell from the others teaches single samples.
FEWEST_CARRIERS: Final = 3
MOST_LEVELS: Final = 10
# On a log scale (base 2) values stay far below this: 2^64 counts nothing that is measured.
LARGEST_LOGGED: Final = 64
SKEWED: Final = 2.0
EXTREME_Z: Final = 30.0
IQR_OF_NORMAL: Final = 1.349
_FEWEST_COUNTED: Final = 20
_FEWEST_TOTALS: Final = 10


@dataclass(frozen=True)
class Raw:
    """Values that seem to be on no log scale: counts, or others that are not whole.

    ``about`` says that the median is known to within 1 %.
    """

    whole: bool
    largest: float
    median: float
    about: bool = False


@dataclass(frozen=True)
class Outliers:
    """Extreme outliers: how many, in which features, and the furthest of them."""

    n: int
    features: tuple[str, ...]
    value: float
    feature: str
    sample: str
    median: float


@dataclass(frozen=True, eq=False)
class ViewFacts:
    """What is known of the rows of a view that were measured.

    ``empty``: features without a value; ``constant``: with one distinct value;
    ``rare``: that differ from the value of most samples in one or two; each of
    shape (n_features,). ``n_missing`` of ``n_entries`` are missing in features
    that are not empty, in ``n_incomplete`` of them. One of ``levels`` (all
    values, if whole and few), ``raw`` and ``outliers``, or none. ``transformed``
    says that outliers and scale are those after log(1 + x); ``scale`` is a typical
    feature's standard deviation, ``None`` if none varies.
    """

    name: str
    features: pd.Index
    n_measured: int
    empty: Bools
    constant: Bools
    rare: Bools
    n_missing: int
    n_entries: int
    n_incomplete: int
    levels: Sequence[float] | None
    raw: Raw | None
    outliers: Outliers | None
    transformed: bool
    scale: float | None
    # The depth of samples, where values are counts: totals that 5 % and 95 % lie below.
    depth: tuple[float, float] | None = None
    # Samples all of whose values are 0, though others' are not.
    silent: tuple[str, ...] = ()
    whole: bool = False

    @property
    def usable(self) -> Bools:
        """Which features vary."""
        return ~self.constant & ~self.empty


def view_facts(name: str, view: View, samples: pd.Index, log1p: bool) -> ViewFacts:
    """Count the facts about a view in memory.

    Parameters
    ----------
    name, view
        The view.
    samples
        Names of the samples of the cohort.
    log1p
        Whether outliers and scale are those of log(1 + x).
    """
    values = view.values[view.measured].astype(np.float64)
    present = ~np.isnan(values)
    empty = np.count_nonzero(present, axis=0) == 0
    lowest = np.where(present, values, np.inf).min(axis=0, initial=np.inf)
    highest = np.where(present, values, -np.inf).max(axis=0, initial=-np.inf)
    # The fit itself refuses the logarithm of values below zero.
    transform = log1p and lowest.min(initial=0) >= 0
    transformed = np.log1p(values) if transform else values
    constant = (lowest == highest) & ~empty
    usable = ~constant & ~empty
    considered = present[:, ~empty]
    levels, raw, outliers = None, None, None
    if usable.any():
        flat = values[present]
        found = _kind(flat, transform)
        if isinstance(found, Raw):
            raw = found
        elif found == "outliers":
            named = samples[view.measured]
            outliers = _outliers(values, transformed, usable, view.features, named)
        else:
            levels = found
    return ViewFacts(
        name=name,
        features=view.features,
        n_measured=len(values),
        empty=empty,
        constant=constant,
        rare=_rare(values, present, usable),
        n_missing=considered.size - int(considered.sum()),
        n_entries=considered.size,
        n_incomplete=int((~considered.all(axis=0)).sum()),
        levels=levels,
        raw=raw,
        outliers=outliers,
        transformed=transform,
        scale=float(np.median(np.nanstd(transformed[:, usable], axis=0))) if usable.any() else None,
        depth=_depth(values, present, levels, raw) if usable.any() else None,
        silent=_silent(values, present, samples[view.measured]) if usable.any() else (),
        whole=bool((lowest[usable] == np.round(lowest[usable])).all())
        and bool((highest[usable] == np.round(highest[usable])).all())
        and (levels is not None or _are_whole(values, present)),
    )


def _are_whole(values: npt.NDArray[np.float64], present: Bools) -> bool:
    flat = values[present]
    return bool((flat == np.round(flat)).all())


def _depth(
    values: npt.NDArray[np.float64],
    present: Bools,
    levels: Sequence[float] | None,
    raw: Raw | None,
) -> tuple[float, float] | None:
    """Return low and high totals of samples, of values that are counted."""
    if levels is not None or values.shape[1] < _FEWEST_COUNTED or len(values) < _FEWEST_TOTALS:
        return None
    counted = raw is not None or (
        not (values < 0).any()
        and np.nanmax(values) > LARGEST_LOGGED
        and _are_whole(values, present)
    )
    # Of the features that most samples have: a total is that of a few others.
    everywhere = present.all(axis=0)
    usual = everywhere & ((values > 0).sum(axis=0) > len(values) / 2)
    if not counted or not usual.any():
        return None
    logged = np.log1p(values[:, usual])
    shift = np.median(logged - logged.mean(axis=0), axis=1)
    low, high = np.quantile(shift, (0.05, 0.95))
    total = float(np.median(values[:, everywhere].sum(axis=1)))
    return total * float(np.exp(low)), total * float(np.exp(high))


def _silent(values: npt.NDArray[np.float64], present: Bools, samples: pd.Index) -> tuple[str, ...]:
    """Name the samples whose values are all 0."""
    # Each ends with a value that is 0 or missing: most samples are told by that.
    zero = ~((values != 0) & present).any(axis=1) & present.any(axis=1)
    return tuple(map(str, samples[zero])) if not zero.all() else ()


def _kind(
    flat: npt.NDArray[np.float64], transformed: bool
) -> Sequence[float] | Raw | Literal["outliers"]:
    """Say what to judge values by: their levels, their being raw, or their outliers."""
    whole = bool((flat == np.round(flat)).all())
    levels = np.unique(flat) if whole else flat
    if whole and len(levels) <= MOST_LEVELS:
        return [float(level) for level in levels]
    if not transformed and flat.min() >= 0 and flat.max() > LARGEST_LOGGED:
        median = float(np.median(flat))
        if flat.mean() > SKEWED * median:
            return Raw(whole, float(flat.max()), median)
    return "outliers"


def _rare(values: npt.NDArray[np.float64], present: Bools, usable: Bools) -> Bools:
    """Say which features differ from the value of most samples in one or two, (n_features,)."""
    # Each such sample breaks a run of equal values at most twice: most features need no sorting.
    breaks = (values[1:] != values[:-1]) & present[1:] & present[:-1]
    n_breaks = np.count_nonzero(breaks, axis=0)
    few = np.flatnonzero(usable & (n_breaks <= 2 * (FEWEST_CARRIERS - 1)))
    rare = np.zeros(values.shape[1], dtype=np.bool_)
    # A value that more than half of the samples share is their median.
    common = np.nanmedian(values[:, few], axis=0)
    n_common = np.count_nonzero(values[:, few] == common, axis=0)
    n_other = np.count_nonzero(present[:, few], axis=0) - n_common
    rare[few] = (n_other < FEWEST_CARRIERS) & (n_other < n_common)
    return rare


def _outliers(
    values: npt.NDArray[np.float64],
    transformed: npt.NDArray[np.float64],
    usable: Bools,
    features: pd.Index,
    samples: pd.Index,
) -> Outliers | None:
    columns = np.flatnonzero(usable)
    shown = transformed[:, columns]
    lower, centre, upper = _quantiles(shown, (0.25, 0.5, 0.75))
    spread = robust_spread(lower, upper)
    if spread is None:
        return None
    # NaN is a missing value alone, and not extreme: no spread is 0, infinity is refused.
    z = np.nan_to_num(np.abs(shown - centre) / spread, nan=0.0)
    extreme = z > EXTREME_Z
    if not extreme.any():
        return None
    row, column = divmod(int(z.argmax()), z.shape[1])
    return Outliers(
        n=int(extreme.sum()),
        features=tuple(features[columns[extreme.any(axis=0)]]),
        value=float(shown[row, column]),
        feature=str(features[columns[column]]),
        sample=str(samples[row]),
        median=float(centre[column]),
    )


def _quantiles(values: npt.NDArray[np.float64], shares: Sequence[float]) -> list[Any]:
    """Quantiles of each column without its NaN: :func:`numpy.nanquantile` takes many times as long.

    No column may be without a value.
    """
    ordered = np.sort(values, axis=0)  # NaN come last.
    last = np.count_nonzero(~np.isnan(values), axis=0) - 1
    found = []
    for share in shares:
        at = share * last
        below = np.floor(at).astype(np.intp)
        low, high = (
            np.take_along_axis(ordered, rows[None], axis=0)[0]
            for rows in (below, np.minimum(below + 1, last))
        )
        found.append(low + (high - low) * (at - below))
    return found


def robust_spread(
    lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Compute robust standard deviations from quartiles; ``None`` if no feature has any.

    A feature that hardly ever varies (a gene seen in few samples) has a tiny
    spread of its own, against which every true signal is an outlier: it is held
    to that of a typical feature.
    """
    spread = (upper - lower) / IQR_OF_NORMAL
    if not spread.any():
        return None
    found: npt.NDArray[np.float64] = np.maximum(spread, np.median(spread[spread > 0]))
    return found
