"""Tuned settings judged honestly: chosen on some cohorts, scored on the one left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from poems.errors import DataError
from poems.evaluation.benchmark.summary import spread

By = Literal["mean", "rank"]


def leave_one_cohort_out(
    table: pd.DataFrame, candidates: Sequence[str], *, metric: str = "nmi", by: By = "mean"
) -> pd.DataFrame:
    """Choose among candidates on all cohorts but one, and score the choice on that one.

    A cohort with several label columns counts as one: its scores, or ranks,
    are averaged first. Of equal candidates the first is chosen.

    Parameters
    ----------
    table
        As of :func:`poems.evaluation.benchmark.summary.results_table`.
    candidates
        Methods to choose among, each with results on every cohort used.
    metric
        The column to choose and to score by.
    by
        Choose the highest ``"mean"``, or the lowest mean ``"rank"`` among the
        candidates.

    Returns
    -------
    DataFrame by the cohort left out: ``chosen``, its ``score`` there, and the
    ``best`` score that any candidate has there (not to be had honestly).

    Raises
    ------
    DataError
        If there are fewer than 2 candidates, or fewer than 2 cohorts on which
        all of them have results.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "cohort": list("xxyyzz"), "task": list("xxyyzz"), "method": ["a", "b"] * 3,
    ...     "seed": 0, "nmi": [0.9, 0.1, 0.2, 0.3, 0.2, 0.3],
    ... })
    >>> leave_one_cohort_out(table, ["a", "b"])["chosen"].to_dict()
    {'x': 'b', 'y': 'a', 'z': 'a'}
    """
    if len(set(candidates)) < 2:
        raise DataError("choosing needs at least 2 candidates")
    found = spread(table, metric, candidates).mean.reindex(columns=list(candidates)).dropna()
    cohort_of = dict(zip(table["task"], table["cohort"], strict=True))
    cohorts = found.index.map(lambda task: cohort_of.get(task, task))
    scores = found.groupby(cohorts, sort=False).mean()
    worth = scores
    if by == "rank":
        worth = -found.rank(axis=1, ascending=False).groupby(cohorts, sort=False).mean()
    if len(scores) < 2:
        raise DataError(
            f"choosing needs at least 2 cohorts on which all of {', '.join(candidates)} have "
            f"results; there {'is' if len(scores) == 1 else 'are'} {len(scores)}"
        )
    rows = {}
    for cohort in scores.index:
        chosen = worth.drop(index=cohort).mean().idxmax()
        rows[cohort] = {
            "chosen": chosen,
            "score": scores.loc[cohort, chosen],
            "best": scores.loc[cohort].max(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("cohort")
