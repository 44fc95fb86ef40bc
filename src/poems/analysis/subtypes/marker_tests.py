"""The tests behind markers: each feature against subtypes formed without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.subtypes.half_subtypes import HalfSubtypes
from poems.analysis.testing.rank_tests import RankedFeatures, one_vs_rest, rank_features
from poems.scaling.batch import Batch

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

_ROUNDING: Final = 1e-6

COLUMNS: Final = [
    "view",
    "feature",
    "subtype",
    "effect",
    "direction",
    "auc",
    "mean_in",
    "mean_out",
    "n_in",
    "n_out",
    "p",
    "q",
]
# Entries that are ranked at once.
_BLOCK_ENTRIES: Final = 1 << 21

_Floats = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.intp]


def marker_table(
    model: FittedPoems,
    data: Batch,
    reported: _Codes,
    names: Sequence[str],
    halves: Sequence[HalfSubtypes],
) -> pd.DataFrame:
    """Test every feature against the subtypes formed without it; see
    :class:`poems.analysis.subtypes.markers.Markers` for the columns.

    Parameters
    ----------
    model
        Whose features these are.
    data
        The samples on the model's scale.
    reported
        Reported subtype of each sample, its place among ``names``.
    names
        Names of the subtypes.
    halves
        Subtypes formed from halves of the features, the two halves of a split one
        after the other.
    """
    parts = [_test_view(model, data, view, reported, names, halves) for view in model.view_names]
    table = pd.concat(parts, ignore_index=True)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    place = pd.Categorical(table["subtype"], list(names)).codes
    order = np.lexsort((-table["effect"].abs().to_numpy(), table["p"].to_numpy(), place))
    return table.iloc[order][COLUMNS].reset_index(drop=True)


def _test_view(
    model: FittedPoems,
    data: Batch,
    view: str,
    reported: _Codes,
    names: Sequence[str],
    halves: Sequence[HalfSubtypes],
) -> pd.DataFrame:
    """Test the features of one view, a bounded number at a time."""
    values, mask = data.values[view], data.observed[view]
    there = data.measured[:, list(data.values).index(view), None].expand_as(values)
    there = there if mask is None else there & mask
    scaling = model.preprocessing.views[view]
    width = max(1, _BLOCK_ENTRIES // len(data))
    parts = []
    for start in range(0, values.shape[1], width):
        columns = np.arange(start, min(start + width, values.shape[1]))
        some = torch.from_numpy(columns)
        block = values[:, some].double().numpy()
        known = there[:, some].numpy()
        ranked = rank_features(block, known)
        found = _effects(block, known, reported, len(names))
        circular = one_vs_rest(ranked, reported, len(names))
        tested = [(np.isin(columns, half.features[view]), half.codes) for half in halves]
        fitted = _cross_fitted(ranked, tested, np.sign(found["effect"]))
        found |= {"auc": circular.auc, "p": np.fmax(fitted, circular.p)}
        scale = scaling.scale[columns, None]
        raw = scaling.own is not None and scaling.own.kind != "heavy"
        if scaling.own is not None and raw:
            targets = data.targets[view][:, some].double().numpy()
            means = _effects(targets, known, reported, len(names))
            found |= {key: scaling.own.invert(means[key]) for key in ("mean_in", "mean_out")}
        for column in () if raw else ("mean_in", "mean_out"):
            moved = found[column] * scale + scaling.offset[columns, None]
            # Values are single precision: what is left of a mean of 0 is their rounding.
            found[column] = np.where(np.abs(moved) < _ROUNDING * scale, 0.0, moved)
        parts.append(
            pd.DataFrame(
                {
                    "view": view,
                    "feature": np.repeat(scaling.features[columns], len(names)),
                    "subtype": np.tile(np.array(names, dtype=object), len(columns)),
                    **{name: array.ravel() for name, array in found.items()},
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    sign = np.sign(table["effect"].to_numpy())
    table["direction"] = np.select([sign > 0, sign < 0], ["up", "down"], "none")
    return table


def _effects(
    values: _Floats, there: npt.NDArray[np.bool_], codes: _Codes, n_groups: int
) -> dict[str, npt.NDArray[Any]]:
    """Compare each reported subtype with the other samples: arrays (n_features, n_groups)."""
    member = (codes[:, None] == np.arange(n_groups)).astype(np.float64)
    x = np.where(there, values, 0.0)
    inside = there.T.astype(np.float64) @ member
    total = there.sum(axis=0).astype(np.float64)[:, None]
    sums = x.T @ member
    # No value in a group, or in none: its means are NaN, and its counts of 0 stand beside them.
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = x.sum(axis=0) / total[:, 0]
        spread = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=0) / total[:, 0])
        mean_in = sums / inside
        mean_out = (x.sum(axis=0)[:, None] - sums) / (total - inside)
        effect = np.where(spread[:, None] > 0, (mean_in - mean_out) / spread[:, None], np.nan)
    return {
        "effect": effect,
        "mean_in": mean_in,
        "mean_out": mean_out,
        "n_in": inside.astype(np.int64),
        "n_out": (total - inside).astype(np.int64),
    }


def _cross_fitted(
    ranked: RankedFeatures, tested: Sequence[tuple[npt.NDArray[np.bool_], _Codes]], sign: _Floats
) -> _Floats:
    """Combine the tests over splits, (n_features, n_groups).

    ``tested`` holds, of each half, which features are tested and the subtypes.
    """
    splits = []
    for at in range(0, len(tested), 2):
        p = np.ones(sign.shape)
        for own, codes in tested[at : at + 2]:
            tests = one_vs_rest(ranked, codes, sign.shape[1])
            # A subtype that was not found again has no p: nothing speaks for a marker.
            agrees = np.sign(tests.auc - 0.5) == sign
            # No p is the p of no evidence, 1: it can only make a marker weaker.
            found = np.where(agrees, np.nan_to_num(tests.p, nan=1.0), 1.0)
            p[own] = found[own]
        splits.append(p)
    combined = splits[0] if len(splits) == 1 else 2.0 * np.median(np.stack(splits), axis=0)
    return np.where(ranked.squares[:, None] > 0, np.minimum(combined, 1.0), np.nan)
