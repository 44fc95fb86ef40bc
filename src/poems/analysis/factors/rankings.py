"""Features in the order of what speaks for their loading, those of zero loading among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from poems.errors import SettingsError

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

COLUMNS = ["factor", "view", "feature", "rank", "score", "loading"]


def rank_features(model: FittedPoems, n: int | None = None) -> pd.DataFrame:
    """Rank the features of each factor and view by the size of their loading's score.

    A loading of zero has a score too, so that the features next in line have a place. What
    is in the model is said by the loading alone.

    Parameters
    ----------
    model
        The fitted model.
    n
        Features of each factor in each view, at most; all by default.

    Returns
    -------
    DataFrame
        One row a feature, by factor, then view, then ``rank``, which counts from 1, with
        ``score``, as in ``model.loading_scores``, and ``loading``, as in ``model.loadings``.

    Raises
    ------
    SettingsError
        If ``n`` is below 1.
    DataError
        If the model has no scores.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> table = rank_features(model, 3)
    >>> table.groupby(["factor", "view"]).size().eq(3).all()
    np.True_
    """
    if n is not None and n < 1:
        raise SettingsError(f"n must be at least 1, not {n}")
    scores, loadings, parts = model.loading_scores, model.loadings, []
    for factor in model.factor_names:
        for view in model.view_names:
            score = scores[view][factor].to_numpy()
            order = np.argsort(-np.abs(score), kind="stable")[:n]
            part = {
                "factor": factor,
                "view": view,
                "feature": model.features(view)[order],
                "rank": np.arange(1, len(order) + 1),
                "score": score[order],
                "loading": loadings[view][factor].to_numpy()[order],
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
