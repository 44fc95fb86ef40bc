"""Tables of a benchmark's results: means, ranks, differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Column to the name that readers see; larger is better in all.
METRICS: Mapping[str, str] = {
    "nmi": "NMI",
    "accuracy": "cluster accuracy",
    "ari": "ARI",
    "silhouette": "silhouette",
    "knn": "KNN accuracy",
    "knn_balanced": "KNN balanced accuracy",
    "logrank": "−log10 p (log-rank)",
    "concordance": "concordance (Cox)",
}
# A silhouette is measured in each method's own embedding, and says nothing between methods.
RANKED = tuple(metric for metric in METRICS if metric != "silhouette")
LABEL_METRICS = ("nmi", "accuracy", "ari", "silhouette", "knn", "knn_balanced")
SURVIVAL_METRICS = ("logrank", "concordance")


@dataclass(frozen=True, eq=False)
class Spread:
    """Means and standard deviations over seeds, tasks by methods.

    A task is a cohort and one of its label columns. ``sd`` is ``NaN`` for a
    single run.
    """

    mean: pd.DataFrame
    sd: pd.DataFrame


def results_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per unit and label column, from the records of finished units.

    Columns: ``cohort``, ``label``, ``task`` (the cohort, and the label where
    there are several), ``method``, ``name``, ``seed``, the scores of
    :func:`poems_benchmark.scores.scoring.score`, ``logrank``
    (-log10 of ``logrank_p``), ``n_factors``, ``seconds`` of the fit,
    ``peak_mb``, the highest memory of its process meanwhile, and ``added_mb``,
    how much of it came on top.
    """
    rows = []
    for record in records:
        several = len(record["scores"]) > 1
        for scores in record["scores"]:
            cohort, label = record["cohort"], scores["label"]
            rows.append(
                {
                    "cohort": cohort,
                    "label": label,
                    "task": f"{cohort}: {label}" if several else cohort,
                    **{key: record[key] for key in ("method", "name", "seed")},
                    **{key: value for key, value in scores.items() if key != "label"},
                    **{key: record[key] for key in ("n_factors", "seconds", "peak_mb", "added_mb")},
                }
            )
    first = ["cohort", "label", "task", "method", "name", "seed"]
    last = ["n_factors", "seconds", "peak_mb", "added_mb"]
    table = pd.DataFrame(rows, columns=None if rows else [*first, *last])
    wanted = [*LABEL_METRICS, "logrank_p", "concordance"]
    table = table.reindex(columns=list(dict.fromkeys([*table.columns, *wanted])))
    numbers = [column for column in table.columns if column not in first]
    table[numbers] = table[numbers].astype(float)
    # A p-value below the smallest number counts as that.
    table["logrank"] = -np.log10(table["logrank_p"].clip(lower=np.finfo(float).tiny))
    scores = [column for column in numbers if column not in last] + ["logrank"]
    return table[[*first, *scores, *last]]


def spread(table: pd.DataFrame, metric: str, methods: Sequence[str]) -> Spread:
    """Return mean and spread over seeds of a metric, of the methods that have results.

    Tasks without the metric are left out. Survival scores do not depend on
    the label column, so that their tasks are cohorts.

    Parameters
    ----------
    table
        As of :func:`results_table`.
    metric
        A column.
    methods
        Methods, in the order of the result's columns.
    """
    task = "cohort" if metric in SURVIVAL_METRICS else "task"
    used = table[table["method"].isin(methods) & table[metric].notna()]
    if task == "cohort":
        used = used.drop_duplicates(["cohort", "method", "seed"])
    groups = used.groupby([task, "method"], sort=False)[metric]
    columns = [method for method in methods if method in set(used["method"])]
    mean, sd = groups.mean().unstack("method"), groups.std(ddof=1).unstack("method")
    tasks = list(dict.fromkeys(used[task]))
    return Spread(
        mean.reindex(index=tasks, columns=columns), sd.reindex(index=tasks, columns=columns)
    )


def mean_ranks(
    table: pd.DataFrame, methods: Sequence[str], metrics: Sequence[str] = RANKED
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the mean rank of each method by each metric, and on how many cohorts.

    On each task the method with the highest mean has rank 1; equal ones share
    their mean rank. Ranks are averaged over a cohort's label columns first,
    then over cohorts. Only tasks on which all the methods have a result count.

    Returns
    -------
    ranks
        DataFrame of shape (n_methods, n_metrics), ``NaN`` where nothing counts.
    n_cohorts
        Series by metric.
    """
    cohort_of = {**dict(zip(table["task"], table["cohort"], strict=True))}
    ranks, counts = {}, {}
    for metric in metrics:
        mean = spread(table, metric, methods).mean.dropna()
        if mean.shape[1] < len(methods):
            mean = mean.iloc[:0]
        ranked = mean.rank(axis=1, ascending=False)
        by_cohort = ranked.groupby(ranked.index.map(lambda task: cohort_of.get(task, task))).mean()
        ranks[metric], counts[metric] = by_cohort.mean().reindex(list(methods)), len(by_cohort)
    return pd.DataFrame(ranks), pd.Series(counts, name="n_cohorts")


def differences(
    table: pd.DataFrame, methods: Sequence[str], reference: str, metrics: Sequence[str]
) -> pd.DataFrame:
    """Return by how much each method is above the reference, the mean over their common tasks.

    Of shape (n_methods, n_metrics), with a column ``seconds`` that is a ratio.
    """
    result = {}
    for metric in metrics:
        mean = spread(table, metric, [reference, *methods]).mean
        if reference in mean:
            result[metric] = mean.sub(mean[reference], axis=0).mean()
    times = spread(table.drop_duplicates(["cohort", "method", "seed"]), "seconds", list(methods))
    own = spread(table.drop_duplicates(["cohort", "method", "seed"]), "seconds", [reference])
    if reference in own.mean:
        result["seconds"] = times.mean.div(own.mean[reference], axis=0).mean()
    return pd.DataFrame(result).reindex(list(methods)).dropna(how="all")


def held_to(
    table: pd.DataFrame, reference: str, others: Sequence[str], metric: str = "nmi"
) -> pd.DataFrame:
    """Return the reference beside the best of other methods on each task.

    Columns: ``reference`` and ``sd``, its mean and spread; ``best`` and
    ``score``, the other method with the highest mean; ``difference``.
    """
    found = spread(table, metric, [reference, *others])
    rest = [name for name in others if name in found.mean]
    if reference not in found.mean or not rest:
        return pd.DataFrame(columns=["reference", "sd", "best", "score", "difference"])
    both = found.mean[found.mean[reference].notna() & found.mean[rest].notna().any(axis=1)]
    return pd.DataFrame(
        {
            "reference": both[reference],
            "sd": found.sd.loc[both.index, reference],
            "best": both[rest].idxmax(axis=1),
            "score": both[rest].max(axis=1),
            "difference": both[reference] - both[rest].max(axis=1),
        }
    )
