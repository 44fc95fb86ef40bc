"""Which feature stands for each of a pair: those of a view that are nearly copies count as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.analysis.pairs.alike import GROUP_COLUMNS
from poems.analysis.pairs.data import PairData
from poems.analysis.pairs.scores import ViewResponses
from poems.scaling.redundancy import stand_ins

_Positions = npt.NDArray[np.intp]


def stand_ins_by_view(
    data: PairData, responses_of: Mapping[str, ViewResponses]
) -> dict[str, _Positions]:
    """Find the features of each view that stand for others that say the same.

    Of features that do (:func:`poems.scaling.redundancy.stand_ins`), as copy numbers along a
    chromosome arm, the one that its factors drive most stands for all.

    Parameters
    ----------
    data
        The values that pairs are correlated on.
    responses_of
        What the model predicts of each view. Features that it does not drive, or that are not
        tested, stand for themselves.

    Returns
    -------
    By view, of shape (n_features,): for each feature the number of the one that stands for it,
    where features are numbered through all views.
    """
    found, n_before = {}, 0
    for view in dict.fromkeys(name for both in data.shared for name in both):
        response, there = responses_of[view], data.there[view]
        strength = np.linalg.norm(response.curves, axis=1)
        driven = response.features[np.argsort(-strength, kind="stable")]
        driven = driven[np.isin(driven, data.kept[view])]
        rows = there[:, driven].any(axis=1)
        own = there[np.ix_(rows, driven)]
        values = np.where(own, data.values[view][np.ix_(rows, driven)], 0.0).astype(np.float32)
        mask = None if own.all() else torch.from_numpy(own)
        stands = np.arange(there.shape[1])
        stands[driven] = driven[stand_ins(torch.from_numpy(values), mask).numpy()]
        found[view] = stands + n_before
        n_before += len(stands)
    return found


def with_groups(table: pd.DataFrame, stands: Sequence[_Positions]) -> pd.DataFrame:
    """Add to pairs which feature stands for each of the two.

    Parameters
    ----------
    table
        Pairs by decreasing size of their scores, with ``feature_a`` and ``feature_b``.
    stands
        For each of the two, numbers of :func:`stand_ins_by_view`, of shape (n_pairs,). All
        features of a number are told by the name of the first of them in the table.
    """
    names: dict[int, str] = {}
    features = zip(table["feature_a"], table["feature_b"], strict=True)
    for pair, numbers in zip(features, zip(*stands, strict=True), strict=True):
        for name, number in zip(pair, numbers, strict=True):
            names.setdefault(int(number), name)
    groups = zip(GROUP_COLUMNS, stands, strict=True)
    return table.assign(**{column: [names[int(k)] for k in own] for column, own in groups})
