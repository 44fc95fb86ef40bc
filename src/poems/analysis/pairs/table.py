"""The pairs of features that share factors and are significant: found, scored, described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.pairs.alike import GROUP_COLUMNS
from poems.analysis.pairs.data import PairData
from poems.analysis.pairs.grouping import stand_ins_by_view, with_groups
from poems.analysis.pairs.null import PairNull, levels_of
from poems.analysis.pairs.scores import ViewResponses
from poems.analysis.pairs.universe import Part

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

COLUMNS: Final = [
    "view_a",
    "feature_a",
    "view_b",
    "feature_b",
    "factors",
    "score",
    "predicted_correlation",
    "correlation",
    "n_samples",
    "p",
    "q",
    *GROUP_COLUMNS,
]
# Pairs that are scored, and sorted out, at once.
_SCORED: Final = 20_000
_WAITING: Final = 1_000_000

_Floats = npt.NDArray[np.float64]
_Floats32 = npt.NDArray[np.float32]
_Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FoundPairs:
    """Pairs of features, by decreasing size of the score; all arrays of shape (n_pairs,).

    ``part`` tells whose views they are of; ``first`` and ``second`` are
    positions of the features in these; ``score`` and ``level`` as in the table and the null;
    ``stands_a`` and ``stands_b`` are numbers of the features that stand for the two.
    """

    part: _Positions
    first: _Positions
    second: _Positions
    score: _Floats
    level: _Positions
    stands_a: _Positions
    stands_b: _Positions
    views: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, pieces: Sequence[FoundPairs], views: tuple[tuple[str, str], ...]) -> FoundPairs:
        """Put some together, in the order given."""
        none = np.empty(0, dtype=np.intp)
        each: dict[str, Any] = {
            name: np.concatenate([*(getattr(piece, name) for piece in pieces), none])
            for name in _ARRAYS
        }
        return cls(**each, views=views)

    def best(self, most: int) -> FoundPairs:
        """Return the best pair of each group that says the same, then the best of the others."""
        order = np.argsort(-np.abs(self.score), kind="stable")
        group = (self.stands_a[order] << 32) + self.stands_b[order]
        first = np.zeros(len(order), dtype=bool)
        first[np.unique(group, return_index=True)[1]] = True
        kept = np.argsort(~first, kind="stable")[:most]
        order = order[np.sort(kept)]
        return replace(self, **{name: getattr(self, name)[order] for name in _ARRAYS})


_ARRAYS: Final = ("part", "first", "second", "score", "level", "stands_a", "stands_b")


@dataclass(eq=False)
class _Best:
    """The best of the pairs seen so far, and how many were seen."""

    most: int
    views: tuple[tuple[str, str], ...]
    pieces: list[FoundPairs] = field(default_factory=list)
    n: int = 0
    waiting: int = 0

    def add(self, piece: FoundPairs) -> None:
        self.n += len(piece.part)
        self.waiting += len(piece.part)
        self.pieces.append(piece)
        if self.waiting > self.most + _WAITING:
            self.pieces, self.waiting = [self.best()], self.most

    def best(self) -> FoundPairs:
        return FoundPairs.of(self.pieces, self.views).best(self.most)


def significant_pairs(
    parts: Sequence[Part],
    data: PairData,
    null: PairNull,
    responses_of: Mapping[str, ViewResponses],
    *,
    fdr: float,
    factor: int | None,
    most: int,
) -> tuple[FoundPairs, int]:
    """Find the pairs that share a factor and reach a false discovery rate; score them.

    Parameters
    ----------
    parts, data, null, responses_of
        The universe, the values, the permutations and the model's responses.
    fdr
        The false discovery rate.
    factor
        Position of the factor that must drive both; ``None`` for any.
    most
        How many to return, at most.

    Returns
    -------
    The best by their scores, and how many there are in all. Where these are more, the best of
    each group that says the same come before others.
    """
    best = _Best(most, tuple((part.view_a, part.view_b) for part in parts))
    stands = stand_ins_by_view(data, responses_of)
    first = null.first_level(fdr)
    for at, part in enumerate(parts) if first is not None else ():
        one, other = responses_of[part.view_a], responses_of[part.view_b]
        rows, columns = one.place[part.rows], other.place[part.columns]
        if part.paired:
            driven = (rows >= 0) & (columns >= 0)
            rows, columns = rows[driven], columns[driven]
        else:
            rows, columns = rows[rows >= 0], columns[columns >= 0]
        # Only what is driven can be found.
        own = Part(
            part.view_a, part.view_b, one.features[rows], other.features[columns], part.paired
        )
        shared = data.shared[part.view_a, part.view_b]
        which = slice(None) if factor is None else slice(factor, factor + 1)
        by_a = one.driven[own.rows, which].astype(np.float32)
        by_b = other.driven[own.columns, which].astype(np.float32)
        for piece, levels in levels_of(own, shared.a[:, own.rows], shared.b[:, own.columns],
                                       shared.scale):  # fmt: skip
            if part.paired:
                common = np.einsum("ij,ij->i", by_a[piece], by_b[piece])
            else:
                common = by_a[piece] @ by_b.T
            where = np.nonzero((common > 0) & (levels >= (first or 0)))
            j, k = where[0] + piece.start, where[-1] + (piece.start if part.paired else 0)
            score = _dots(one.curves, other.curves, rows[j], columns[k])
            place, a, b = np.full(len(j), at), own.rows[j], own.columns[k]
            for_a, for_b = stands[part.view_a][a], stands[part.view_b][b]
            best.add(FoundPairs(place, a, b, score, levels[where], for_a, for_b, best.views))
    return best.best(), best.n


def _dots(first: _Floats32, second: _Floats32, rows: _Positions, columns: _Positions) -> _Floats:
    """Multiply rows of two arrays pair by pair, a bounded number at a time."""
    products = np.empty(len(rows))
    for start in range(0, len(rows), _SCORED):
        piece = slice(start, start + _SCORED)
        products[piece] = np.einsum("ij,ij->i", first[rows[piece]], second[columns[piece]])
    return products


def describe_pairs(
    model: FittedPoems,
    data: PairData,
    null: PairNull,
    responses_of: Mapping[str, ViewResponses],
    found: FoundPairs,
) -> pd.DataFrame:
    """Make the table of the pairs; its columns are those of :class:`CrossOmic`."""
    n = len(found.part)
    r, predicted, n_samples = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    names: dict[str, npt.NDArray[np.object_]] = {
        name: np.empty(n, dtype=object) for name in COLUMNS[:5]
    }
    factors = np.array(model.factor_names, dtype=object)
    for at, (a, b) in enumerate(found.views):
        rows = np.flatnonzero(found.part == at)
        if not len(rows):
            continue
        j, k = found.first[rows], found.second[rows]
        one, other = responses_of[a], responses_of[b]
        r[rows], n_samples[rows] = data.correlations(a, j, b, k)
        predicted[rows] = _dots(one.drawn.T, other.drawn.T, one.place[j], other.place[k])
        names["view_a"][rows], names["feature_a"][rows] = a, model.features(a)[j]
        names["view_b"][rows], names["feature_b"][rows] = b, model.features(b)[k]
        shared = one.driven[j] & other.driven[k]
        names["factors"][rows] = ["+".join(factors[each]) for each in shared]
    table = pd.DataFrame(
        {
            **names,
            "score": found.score,
            "predicted_correlation": predicted,
            "correlation": r,
            "n_samples": n_samples,
            "p": null.p_values()[found.level],
            "q": null.q_values()[found.level],
        }
    )
    return with_groups(table, (found.stands_a, found.stands_b))[COLUMNS]
