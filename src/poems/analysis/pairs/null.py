"""How large correlations of features of different views are by chance: by permutation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from poems.analysis.pairs.universe import Part

_Floats = npt.NDArray[np.float64]
_Floats32 = npt.NDArray[np.float32]
_Positions = npt.NDArray[np.intp]
_Bools = npt.NDArray[np.bool_]

# Statistics are compared in steps of 1 / RESOLUTION of their standard deviation under the null.
RESOLUTION: Final = 50
# Sets the permutations apart from whatever else is drawn with the same seed, such as a test's own
# permutation of the views, which one of these would otherwise undo.
_STREAM: Final = 0x70616972
# Correlations that are in memory at once.
_BLOCK: Final = 2_000_000


@dataclass(frozen=True, eq=False)
class SharedSamples:
    """Two views on the samples that both were measured on, ready to be correlated.

    ``a`` and ``b``: (n_shared, n_features), columns of mean 0 and length 1, or
    zeros where a feature is constant; a missing entry is at the mean, 0.
    ``rows``: positions of the shared samples in the cohort.
    """

    a: _Floats32
    b: _Floats32
    rows: _Positions

    @property
    def scale(self) -> float:
        """Statistics per correlation: sqrt(n_shared - 1) times the resolution."""
        return float(np.sqrt(len(self.rows) - 1) * RESOLUTION)


@dataclass(frozen=True, eq=False)
class PairNull:
    """How many pairs of a universe reach each level, in truth and by chance.

    Parameters
    ----------
    tails
        Counts of shape (1 + n_permutations, n_levels): of pairs whose statistic
        reaches each level; the first row is that of the data as they are.
    """

    tails: npt.NDArray[np.int64]

    @property
    def n_pairs(self) -> int:
        """Number of pairs in the universe."""
        return int(self.tails[0, 0])

    @property
    def n_permutations(self) -> int:
        """Number of permutations."""
        return len(self.tails) - 1

    def _ratios(self) -> _Floats:
        """By arrangement and level, mean number of pairs over the number there is."""
        mean = self.tails.mean(axis=0)
        ratios = np.full(self.tails.shape, np.inf)
        np.divide(mean, self.tails, out=ratios, where=self.tails > 0)
        return ratios

    def overall_p(self) -> float:
        """Compute the p-value of the hypothesis that no two views have anything to do with another.

        The statistic is the smallest false discovery rate at any level. Each
        permuted arrangement is treated as if it were the data; data whose views
        are independent are one such arrangement among the others, so the p-value
        is exact, whatever the dependence within views.
        """
        best = self._ratios().min(axis=1)
        return float((best <= best[0]).mean())

    def q_values(self) -> _Floats:
        """Compute the false discovery rate at each level, (n_levels,): falling, at most 1.

        q(t) = max(overall p, min over s <= t of mean N(s) / N_0(s)), with N_0(s) the
        number of pairs that reach level s and the mean over all arrangements, the
        data among them.
        """
        ratio = np.minimum.accumulate(self._ratios()[0])
        return np.minimum(np.maximum(ratio, self.overall_p()), 1.0)

    def p_values(self) -> _Floats:
        """Compute the p-value of a pair at each level, from the pairs of all permutations."""
        chance = self.tails[1:].sum(axis=0)
        return np.asarray((1 + chance) / (1 + self.n_permutations * self.n_pairs), dtype=np.float64)

    def first_level(self, fdr: float) -> int | None:
        """Return the lowest level at which the false discovery rate is at most ``fdr``."""
        significant = np.flatnonzero(self.q_values() <= fdr)
        return int(significant[0]) if len(significant) else None


def share_samples(a: _Floats32, b: _Floats32, there: tuple[_Bools, _Bools]) -> SharedSamples:
    """Take the samples on which both views have entries, and standardise.

    Parameters
    ----------
    a, b
        Values of all samples, of shape (n_samples, n_features).
    there
        Which entries were measured, of the same shapes.

    Examples
    --------
    >>> a = np.array([[1.0], [2.0], [np.nan], [3.0]], dtype=np.float32)
    >>> shared = share_samples(a, -a, (~np.isnan(a), ~np.isnan(a)))
    >>> shared.rows.tolist(), (shared.a.T @ shared.b).round(3).tolist()
    ([0, 1, 3], [[-1.0]])
    """
    rows = np.flatnonzero(there[0].any(axis=1) & there[1].any(axis=1))
    return SharedSamples(
        _standardise(a[rows], there[0][rows]), _standardise(b[rows], there[1][rows]), rows
    )


def _standardise(x: _Floats32, there: _Bools) -> _Floats32:
    values = np.where(there, x, 0.0)
    # Of a feature never measured: all of it is 0 below.
    n = np.maximum(there.sum(axis=0), 1)
    mean = values.sum(axis=0, dtype=np.float64) / n
    centred = np.where(there, values - mean, 0.0)
    length = np.sqrt(np.square(centred).sum(axis=0, dtype=np.float64))
    # What is constant but for rounding has no correlation.
    varies = length > 1e-6 * np.sqrt(n) * np.abs(values).max(axis=0, initial=0.0)
    return np.asarray(
        centred * np.where(varies, 1 / np.where(varies, length, 1.0), 0.0), np.float32
    )


def permutation_null(
    parts: Sequence[Part],
    shared: Mapping[tuple[str, str], SharedSamples],
    n_samples: int,
    *,
    n_permutations: int,
    seed: int,
) -> PairNull:
    """Count how many pairs reach each level as they are, and with the rows of views permuted.

    The statistic of a pair is abs(r) sqrt(n - 1), r the correlation over the n samples on which
    both views were measured: under permutation its square has mean 1 whatever the
    distributions, so pairs of views that share different numbers of samples compare. One
    permutation orders the samples of every view anew, each view on its own, so that
    whatever depends within a view still does.

    Parameters
    ----------
    parts
        The universe of pairs.
    shared
        By pair of views, the data.
    n_samples
        Samples of the cohort.
    n_permutations, seed
        How many, and of what seed.
    """
    widest = max(part.scale for part in shared.values())
    counts = np.zeros((n_permutations + 1, int(widest) + 2), dtype=np.int64)
    views = list(dict.fromkeys(view for part in parts for view in (part.view_a, part.view_b)))
    for part in parts:
        data = shared[part.view_a, part.view_b]
        a, b = data.a[:, part.rows], data.b[:, part.columns]
        for at in range(n_permutations + 1):
            x, y = a, b
            if at:
                rng = np.random.default_rng([seed, _STREAM, at])
                place = {view: rng.permutation(n_samples)[data.rows] for view in views}
                x, y = a[np.argsort(place[part.view_a])], b[np.argsort(place[part.view_b])]
            for _, levels in levels_of(part, x, y, data.scale):
                counts[at] += np.bincount(levels.ravel(), minlength=counts.shape[1])
    return PairNull(counts[:, ::-1].cumsum(axis=1)[:, ::-1].copy())


def levels_of(
    part: Part, a: _Floats32, b: _Floats32, scale: float
) -> Iterator[tuple[slice, _Positions]]:
    """Compute the level of each pair, a bounded block at a time.

    Yields which of the part's rows, and levels of shape (n, n_columns), or (n,)
    for a part of single pairs.
    """
    if part.paired:
        step = max(1, _BLOCK // max(1, len(a)))
        for start in range(0, len(part.rows), step):
            piece = slice(start, start + step)
            r = np.einsum("ij,ij->j", a[:, piece], b[:, piece])
            yield piece, (np.abs(r) * scale).astype(np.intp)
        return
    step = max(1, _BLOCK // max(1, len(part.columns)))
    for start in range(0, len(part.rows), step):
        piece = slice(start, start + step)
        r = a[:, piece].T @ b
        np.abs(r, out=r)
        r *= scale
        yield piece, r.astype(np.intp)
