"""What preprocessing and checks need to know of a view on disk, in passes of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from poems.data.disk.matrix import Floats
from poems.data.disk.sorted_columns import SortedColumns
from poems.data.disk.view import BackedView
from poems.settings.schema import Settings

Array = npt.NDArray[np.float64]

# Entries that are gathered by column in one pass over the file: 4 bytes each.
_GATHERED = 1 << 26
# Entries that are sorted and summed at once: some 40 bytes each.
_SORTED = 1 << 21
# More different values than this are no discrete scale.
_MOST_LEVELS = 10


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of each feature over the samples on which the view was measured.

    On the scale that the fit takes (after log(1 + x), where asked for); of
    shape (n_features,). ``lower``, ``upper``, ``settled``: limits of
    winsorising; ``clipped_mean`` and ``clipped_variance``: once clipped at
    them; ``n_common``: entries equal to the median; ``n_below_zero``: before
    the transformation.
    """

    n_present: npt.NDArray[np.int64]
    lowest: Array
    highest: Array
    mean: Array
    variance: Array
    lower: Array
    upper: Array
    settled: npt.NDArray[np.bool_]
    clipped_mean: Array
    clipped_variance: Array
    lower_quartile: Array
    median: Array
    upper_quartile: Array
    n_common: npt.NDArray[np.int64]
    n_below_zero: npt.NDArray[np.int64]

    @property
    def varies(self) -> npt.NDArray[np.bool_]:
        """Whether a feature has two different values at least."""
        found: npt.NDArray[np.bool_] = (self.n_present > 1) & (self.lowest < self.highest)
        return found


@dataclass(eq=False)
class Values:
    """The values of a view all together, as they are in the file.

    ``levels``: the different values, ``None`` if there are more than 10;
    ``counts``: how many values share their leading 16 bits, in increasing order.
    """

    whole: bool
    total: float
    n: int
    levels: npt.NDArray[np.float64] | None
    counts: npt.NDArray[np.int64]

    def median(self) -> float:
        """Return the median, to within 1 %: values are counted by their leading 16 bits."""
        middle = int(np.searchsorted(np.cumsum(self.counts), (self.n + 1) // 2))
        return float(_from_key(middle))

    def share_below(self, value: float) -> float:
        """Return the share of the values below one, to within those that share its bits."""
        key = int(_keys(np.array([value], dtype=np.float32))[0])
        return float(self.counts[:key].sum() / self.n) if self.n else 0.0


@dataclass(frozen=True, eq=False)
class Summaries:
    """The statistics of each feature, and of all values."""

    features: Summary
    values: Values


def summarise(view: BackedView, *, log1p: bool, n_sd: float | None) -> Summaries:
    """Compute the statistics of a view, exactly, some columns at a time.

    The result is kept with the view: asked again, it is not computed again.

    Parameters
    ----------
    view
        The view.
    log1p
        Whether values are transformed by log(1 + x). Values below zero are
        counted; the transformation is then left out, because the fit refuses it.
    n_sd
        Standard deviations at which values are winsorised; ``None``: not at all.
    """
    key = ("summary", log1p, n_sd)
    found = view.cached(key, lambda: _summarise(view, log1p, n_sd))
    assert isinstance(found, Summaries)
    return found


def any_summary(view: BackedView, *, log1p: bool) -> Summaries:
    """Return a summary that was computed already, whatever its limits, or compute one."""
    for key, found in view.cache.items():
        if key[:2] == ("summary", log1p) and isinstance(found, Summaries):
            return found
    # What a fit with the default limits will ask for.
    return summarise(view, log1p=log1p, n_sd=Settings().preprocessing.winsorise)


def _summarise(view: BackedView, log1p: bool, n_sd: float | None) -> Summaries:
    parts: list[Summary] = []
    whole, total, n = True, 0.0, 0
    levels: npt.NDArray[np.float64] | None = np.empty(0)
    counts = np.zeros(1 << 16, dtype=np.int64)
    for raw, ends, n_zeros in _sorted_blocks(view):
        n_nought = int(n_zeros.sum())
        n += len(raw) + n_nought
        total += float(raw.sum(dtype=np.float64))
        whole = whole and bool((raw == np.round(raw)).all())
        if levels is not None and whole:
            levels = np.union1d(levels, np.unique(raw))
            levels = np.union1d(levels, [0.0]) if n_nought else levels
            levels = None if len(levels) > _MOST_LEVELS else levels
        counts += np.bincount(_keys(raw), minlength=1 << 16)
        counts[_keys(np.zeros(1, dtype=np.float32))[0]] += n_nought
        parts.append(_of_block(raw, ends, n_zeros, log1p, n_sd))
    joined = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(Summary)
    }
    return Summaries(Summary(**joined), Values(whole, total, n, levels if whole else None, counts))


def _of_block(
    raw: Floats,
    ends: npt.NDArray[np.int64],
    n_zeros: npt.NDArray[np.int64],
    log1p: bool,
    n_sd: float | None,
) -> Summary:
    values = raw.astype(np.float64)
    start = np.concatenate([[0], ends[:-1]])
    below = np.concatenate([[0], np.cumsum(raw < 0)])
    n_below_zero = below[ends] - below[start]
    if log1p and not n_below_zero.any():
        np.log1p(values, out=values)
    columns = SortedColumns(values, ends, n_zeros)
    limits = columns.limits(n_sd)
    clipped_mean, clipped_variance = columns.clipped(limits.lower, limits.upper)
    return Summary(
        n_present=columns.n,
        lowest=columns.lowest,
        highest=columns.highest,
        mean=columns.mean,
        variance=columns.variance,
        lower=limits.lower,
        upper=limits.upper,
        settled=limits.settled,
        clipped_mean=clipped_mean,
        clipped_variance=clipped_variance,
        lower_quartile=columns.quantile(0.25),
        median=columns.centre,
        upper_quartile=columns.quantile(0.75),
        n_common=columns.count_of(columns.centre),
        n_below_zero=n_below_zero,
    )


def _sorted_blocks(
    view: BackedView,
) -> Iterator[tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield sorted stored values, where columns end, and their zeros, for some columns each."""
    gather = _gather_sparse if view.matrix.is_sparse else _gather_dense
    for values, sizes, n_zeros in gather(view):
        ends = np.cumsum(sizes)
        starts = ends - sizes
        first = 0
        while first < len(sizes):
            last = max(first + 1, int(np.searchsorted(ends, starts[first] + _SORTED, side="right")))
            block = values[starts[first] : ends[last - 1]]
            kept = np.empty(last - first, dtype=np.int64)
            for at in range(first, last):
                column = block[starts[at] - starts[first] : ends[at] - starts[first]]
                column.sort()  # NaN comes last
                kept[at - first] = np.searchsorted(column, np.nan)
            known = block[~np.isnan(block)] if kept.sum() < len(block) else block
            yield known, np.cumsum(kept), n_zeros[first:last]
            first = last


def _gather_dense(
    view: BackedView,
) -> Iterator[tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    n_measured = int(view.measured.sum())
    width = max(1, _GATHERED // max(1, n_measured))
    for start in range(0, view.n_features, width):
        stop = min(start + width, view.n_features)
        columns = view.columns(start, stop)
        measured = columns if view.measured.all() else columns[view.measured]
        del columns
        turned = np.ascontiguousarray(measured.T).ravel()
        del measured
        sizes = np.full(stop - start, n_measured, dtype=np.int64)
        yield turned, sizes, np.zeros(stop - start, dtype=np.int64)


def _gather_sparse(
    view: BackedView,
) -> Iterator[tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    n_measured = int(view.measured.sum())
    n_stored = np.zeros(view.n_features, dtype=np.int64)
    for _, rows in view.blocks():
        n_stored += np.bincount(rows.indices, minlength=view.n_features)
    ends = np.cumsum(n_stored)
    start = 0
    while start < view.n_features:
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _GATHERED, side="right")))
        sizes = n_stored[start:stop]
        values: Floats = np.empty(int(sizes.sum()), dtype=view.matrix.dtype)
        free = np.cumsum(sizes) - sizes
        for _, rows in view.blocks():
            part = (rows if stop - start == view.n_features else rows[:, start:stop]).tocsc()
            lengths = np.diff(part.indptr).astype(np.int64)
            places = np.repeat(free - part.indptr[:-1], lengths) + np.arange(len(part.data))
            values[places] = part.data
            free += lengths
        yield values, sizes, n_measured - sizes
        start = stop


def _keys(values: Floats) -> npt.NDArray[np.int64]:
    """Number values by their leading 16 bits, so that larger ones have larger numbers."""
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # a negative zero is zero
    ordered = np.where(bits >> 31 == 1, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> 16).astype(np.int64)


def _from_key(key: int) -> np.float32:
    """Return the value in the middle of those of one number."""
    # The middle, but for zero, which is common and exact.
    ordered = np.uint32(key << 16)
    negative = not ordered >> 31
    bits = np.array([~ordered if negative else ordered & np.uint32((1 << 31) - 1)], dtype=np.uint32)
    if bits[0] in (0, 0xFFFF):
        return np.float32(0)
    middle = bits ^ np.uint32(1 << 15)
    found: np.float32 = middle.view(np.float32)[0]
    return found
