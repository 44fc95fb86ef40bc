"""Factors of two fits matched one to one, by their loadings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.errors import DataError
from poems.findings import name_some

Loadings = Mapping[str, pd.DataFrame] | Mapping[str, npt.NDArray[np.floating]]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FactorMatch:
    """Which estimated factor stands for which true one.

    Parameters
    ----------
    estimated
        Array of shape (n_true,): position of the estimated factor matched to
        each true one, -1 where there were too few.
    sign
        Array of shape (n_true,): -1 where the estimated factor points the
        other way, 1 elsewhere, 0 where unmatched or undecided.
    similarity
        Array of shape (n_true,): the cosine that was maximised, 0 where
        unmatched.
    """

    estimated: npt.NDArray[np.intp]
    sign: npt.NDArray[np.int64]
    similarity: _Floats


def match_factors(
    true_loadings: Loadings,
    estimated_loadings: Loadings,
    *,
    by: Literal["size", "signed"] = "size",
) -> FactorMatch:
    r"""Compute the one-to-one matching of factors with the largest sum of similarities.

    The similarity of two factors is the cosine of their loadings stacked over
    all views, a_k · b_l / (\|a_k\| \|b_l\|): of absolute loadings
    (``by="size"``), or the absolute cosine of signed ones (``by="signed"``).
    Size is the default because the sign of a loading of the sparse decoder
    carries no meaning by itself.

    Parameters
    ----------
    true_loadings, estimated_loadings
        By view, an array of shape (n_features, n_true) or (n_features,
        n_estimated). DataFrames are aligned by feature name.
    by
        What to compare.

    Raises
    ------
    DataError
        If views or features differ, or a loading is not finite.

    Examples
    --------
    >>> true = {"rna": np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])}
    >>> match_factors(true, {"rna": -true["rna"][:, ::-1]})
    FactorMatch(estimated=array([1, 0]), sign=array([-1, -1]), similarity=array([1., 1.]))
    """
    return match_stacked(*stack_loadings(true_loadings, estimated_loadings), by)


def match_stacked(true: _Floats, estimated: _Floats, by: Literal["size", "signed"]) -> FactorMatch:
    """Match loadings of shape (n_features, n_true) and (n_features, n_estimated), all views."""
    # Loaded when something is matched: it takes a quarter of a second.
    from scipy.optimize import linear_sum_assignment

    signed = _unit_columns(true).T @ _unit_columns(estimated)
    if by == "size":
        similarity = _unit_columns(np.abs(true)).T @ _unit_columns(np.abs(estimated))
    else:
        similarity = np.abs(signed)
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    n_true = true.shape[1]
    match = FactorMatch(
        np.full(n_true, -1, dtype=np.intp), np.zeros(n_true, dtype=np.int64), np.zeros(n_true)
    )
    match.estimated[rows] = columns
    match.sign[rows] = np.sign(signed[rows, columns])
    match.similarity[rows] = similarity[rows, columns]
    return match


def _unit_columns(x: _Floats) -> _Floats:
    """Scale columns to length 1, and leave columns of zeros as they are."""
    norm = np.linalg.norm(x, axis=0)
    return x / np.where(norm > 0, norm, 1.0)


def stack_loadings(true: Loadings, estimated: Loadings) -> tuple[_Floats, _Floats]:
    """Stack both over the views of the first, features in the same order.

    Raises
    ------
    DataError
        As in :func:`match_factors`.
    """
    if not true or set(true) != set(estimated):
        raise DataError(
            f"both must hold the same views: the true loadings have {name_some(true, 20)}, "
            f"the estimated ones {name_some(estimated, 20)}"
        )
    pairs = [_same_features(view, true[view], estimated[view]) for view in true]
    for which, tables in zip(("true", "estimated"), zip(*pairs, strict=True), strict=True):
        widths = {view: table.shape[1] for view, table in zip(true, tables, strict=True)}
        if len(set(widths.values())) > 1:
            raise DataError(f"the {which} loadings differ in their number of factors: {widths}")
    return np.vstack([pair[0] for pair in pairs]), np.vstack([pair[1] for pair in pairs])


def _same_features(
    view: str,
    true: pd.DataFrame | npt.NDArray[np.floating],
    estimated: pd.DataFrame | npt.NDArray[np.floating],
) -> tuple[_Floats, _Floats]:
    """Return both tables of a view as arrays with the same features in the same order."""
    if isinstance(true, pd.DataFrame) and isinstance(estimated, pd.DataFrame):
        differing = true.index.symmetric_difference(estimated.index)
        if len(differing):
            raise DataError(
                f"view '{view}': {len(differing)} features are in one table of loadings only: "
                f"{name_some(differing)}. Give a feature that was left out a row of zeros."
            )
        estimated = estimated.loc[true.index]
    first, second = (np.asarray(table, dtype=np.float64) for table in (true, estimated))
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise DataError(
            f"view '{view}': loadings must be tables of the same features by factors; their shapes "
            f"are {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError(f"view '{view}': a loading is not finite")
    return first, second
