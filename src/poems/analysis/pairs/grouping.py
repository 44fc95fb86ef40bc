"""Which feature stands for each of a pair: those of a view that are nearly copies count as one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from poems.analysis.pairs.alike import GROUP_COLUMNS
from poems.analysis.pairs.data import PairData
from poems.fitting.result import FittedPoems
from poems.scaling.redundancy import stand_ins


def with_groups(table: pd.DataFrame, model: FittedPoems, data: PairData) -> pd.DataFrame:
    """Add to pairs which feature stands for each of the two.

    Of features of a view that say the same (:func:`poems.scaling.redundancy.stand_ins`), as
    copy numbers along a chromosome arm do, the one of the highest score stands for all.

    Parameters
    ----------
    table
        Pairs by decreasing size of their scores, with ``view_a``, ``feature_a`` and so on.
    model
        The fitted model.
    data
        The values that the pairs were correlated on.
    """
    stands: dict[tuple[str, str], str] = {}
    ends = [(table[f"view_{side}"], table[f"feature_{side}"]) for side in "ab"]
    for view in dict.fromkeys(str(name) for views, _ in ends for name in views):
        # In the order of the scores, whichever side of a pair a feature is on.
        own = pd.concat([features[views == view] for views, features in ends]).sort_index()
        names = list(dict.fromkeys(own))
        at = model.features(view).get_indexer(pd.Index(names))
        there = data.there[view][:, at]
        rows = there.any(axis=1)
        values = np.where(there, data.values[view][:, at], 0.0)[rows].astype(np.float32)
        mask = None if there[rows].all() else torch.from_numpy(there[rows])
        leaders = stand_ins(torch.from_numpy(values), mask).tolist()
        stands |= {(view, name): names[k] for name, k in zip(names, leaders, strict=True)}
    groups = {
        column: [stands[str(view), name] for view, name in zip(views, features, strict=True)]
        for column, (views, features) in zip(GROUP_COLUMNS, ends, strict=True)
    }
    return table.assign(**groups)
