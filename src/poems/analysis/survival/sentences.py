"""What is said of a survival analysis, each sentence made from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from poems.analysis.survival.cox import EVENTS_PER_TERM, UNTOLD, CoxFit, Why
from poems.analysis.survival.curves import Curves
from poems.analysis.survival.outcome import Outcome
from poems.findings import Finding, Severity, count, name_some
from poems.wording import p_text, with_unit

_RIDGE: Final = "A ridge penalty draws their hazard ratios to 1 and makes their tests cautious"
_UNADJUSTED: Final = (
    "Age, stage or treatment that differ between the subtypes may be why: name their columns as "
    "covariates (--covariates, in Python covariates=) to see what is left beside them"
)
# Why, how grave, the code, and the sentence.
_HOW: Final[tuple[tuple[Why, Severity, str, str], ...]] = (
    (
        "few events", "note", "survival-penalised",
        "{n_events} events are few for {models}: fewer than {few} for a coefficient, or a group "
        f"without any. {_RIDGE}",
    ),
    (
        "no maximum", "note", "survival-no-maximum",
        "{models} without a maximum of the likelihood: terms follow from one another, or a term "
        f"tells without fail who comes to the event first. {_RIDGE}",
    ),
    (
        "smaller steps", "note", "survival-smaller-steps",
        "{models} fitted by smaller steps, as the usual ones missed the maximum of the "
        "likelihood: the values of a term are far from a bell curve",
    ),
    (
        "constant", "warning", "survival-not-fitted",
        "{models} not fitted: the term does not vary among the samples with follow-up",
    ),
    (
        "failed", "warning", "survival-not-fitted",
        "{models} not fitted: the likelihood has no maximum that can be found, with a ridge "
        "penalty either. Look for values of the covariates that are far from all others, and for "
        "covariates that follow from one another; leave some out",
    ),
)  # fmt: skip


def cohort_findings(outcome: Outcome, groups: pd.Series, fits: Sequence[CoxFit]) -> list[Finding]:
    """Say what the numbers of samples and events do not allow."""
    findings = []
    without = int(groups.isna().sum())
    if without:
        text = f"{count(without, 'sample')} with follow-up but without a subtype not in the curves"
        findings.append(Finding("note", "survival-no-subtype", text))
    return findings + _how_fitted(outcome, fits)


def _how_fitted(outcome: Outcome, fits: Sequence[CoxFit]) -> list[Finding]:
    """Say which models took a penalty or smaller steps, or have no result, and for what cause."""
    findings = []
    for why, severity, code, tell in _HOW:
        some = [fit for fit in fits if fit.why == why]
        if some:
            models = f"{count(len(some), 'Cox model')} ({name_some((_called(f) for f in some), 4)})"
            text = tell.format(models=models, n_events=outcome.n_events, few=EVENTS_PER_TERM)
            findings.append(Finding(severity, code, text))
    for fit in fits:
        if fit.contradiction:
            text = (
                f"the tests of the Cox model of {_called(fit)} contradict each other: "
                f"{fit.contradiction}. The likelihood ratio is the one that counts; the limits of "
                "the hazard ratio, which go with Wald's test, do not hold"
            )
            findings.append(Finding("warning", "survival-tests-contradict", text))
    untold = [(fit, row) for fit in fits for row in fit.rows if UNTOLD in row["test"]]
    if untold:
        names = dict.fromkeys(f"{row['term']} in {_called(fit)}" for fit, row in untold)
        text = (
            f"no hazard ratio is given for {name_some(names, 4)}: {UNTOLD}. The tests hold; give "
            "the covariate in other units, such as years for days, to see the ratio"
        )
        findings.append(Finding("warning", "survival-unit", text))
    return findings


def result_findings(
    tests: pd.DataFrame,
    curves: Curves,
    logrank: pd.DataFrame,
    fits: Sequence[CoxFit],
    check: pd.DataFrame,
    concordance: pd.DataFrame,
    fdr: float,
    unit: str = "",
) -> list[Finding]:
    """Say what came out: differences, factors, hazards that cross, concordance."""
    findings = []
    reported = tests[tests["reported"]]
    if not len(reported):
        known = tests["p"].dropna()
        closest = f" (smallest {p_text(known.min())})" if len(known) else ""
        text = (
            f"{_none_goes(set(tests['what']))} with survival at a false discovery rate of "
            f"{fdr:.0%} over {count(len(known), 'test')}{closest}"
        )
        findings.append(Finding("note", "survival-nothing", text))
    of_subtypes = reported[reported["what"] == "subtype"]
    if len(of_subtypes):
        findings.append(_subtypes_differ(of_subtypes, curves, logrank, fdr, unit))
    elif len(tests[tests["what"] == "subtype"]):
        findings.append(_subtypes_alike(tests[tests["what"] == "subtype"], logrank))
    factors = reported[reported["what"] != "subtype"].sort_values("p", kind="stable")
    if len(factors):
        ratios = [_ratio(fits, str(row.what), float(row.q)) for row in _rows(factors)]
        beside = factors.iloc[0]["adjusted_for"]
        adjusted = f", adjusted for {beside}" if beside else ", unadjusted"
        goes = "goes" if len(factors) == 1 else "go"
        text = (
            f"{count(len(factors), 'factor')} {goes} with survival at a false discovery rate of "
            f"{fdr:.0%}"
            f"{adjusted} (hazard ratio for a standard deviation): {name_some(ratios, 6)}"
        )
        items = tuple(map(str, factors["what"]))
        findings.append(Finding("note", "survival-factors", text, items=items))
    crossing = check[check["violated"]].drop_duplicates(["term", "level"])
    if len(crossing):
        terms = [
            f"{row.term}{f' {row.level}' if row.level else ''} ({p_text(row.q, 'q')})"
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


def _none_goes(tested: set[str]) -> str:
    """Say that nothing goes with something, of what was tested alone.

    >>> _none_goes({"factor_1"}), _none_goes({"subtype"})
    ('no factor goes', 'the subtypes do not go')
    """
    if "subtype" not in tested:
        return "no factor goes"
    return (
        "neither the subtypes nor any factor goes" if len(tested) > 1 else "the subtypes do not go"
    )


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))


def _called(fit: CoxFit) -> str:
    head = fit.rows[0]
    beside = head["adjusted_for"]
    return f"{head['model']} beside {beside}" if beside else str(head["model"])


def _beside(row: Any) -> str:
    return f"adjusted for {row.adjusted_for}" if row.adjusted_for else "unadjusted"


def _subtypes_differ(
    reported: pd.DataFrame, curves: Curves, logrank: pd.DataFrame, fdr: float, unit: str
) -> Finding:
    tests = [
        f"{row.test} {p_text(row.p)}, {p_text(row.q, 'q')}, {_beside(row)}"
        for row in _rows(reported)
    ]
    tested = set(logrank["group_a"]) | set(logrank["group_b"])
    order = curves.summary[curves.summary["subtype"].isin(tested)].sort_values("restricted_mean")
    worst, best = order.iloc[0], order.iloc[-1]
    pairs = logrank[(logrank["group_a"] != "") & (logrank["p_corrected"] <= fdr)]
    # Of two subtypes there is one pair, which has been told.
    told = len(pairs) and len(tested - {""}) > 2
    apart = f"; pairs that differ are {name_some(pairs['comparison'], 6)}" if told else ""
    text = (
        f"survival differs between subtypes ({'; '.join(tests)}): up to "
        f"{'' if unit else 'time '}{with_unit(worst['until'], unit)} it lasts "
        f"{with_unit(worst['restricted_mean'], unit)} on average in {worst['subtype']} "
        f"and {with_unit(best['restricted_mean'], unit)} in "
        f"{best['subtype']}{apart}"
    )
    if not reported["adjusted_for"].any():
        text += f". {_UNADJUSTED}"
    return Finding("note", "survival-subtypes", text)


def _subtypes_alike(tests: pd.DataFrame, logrank: pd.DataFrame) -> Finding:
    """Say that no difference was found, with the tests that would have found one."""
    told = [f"{row.test} {p_text(row.p)}, {_beside(row)}" for row in _rows(tests)]
    overall = logrank[logrank["comparison"] == "overall"]
    events = f", {count(int(overall['n_events'].iloc[0]), 'event')}" if len(overall) else ""
    text = f"survival does not differ between subtypes, as far as can be told: {'; '.join(told)}"
    return Finding("note", "survival-subtypes-alike", f"{text}{events}")


def _ratio(fits: Sequence[CoxFit], factor: str, q: float) -> str:
    fit = next(fit for fit in fits if fit.rows[0]["model"] == factor)
    row = next(row for row in fit.rows if row["role"] == "term")
    if np.isnan(row["hazard_ratio"]):
        return f"{factor} (no ratio, {p_text(q, 'q')})"
    limits = f"{row['lower']:.2f} to {row['upper']:.2f}"
    return f"{factor} {row['hazard_ratio']:.2f} ({limits}, {p_text(q, 'q')})"


def _concordance(concordance: pd.DataFrame) -> Finding:
    parts, failed = [], []
    for row in _rows(concordance):
        sd = "" if pd.isna(row.sd) else f" ± {row.sd:.2f}"
        shown = "not fitted" if pd.isna(row.concordance) else f"{row.concordance:.2f}{sd}"
        parts.append(f"{row.features} {shown}")
        if row.n_failed:
            failed.append(f"{row.n_failed} of {row.features}")
    lacking = f"; without folds that could not be fitted or compared: {', '.join(failed)}"
    again = "The clustering was repeated within the folds; the"
    of_subtypes = concordance["features"].astype(str).str.contains("subtype").any()
    text = (
        f"concordance on held-out samples (0.5 is chance): {', '.join(parts)}; mean ± sd over "
        f"{count(int(concordance['n_repeats'].max()), 'repeat')}{lacking if failed else ''}. "
        f"{again if of_subtypes else 'The'} factors were made from all samples, without their "
        "survival"
    )
    return Finding("note", "survival-concordance", text)
