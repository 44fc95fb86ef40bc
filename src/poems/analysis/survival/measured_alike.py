"""Survival of subtypes of which some are patterns of missing omics: compared like with like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from poems.analysis.subtypes.patterns import SubtypePattern
from poems.analysis.survival.logrank import logrank, stratified_logrank
from poems.analysis.survival.outcome import Outcome
from poems.findings import Finding, count, name_some
from poems.wording import p_text

# How the table of log-rank tests calls it.
MEASURED_ALIKE = "overall, among samples measured alike"


def measured_alike(
    outcome: Outcome,
    groups: pd.Series,
    measured: pd.DataFrame,
    patterns: Sequence[SubtypePattern],
) -> tuple[pd.DataFrame, Finding]:
    """Compare all subtypes again, each sample with those alone that have the same omics.

    Parameters
    ----------
    outcome
        Of the samples with follow-up.
    groups
        Subtype of each of these, missing where there is none.
    measured
        Whether each omic was measured, of shape (n_samples, n_views).
    patterns
        The subtypes that were left out of the other tests.

    Returns
    -------
    A row for :func:`poems.analysis.survival.logrank.logrank_table`, and what is to be said.
    """
    known = groups.notna()
    there = measured.loc[groups.index[known]].to_numpy(dtype=bool)
    _, strata = np.unique(there, axis=0, return_inverse=True)
    time = outcome.time[known].to_numpy(dtype=np.float64)
    event = outcome.event[known].to_numpy(dtype=bool)
    own = groups[known].to_numpy().astype(str)
    found = stratified_logrank(time, event, own, strata.ravel())
    everyone = logrank(time, event, own)
    n_patterns = len(np.unique(strata))
    names = [each.subtype for each in patterns]
    text = (
        f"{name_some(names, 8)} left out of the tests, the curves show {_it(names)}: "
        f"{'it goes' if len(names) == 1 else 'they go'} with which omics were measured. With "
        f"{_it(names)}, and each sample compared with those alone that have the same omics "
        f"({count(n_patterns, 'pattern')}), the log-rank test gives {p_text(found.p)}; "
        f"whatever was measured, {p_text(everyone.p)}"
    )
    row = {
        "comparison": MEASURED_ALIKE, "group_a": "", "group_b": "", "n_samples": len(time),
        "n_events": int(event.sum()), "statistic": found.statistic, "df": found.df, "p": found.p,
        "p_corrected": found.p, "correction": "none: one test",
    }  # fmt: skip
    finding = Finding("note", "survival-missing-omics", text, items=tuple(names))
    return pd.DataFrame([row]), finding


def _it(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
