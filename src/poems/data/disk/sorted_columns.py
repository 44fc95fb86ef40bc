"""Statistics of many columns at once from their sorted values: order statistics and winsorising.

Each column is held as its stored values in increasing order and a number of zeros
that are not stored, so that sparse and dense columns are one. With running sums,
the mean and variance of a column clipped at any limits take one binary search.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from poems.data.winsorising import Clipped, Limits, winsorising_limits

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class SortedColumns:
    """Columns as sorted values.

    Parameters
    ----------
    values
        The stored values, one column after the other, in increasing order
        within each; none is NaN.
    ends
        Where each column ends in ``values``, of shape (n_columns,).
    n_zeros
        Zeros of each column that are not among the values.

    Examples
    --------
    >>> columns = SortedColumns(np.array([-1.0, 3.0, 5.0]), np.array([2, 3]), np.array([2, 0]))
    >>> columns.quantile(0.5).tolist()
    [0.0, 5.0]
    >>> columns.mean.tolist()
    [0.5, 5.0]
    """

    def __init__(self, values: Floats, ends: Counts, n_zeros: Counts) -> None:
        self.end = np.asarray(ends, dtype=np.int64)
        self.start = np.concatenate([[0], self.end[:-1]]).astype(np.int64)
        self.values, self.n_zeros = values, n_zeros
        self.n = self.end - self.start + n_zeros
        self._columns = np.arange(len(self.end))
        self._n_below = self._search(values, np.zeros(len(self.end)), right=False) - self.start
        self.lowest = self.order_statistic(np.zeros(len(self.end), dtype=np.int64))
        # An index for columns without values; `order_statistic` gives NaN for them.
        self.highest = self.order_statistic(np.maximum(self.n - 1, 0))
        self.centre = self.quantile(0.5)
        # About the median, as entries equal to it are then exact zeros.
        self._about = values - np.repeat(self.centre, self.end - self.start)
        self._sums = np.empty_like(self._about)
        self._squares = np.square(self._about)
        for start, end in zip(self.start.tolist(), self.end.tolist(), strict=True):
            np.cumsum(self._about[start:end], out=self._sums[start:end])
            np.cumsum(self._squares[start:end], out=self._squares[start:end])
        unlimited = np.full(len(self.end), np.inf)
        mean, self.variance = self._clipped(-unlimited, unlimited, self._columns)
        self.mean = mean + self.centre

    @property
    def varies(self) -> Bools:
        """Whether a column has two different values at least."""
        return (self.n > 1) & (self.lowest < self.highest)

    def order_statistic(self, rank: Counts) -> Floats:
        """Return the value of each column at ``rank``, from 0; NaN for columns without a value."""
        found = np.zeros(len(self.end))
        before = rank < self._n_below
        after = rank >= self._n_below + self.n_zeros
        at = self.start + np.where(before, rank, rank - self.n_zeros)
        stored = (before | after) & (self.n > 0)
        found[stored] = self.values[at[stored]]
        return np.where(self.n > 0, found, np.nan)

    def quantile(self, q: float) -> Floats:
        """Return a quantile of each column, interpolated linearly as NumPy's are."""
        # As for `highest`: of columns without values the answer is NaN.
        virtual = q * np.maximum(self.n - 1, 0)
        below = np.floor(virtual).astype(np.int64)
        share = virtual - below
        low = self.order_statistic(below)
        # As for `highest`.
        high = self.order_statistic(np.minimum(below + 1, np.maximum(self.n - 1, 0)))
        return np.asarray(
            np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1.0 - share))
        )

    def count_of(self, value: Floats) -> Counts:
        """Count the entries of each column that equal ``value``, of shape (n_columns,)."""
        first = self._search(self.values, value, right=False)
        last = self._search(self.values, value, right=True)
        return np.asarray(last - first + np.where(value == 0, self.n_zeros, 0))

    def count_beyond(self, lower: Floats, upper: Floats) -> Counts:
        """Count the entries of each column below ``lower`` or above ``upper``."""
        below = self._search(self.values, lower, right=False) - self.start
        above = self.end - self._search(self.values, upper, right=True)
        outside = (lower > 0) | (upper < 0)
        return np.asarray(below + above + np.where(outside, self.n_zeros, 0))

    def clipped(self, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """Compute the mean and the variance of each column clipped at limits."""
        mean, variance = self._clipped(lower - self.centre, upper - self.centre, self._columns)
        return mean + self.centre, variance

    def limits(self, n_sd: float | None) -> Limits:
        """Find the limits of winsorising; those of the first round where they do not settle."""
        n_columns = len(self.end)
        unlimited = np.full(n_columns, np.inf)
        if n_sd is None:
            return Limits(-unlimited, unlimited, np.ones(n_columns, dtype=np.bool_))
        found = winsorising_limits(self, n_sd, n_columns, np.flatnonzero(self.n > 0))
        reach = n_sd * np.sqrt(self.variance)
        return Limits(
            np.where(found.settled, found.lower + self.centre, self.mean - reach),
            np.where(found.settled, found.upper + self.centre, self.mean + reach),
            found.settled,
        )

    def clip(self, lower: Floats, upper: Floats, columns: npt.NDArray[np.intp]) -> Clipped:
        """Describe some columns clipped at limits, all about the columns' medians."""
        mean, variance = self._clipped(lower, upper, columns)
        least, most = self.lowest - self.centre, self.highest - self.centre
        furthest = np.maximum(
            np.minimum(most[columns], upper) - mean, mean - np.maximum(least[columns], lower)
        )
        return Clipped(mean, np.sqrt(variance), furthest)

    def _clipped(self, lower: Floats, upper: Floats, columns: Counts) -> tuple[Floats, Floats]:
        """Mean and variance about the centre of some columns, clipped at limits about it."""
        start, end, n = self.start[columns], self.end[columns], self.n[columns]
        first = self._search(self._about, lower, right=False, columns=columns)
        last = self._search(self._about, upper, right=True, columns=columns)
        # What entries equal to the median count as, winsorised like all others.
        zero = np.clip(-self.centre[columns], lower, upper)
        n_zeros, below, above = self.n_zeros[columns], first - start, end - last
        # Infinite limits clip nothing, and nothing times infinity is not zero.
        low, high = np.where(below > 0, lower, 0.0), np.where(above > 0, upper, 0.0)
        total = below * low + above * high
        squares = below * low**2 + above * high**2
        total += np.where(n_zeros > 0, n_zeros * zero, 0.0)
        squares += np.where(n_zeros > 0, n_zeros * zero**2, 0.0)
        total += self._running(self._sums, last, start) - self._running(self._sums, first, start)
        squares += self._running(self._squares, last, start)
        squares -= self._running(self._squares, first, start)
        # Divides nothing by 1 in a column without values, whose mean is NaN.
        known = np.maximum(n, 1)
        mean = np.where(n > 0, total / known, np.nan)
        # Sums are about the median, so that nothing but rounding makes a variance negative.
        return mean, np.maximum(squares / known - mean**2, 0.0)

    @staticmethod
    def _running(sums: Floats, at: Counts, start: Counts) -> Floats:
        """Sum of the values of a column before ``at``."""
        if not len(sums):
            return np.zeros(len(at))
        # An index only; the sum before the first value is the 0 beside it.
        return np.asarray(np.where(at > start, sums[np.maximum(at - 1, 0)], 0.0))

    def _search(
        self, values: Floats, target: Floats, *, right: bool, columns: Counts | None = None
    ) -> Counts:
        """Find where each target would be inserted into its column, by bisection of all at once."""
        low = (self.start if columns is None else self.start[columns]).copy()
        high = (self.end if columns is None else self.end[columns]).copy()
        if not len(values):
            return low
        while (low < high).any():
            middle = np.minimum((low + high) // 2, len(values) - 1)
            there = values[middle]
            beyond = (there <= target) if right else (there < target)
            searching = low < high
            low = np.where(searching & beyond, middle + 1, low)
            high = np.where(searching & ~beyond, middle, high)
        return low
