"""Scores by study, and choices among methods that are judged on studies they did not see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from poems.data.container import MultiOmics


def by_study(scores: pd.DataFrame, metric: str, studies: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a study and one column a space: seeds, labels and cohorts averaged in turn."""
    own = scores.groupby(["cohort", "label", "space"])[metric].mean()
    of_cohorts = own.groupby(["cohort", "space"]).mean().unstack()
    return of_cohorts.groupby(of_cohorts.index.map(dict(studies))).mean()


def leave_one_out(table: pd.DataFrame, by: str, reference: str) -> pd.DataFrame:
    """Choose the best space on all studies but one; score it there, beside the reference."""
    worth = table if by == "mean" else -table.rank(axis=1, ascending=False)
    rows = []
    for study in table.index:
        chosen = str(worth.drop(index=study).mean().idxmax())
        values = table.loc[study]
        rows.append((study, chosen, values[chosen], values[reference], values.max()))
    found = pd.DataFrame(rows, columns=["study", "chosen", "score", reference, "best"])
    return found.assign(gain=found["score"] - found[reference]).set_index("study")


def kinds_of(cohort: MultiOmics) -> set[str]:
    """Return which kinds a cohort is of: by its values, by what is missing, by its size."""
    few = [
        name
        for name, view in cohort.views.items()
        if len(np.unique(view.values[np.isfinite(view.values)])) <= 5
    ]
    incomplete = any(not view.measured.all() for view in cohort.views.values())
    return {
        "binary or ordinal views" if few else "all continuous",
        *({"missing omics"} if incomplete else ()),
        *({"n < 100"} if cohort.n_samples < 100 else ()),
    }
