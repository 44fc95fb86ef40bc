"""Recovery of planted loadings: factors are matched first, then the non-zeros are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from poems.errors import DataError
from poems.resampling.factor_matching import (
    FactorMatch,
    Loadings,
    match_factors,
    match_stacked,
    stack_loadings,
)

__all__ = [
    "FactorMatch",
    "Loadings",
    "SupportScores",
    "match_factors",
    "support_auprc",
    "support_scores",
]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SupportScores:
    """Agreement of two patterns of non-zeros; a ratio without a denominator is NaN.

    Parameters
    ----------
    precision
        Share of the estimated non-zeros that are true.
    recall
        Share of the true non-zeros that were found.
    f1
        Harmonic mean of the two.
    n_true, n_estimated, n_common
        Numbers of non-zeros.
    """

    precision: float
    recall: float
    f1: float
    n_true: int
    n_estimated: int
    n_common: int


def support_scores(
    true_loadings: Loadings,
    estimated_loadings: Loadings,
    *,
    threshold: float = 0.0,
    by: Literal["size", "signed"] = "size",
) -> SupportScores:
    """Compute precision, recall and F1 of the non-zero loadings, after matching the factors.

    Non-zeros of estimated factors that match no true one count as false.

    Parameters
    ----------
    true_loadings, estimated_loadings, by
        As in :func:`match_factors`.
    threshold
        An estimated loading counts as non-zero when it is larger than this in
        absolute value.

    Raises
    ------
    DataError
        As in :func:`match_factors`.

    Examples
    --------
    >>> true = {"rna": np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])}
    >>> support_scores(true, {"rna": np.array([[0.0, 0.9], [1.8, 0.0], [0.0, 0.0]])}).recall
    0.6666666666666666
    """
    true, estimated = stack_loadings(true_loadings, estimated_loadings)
    planted, scores = _aligned(true, estimated, by)
    found = scores > threshold
    n_true, n_estimated, n_common = (
        int(planted.sum()),
        int(found.sum()),
        int((planted & found).sum()),
    )
    return SupportScores(
        precision=_ratio(n_common, n_estimated),
        recall=_ratio(n_common, n_true),
        f1=_ratio(2 * n_common, n_true + n_estimated),
        n_true=n_true,
        n_estimated=n_estimated,
        n_common=n_common,
    )


def support_auprc(
    true_loadings: Loadings, scores: Loadings, *, by: Literal["size", "signed"] = "size"
) -> float:
    """Compute the area under the precision-recall curve (average precision) of the support.

    Pairs of feature and factor are ranked by the absolute score: loadings of
    any method, or inclusion probabilities. Pairs of an estimated factor that
    matches no true one are negatives; those of a true factor without a match
    come last.

    Parameters
    ----------
    true_loadings
        As in :func:`match_factors`.
    scores
        By view, an array of shape (n_features, n_estimated).
    by
        As in :func:`match_factors`.

    Raises
    ------
    DataError
        If no true loading differs from zero; or as in :func:`match_factors`.

    Examples
    --------
    >>> true = {"rna": np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])}
    >>> support_auprc(true, {"rna": np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.7]])})
    1.0
    """
    from sklearn.metrics import average_precision_score

    planted, ranked = _aligned(*stack_loadings(true_loadings, scores), by)
    if not planted.any():
        raise DataError("the true loadings are all zero; there is no support to find")
    return float(average_precision_score(planted.ravel(), ranked.ravel()))


def _aligned(
    true: _Floats, estimated: _Floats, by: Literal["size", "signed"]
) -> tuple[npt.NDArray[np.bool_], _Floats]:
    """Return planted pattern and absolute estimates, matched factors in the same column."""
    match = match_stacked(true, estimated, by)
    matched = match.estimated >= 0
    order = match.estimated[matched]
    extra = np.setdiff1d(np.arange(estimated.shape[1]), order)
    n_features, n_true = true.shape
    planted = np.zeros((n_features, n_true + len(extra)), dtype=bool)
    planted[:, :n_true] = true != 0
    scores = np.zeros(planted.shape)
    scores[:, np.flatnonzero(matched)] = np.abs(estimated[:, order])
    scores[:, n_true:] = np.abs(estimated[:, extra])
    return planted, scores


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
