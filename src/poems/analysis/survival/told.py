"""What is said of a survival analysis, each sentence made from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from poems.analysis.survival.cox import EVENTS_PER_TERM, CoxFit
from poems.analysis.survival.curves import Curves
from poems.analysis.survival.outcome import Outcome
from poems.findings import Finding, count, name_some


def cohort_findings(outcome: Outcome, groups: pd.Series, fits: Sequence[CoxFit]) -> list[Finding]:
    """Say what the numbers of samples and events do not allow."""
    findings = []
    without = int(groups.isna().sum())
    if without:
        text = f"{count(without, 'sample')} with follow-up but without a subtype not in the curves"
        findings.append(Finding("note", "survival-no-subtype", text))
    penalised = [fit for fit in fits if fit.penalty and np.isfinite(fit.p)]
    if penalised:
        models = name_some((_called(fit) for fit in penalised), 4)
        text = (
            f"{outcome.n_events} events are few for {count(len(penalised), 'Cox model')} "
            f"({models}): fewer than {EVENTS_PER_TERM} for a coefficient, a group without any, or "
            "terms that follow from one another. A ridge penalty draws their hazard ratios to 1 "
            "and makes their tests cautious"
        )
        findings.append(Finding("note", "survival-penalised", text))
    failed = [fit for fit in fits if not np.isfinite(fit.p)]
    if failed:
        models = name_some((_called(fit) for fit in failed), 4)
        text = (
            f"{count(len(failed), 'Cox model')} could not be fitted ({models}): a factor that does "
            "not vary, or covariates that follow from one another; leave some out"
        )
        findings.append(Finding("warning", "survival-not-fitted", text))
    return findings


def result_findings(
    tests: pd.DataFrame,
    curves: Curves,
    logrank: pd.DataFrame,
    fits: Sequence[CoxFit],
    check: pd.DataFrame,
    concordance: pd.DataFrame,
    fdr: float,
) -> list[Finding]:
    """Say what came out: differences, factors, hazards that cross, concordance."""
    findings = []
    reported = tests[tests["reported"]]
    if not len(reported):
        known = tests["p"].dropna()
        closest = f" (smallest p {known.min():.2g})" if len(known) else ""
        text = (
            f"neither the subtypes nor any factor goes with survival at a false discovery rate of "
            f"{fdr:.0%} over {count(len(known), 'test')}{closest}"
        )
        findings.append(Finding("note", "survival-nothing", text))
    of_subtypes = reported[reported["what"] == "subtype"]
    if len(of_subtypes):
        findings.append(_subtypes_differ(of_subtypes, curves, logrank, fdr))
    factors = reported[reported["what"] != "subtype"].sort_values("p", kind="stable")
    if len(factors):
        ratios = [_ratio(fits, str(row.what), float(row.q)) for row in _rows(factors)]
        beside = factors.iloc[0]["adjusted_for"]
        adjusted = f", adjusted for {beside}" if beside else ""
        text = (
            f"{count(len(factors), 'factor')} with survival at a false discovery rate of {fdr:.0%}"
            f"{adjusted} (hazard ratio for a standard deviation): {name_some(ratios, 6)}"
        )
        items = tuple(map(str, factors["what"]))
        findings.append(Finding("note", "survival-factors", text, items=items))
    crossing = check[check["violated"]].drop_duplicates(["term", "level"])
    if len(crossing):
        terms = [
            f"{row.term}{f' {row.level}' if row.level else ''} (q {row.q:.2g})"
            for row in _rows(crossing.sort_values("q"))
        ]
        text = (
            f"hazards do not stay proportional over time for {name_some(terms, 6)}: such a hazard "
            "ratio is an average over the follow-up; look at the curves, and at the restricted "
            "means"
        )
        findings.append(Finding("warning", "survival-not-proportional", text))
    if len(concordance):
        findings.append(_concordance(concordance))
    return findings


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))


def _called(fit: CoxFit) -> str:
    head = fit.rows[0]
    beside = head["adjusted_for"]
    return f"{head['model']} beside {beside}" if beside else str(head["model"])


def _subtypes_differ(
    reported: pd.DataFrame, curves: Curves, logrank: pd.DataFrame, fdr: float
) -> Finding:
    tests = [
        f"{row.test} p {row.p:.2g}, q {row.q:.2g}"
        + (f", adjusted for {row.adjusted_for}" if row.adjusted_for else "")
        for row in _rows(reported)
    ]
    tested = set(logrank["group_a"]) | set(logrank["group_b"])
    order = curves.summary[curves.summary["subtype"].isin(tested)].sort_values("restricted_mean")
    worst, best = order.iloc[0], order.iloc[-1]
    pairs = logrank[(logrank["comparison"] != "overall") & (logrank["p_corrected"] <= fdr)]
    apart = f"; apart are {name_some(pairs['comparison'], 6)}" if len(pairs) else ""
    text = (
        f"survival differs between subtypes ({'; '.join(tests)}): up to time "
        f"{worst['until']:.4g} it lasts {worst['restricted_mean']:.4g} on average in "
        f"{worst['subtype']} and {best['restricted_mean']:.4g} in {best['subtype']}{apart}"
    )
    return Finding("note", "survival-subtypes", text)


def _ratio(fits: Sequence[CoxFit], factor: str, q: float) -> str:
    fit = next(fit for fit in fits if fit.rows[0]["model"] == factor)
    row = next(row for row in fit.rows if row["role"] == "term")
    limits = f"{row['lower']:.2f} to {row['upper']:.2f}"
    return f"{factor} {row['hazard_ratio']:.2f} ({limits}, q {q:.2g})"


def _concordance(concordance: pd.DataFrame) -> Finding:
    parts = []
    for row in _rows(concordance):
        sd = "" if pd.isna(row.sd) else f" ± {row.sd:.2f}"
        parts.append(f"{row.features} {row.concordance:.2f}{sd}")
    text = (
        f"concordance on held-out samples (0.5 is chance): {', '.join(parts)}; mean ± sd over "
        f"{count(int(concordance['n_repeats'].max()), 'repeat')}. The clustering was repeated "
        "within the folds; the factors were made from all samples, without their survival"
    )
    return Finding("note", "survival-concordance", text)
