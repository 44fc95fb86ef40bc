"""Which pairs of features of different views are tested."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

_Positions = npt.NDArray[np.intp]
_Floats32 = npt.NDArray[np.float32]

# Samples from which a view's own components are computed, at most.
_MOST_ROWS = 500


@dataclass(frozen=True, eq=False)
class Part:
    """Pairs of features of two views, none twice over all parts of a universe.

    Parameters
    ----------
    view_a, view_b
        The views.
    rows, columns
        Positions of features in the first and in the second.
    paired
        Whether these are single pairs, one of ``rows`` with the one at the
        same place in ``columns``, rather than each with each.
    """

    view_a: str
    view_b: str
    rows: _Positions
    columns: _Positions
    paired: bool = False

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.rows) if self.paired else len(self.rows) * len(self.columns)


def all_pairs(
    kept: Mapping[str, _Positions],
    chosen: Mapping[str, _Positions] | None = None,
) -> list[Part]:
    """Pair every feature with every one of another view.

    Parameters
    ----------
    kept
        By view, the features to pair.
    chosen
        By view, features one of which each pair must hold; ``None`` for all pairs.

    Examples
    --------
    >>> kept = {"rna": np.arange(3), "protein": np.arange(2)}
    >>> [part.n_pairs for part in all_pairs(kept)]
    [6]
    >>> chosen = {"rna": np.array([1]), "protein": np.array([0])}
    >>> [part.n_pairs for part in all_pairs(kept, chosen)]
    [2, 2]
    """
    parts = []
    for a, b in combinations(kept, 2):
        if chosen is None:
            parts.append(Part(a, b, kept[a], kept[b]))
            continue
        of_a, of_b = chosen.get(a, kept[a][:0]), chosen.get(b, kept[b][:0])
        parts.append(Part(a, b, of_a, kept[b]))
        # Without the pairs of two chosen features, which the first part holds.
        parts.append(Part(a, b, np.setdiff1d(kept[a], of_a), of_b))
    return [part for part in parts if part.n_pairs]


def single_pairs(pairs: pd.DataFrame, features: Mapping[str, pd.Index]) -> list[Part]:
    """Return the pairs of a table with columns view_a, feature_a, view_b, feature_b as parts."""
    parts = []
    for a, b in combinations(features, 2):
        rows = pairs[(pairs["view_a"] == a) & (pairs["view_b"] == b)]
        if not len(rows):
            continue
        first = features[a].get_indexer(pd.Index(rows["feature_a"]))
        second = features[b].get_indexer(pd.Index(rows["feature_b"]))
        parts.append(Part(a, b, first, second, paired=True))
    return parts


def fitting_cap(sizes: Mapping[str, int], shared: Mapping[tuple[str, str], int], work: int) -> int:
    """Find how many features of each view, at most, can be paired within an amount of work.

    Parameters
    ----------
    sizes
        By view, its number of features.
    shared
        By pair of views, the cost of a pair of features: samples that both have, and some more.
    work
        Sum of the costs that is allowed.

    Examples
    --------
    >>> fitting_cap({"rna": 20_000, "protein": 100}, {("rna", "protein"): 500}, 500 * 100_000)
    1000
    """

    def cost(cap: int) -> int:
        return sum(
            min(sizes[a], cap) * min(sizes[b], cap) * each for (a, b), each in shared.items()
        )

    low, high = 1, max(sizes.values(), default=1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= work else (low, middle - 1)
    return low


def most_coherent(x: _Floats32, n_features: int, n_components: int, seed: int) -> _Positions:
    """Find the features of a view that its own leading principal components explain best.

    A choice that knows nothing of the other views, and that no permutation of
    the rows of the view changes: tests among the chosen are as valid as among all.

    Parameters
    ----------
    x
        Standardised values, of shape (n_samples, n_features): columns of mean 0
        and length 1, or 0.
    n_features
        How many to choose.
    n_components
        How many components explain them.
    seed
        Of the choice of samples where there are very many.

    Returns
    -------
    Their positions, in increasing order.
    """
    if n_features >= x.shape[1]:
        return np.arange(x.shape[1])
    if len(x) > _MOST_ROWS:
        x = x[np.random.default_rng(seed).choice(len(x), _MOST_ROWS, replace=False)]
    _, vectors = np.linalg.eigh((x @ x.T).astype(np.float64))
    leading = vectors[:, -min(n_components, len(x) - 1) :].astype(np.float32)
    explained = np.square(leading.T @ x).sum(axis=0)
    order = np.argsort(-explained, kind="stable")[:n_features]
    return np.sort(order)


def positions_of(names: Collection[str], features: Mapping[str, pd.Index]) -> dict[str, _Positions]:
    """Find features by name in every view that has them."""
    wanted = set(map(str, names))
    return {
        view: np.flatnonzero([str(name) in wanted for name in index])
        for view, index in features.items()
    }
