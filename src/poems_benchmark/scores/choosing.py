"""Tuned settings judged honestly: chosen on some cohorts, scored on the one left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from poems.errors import DataError
from poems_benchmark.scores.summary import spread

By = Literal["mean", "rank"]


def leave_one_cohort_out(
    table: pd.DataFrame,
    candidates: Sequence[str],
    *,
    reference: str | None = None,
    studies: Mapping[str, str] | None = None,
    metric: str = "nmi",
    by: By = "mean",
) -> pd.DataFrame:
    """Choose among candidates on all cohorts but one, and score the choice on that one.

    A cohort with several label columns counts as one: its scores, or ranks,
    are averaged first. Of equal candidates the first is chosen. Cohorts on which
    not all candidates have results are not used.

    Parameters
    ----------
    table
        As of :func:`poems_benchmark.scores.summary.results_table`.
    candidates
        Methods to choose among.
    reference
        A method whose score stands beside that of the choice, such as the default.
    studies
        Cohort to the study that its samples are from. With a cohort all others
        of its study are left out, for they share samples; by default each is
        its own.
    metric
        The column to choose and to score by.
    by
        Choose the highest ``"mean"``, or the lowest mean ``"rank"`` among the
        candidates.

    Returns
    -------
    DataFrame by the cohort left out: ``chosen``, its ``score`` there, that of
    the ``reference`` and their ``difference`` (``NaN`` without), ``best_candidate``
    and ``best``, the score of the candidate that is best there (not to be had
    honestly).

    Raises
    ------
    DataError
        If there are fewer than 2 candidates, or fewer than 2 cohorts, or
        studies, on which all of them have results.

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
    scores, ranks = _by_cohort(table, candidates, metric)
    study = pd.Series({cohort: (studies or {}).get(cohort, cohort) for cohort in scores.index})
    for what, n in (("cohorts", len(scores)), ("studies", study.nunique())):
        if n < 2:
            raise DataError(
                f"choosing needs at least 2 {what} on which all of {', '.join(candidates)} have "
                f"results; there {'is' if n == 1 else 'are'} {n}"
            )
    own = pd.Series(dtype=float)
    if reference is not None and reference in set(table["method"]):
        own = _by_cohort(table, [reference], metric)[0][reference]
    rows = {}
    for cohort in scores.index:
        others = (study != study[cohort]).to_numpy()
        chosen = _best(scores[others], ranks[others], by)
        rows[cohort] = {
            "chosen": chosen,
            "score": scores.loc[cohort, chosen],
            "reference": own.get(cohort, np.nan),
            "best_candidate": scores.loc[cohort].idxmax(),
            "best": scores.loc[cohort].max(),
        }
    result = pd.DataFrame.from_dict(rows, orient="index").rename_axis("cohort")
    result.insert(3, "difference", result["score"] - result["reference"])
    return result


def chosen_on_all(
    table: pd.DataFrame, candidates: Sequence[str], *, metric: str = "nmi", by: By = "mean"
) -> str:
    """Return the candidate that is chosen on all cohorts together: to be used, not to be scored.

    Parameters are those of :func:`leave_one_cohort_out`.

    Raises
    ------
    DataError
        If there is no cohort on which all candidates have results.
    """
    scores, ranks = _by_cohort(table, candidates, metric)
    if scores.empty:
        raise DataError(f"there is no cohort on which all of {', '.join(candidates)} have results")
    return _best(scores, ranks, by)


def _best(scores: pd.DataFrame, ranks: pd.DataFrame, by: By) -> str:
    worth = scores if by == "mean" else -ranks
    return str(worth.mean().idxmax())


def _by_cohort(
    table: pd.DataFrame, candidates: Sequence[str], metric: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and ranks by cohort and candidate, label columns averaged."""
    names = list(dict.fromkeys(candidates))
    found = spread(table, metric, names).mean.reindex(columns=names).dropna()
    cohort_of = dict(zip(table["task"], table["cohort"], strict=True))
    cohorts = found.index.map(lambda task: cohort_of.get(task, task))
    ranks = found.rank(axis=1, ascending=False)
    return (
        found.groupby(cohorts, sort=False).mean(),
        ranks.groupby(cohorts, sort=False).mean(),
    )
