"""Survival by subtype and factor, where it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.analysis.survival.cox import NOT_FITTED
from poems.findings import Finding
from poems.report.blocks import Block, Fold, Notice, Picture, Section, Text
from poems.report.harm import spoken_text
from poems.report.pictures import picture
from poems.report.sections.drawn import factor_survival
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import factor_title, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What a survival analysis says of its results, rather than of its data.
RESULTS: Final = (
    "survival-nothing",
    "survival-subtypes",
    "survival-subtypes-alike",
    "survival-factors",
    "survival-concordance",
    "survival-one-subtype",
)
# What is said of subtypes, which a run may not report.
OF_SUBTYPES: Final = ("survival-subtypes", "survival-one-subtype")
# Subtypes whose numbers at risk stand beneath a small picture.
_MOST_AT_RISK: Final = 4
_LEAD: Final = (
    "Whether {what} go with survival, of which the model has seen nothing. What is reported is "
    "corrected for the number of tests."
)


def survival_section(source: Source) -> Section:
    """Return the section on survival, of the tables ``survival_*`` if they could be computed."""
    findings = source.survival or ()
    several = source.subtypes.nunique() > 1
    lead = _LEAD.format(what="subtypes and factors" if several else "factors")
    if not several:
        # The verdict has said that there are none to compare.
        findings = tuple(each for each in findings if each.code != "survival-one-subtype")
    results = [each for each in findings if each.code in RESULTS]
    blocks: list[Block] = [Text(spoken(each)) for each in results]
    blocks += [Notice(spoken(each), each.severity) for each in findings if each not in results]
    if source.survival is None:
        blocks.append(
            Notice(
                "Not asked for. `poems report RUN --time COLUMN --event COLUMN` names the columns "
                "of the obs table that hold the follow-up times and whether the event was seen."
            )
        )
        return Section("survival", "Survival", blocks, lead)
    if source.get("survival_km") is not None and source.get("survival_at_risk") is not None:
        blocks.append(survival_curves(source))
    blocks += factor_survival(source)
    if source.get("survival_cox") is not None:
        blocks.append(_ratios(source, source.tables["survival_cox"]))
    blocks += _tables(source)
    if not blocks:
        blocks.append(source.absent("survival_km", "survival"))
    return Section("survival", "Survival", blocks, lead)


def spoken(finding: Finding) -> str:
    """Return a finding's message as a sentence, factors named as in the report.

    >>> spoken(Finding("note", "survival-factors", "factor_2 goes with survival"))
    'Factor 2 goes with survival.'
    """
    return sentence(spoken_text(finding.message))


def survival_curves(
    source: Source,
    picture_id: str = "survival-curves",
    size: tuple[float, float] | None = None,
) -> Picture:
    """Return the survival curves of the subtypes as a picture.

    Parameters
    ----------
    source
        With the tables ``survival_km`` and ``survival_at_risk``.
    picture_id
        Unique in the page.
    size
        Inches of width and height without the numbers at risk; as plots have it by default.
    """
    from poems.plots.style import new_axes
    from poems.plots.survival import plot_kaplan_meier

    km, at_risk = source.tables["survival_km"], source.tables["survival_at_risk"]
    tests = source.get("survival_logrank")
    overall = None if tests is None else tests[tests["comparison"] == "overall"]["p"]
    p = float(overall.iloc[0]) if overall is not None and len(overall) else None
    last = km.groupby("subtype", sort=False)["survival"].last()
    unit = source.time_unit or f"the units of the column '{source.time}'"
    ends = "; ".join(f"{name} {value:.2f}" for name, value in last.items())
    n_groups = km["subtype"].nunique()
    whose = "curves of the subtypes" if n_groups > 1 else "curve"

    def draw() -> Axes:
        rows = 0.17 * (n_groups + 1) if n_groups <= _MOST_AT_RISK else 0.0
        ax = None if size is None else new_axes(size[0], size[1] + rows)
        drawn = plot_kaplan_meier(km, at_risk, ax, p=p, unit=source.time_unit)
        if size is not None and not rows:
            # Numbers at risk of many subtypes would leave no room for the curves.
            for text in list(drawn.texts):
                text.remove()
        return drawn

    return picture(
        picture_id,
        draw,
        alt=f"Kaplan-Meier {whose}. Survival at the end of each curve: {ends}.",
        caption=f"Kaplan-Meier {whose}"
        + (
            ", and how many samples are at risk"
            if size is None or n_groups <= _MOST_AT_RISK
            else ""
        )
        + f". A tick: follow-up ended without the event. Time in {unit}.",
        where=source.where("survival_km"),
    )


def _ratios(source: Source, cox: pd.DataFrame) -> Block:
    from poems.plots.hazard_ratios import hazard_rows, plot_hazard_ratios

    cox = cox.assign(term=cox["term"].map(factor_title))
    rows = hazard_rows(cox)
    apart = rows[(rows["lower"] > 1) | (rows["upper"] < 1)]
    listed = "; ".join(
        f"{row.name} {row.hazard_ratio:.2f}" for row in apart.itertuples(index=False)
    )
    several = source.subtypes.nunique() > 1
    whose = "subtypes, covariates and factors" if several else "covariates and factors"
    against = "Subtypes against the largest one, factors" if several else "Factors"
    failed = cox.loc[cox["test"] == NOT_FITTED, "model"].map(factor_title)
    missing = f" Not fitted: {', '.join(dict.fromkeys(failed))}." if len(failed) else ""
    return picture(
        "survival-ratios",
        lambda: plot_hazard_ratios(cox),
        alt=f"Hazard ratios of the {whose}. Those whose limits leave out 1: {listed or 'none'}.",
        where=source.where("survival_cox"),
        caption=f"Hazard ratios with 95% limits: above 1 the event comes sooner. {against} for a "
        "standard deviation each on its own, covariates in grey. "
        f"Limits are of each ratio alone; the tests below decide what is reported.{missing}",
    )


def _tables(source: Source) -> list[Block]:
    behind: list[Block] = []
    at_risk = source.get("survival_at_risk")
    if at_risk is not None:
        wide = at_risk.pivot(index="subtype", columns="time", values="at_risk")
        wide = wide.reindex(at_risk["subtype"].unique())
        times = [Column(f"t{at}", f"{value:g}", "integer") for at, value in enumerate(wide.columns)]
        wide.columns = pd.Index([column.name for column in times])
        # The picture has them, too.
        behind.append(
            make_table(
                "survival-at-risk",
                "Samples still followed, by time.",
                wide.reset_index(),
                [Column("subtype", "Subtype"), *times],
                where=source.where("survival_at_risk"),
                sortable=False,
            )
        )
    made: list[Block] = [
        make_table(stem.replace("_", "-"), caption, table, columns, where=source.where(stem))
        for stem, caption, columns in _SHOWN
        if (table := source.get(stem)) is not None
    ]
    # What decides stands open; the models behind it are a click away.
    blocks, folded = made[:_OPEN], [*made[_OPEN:], *behind]
    if folded:
        blocks.append(Fold("survival-models", "All tests and models", tuple(folded)))
    return blocks


# Of these, tables that are not folded.
_OPEN: Final = 2
_SHOWN: tuple[tuple[str, str, tuple[Column, ...]], ...] = (
    (
        "survival_summary",
        "Follow-up and survival.",
        (
            Column("subtype", "Subtype"),
            Column("n_samples", "Samples", "integer"),
            Column("n_events", "Events", "integer"),
            Column("median", "Median survival", "general"),
            Column("median_lower", "95% from", "general"),
            Column("median_upper", "to", "general", "∞: not reached"),
            Column("restricted_mean", "Mean up to the common time", "general"),
            Column("until", "Common time", "general"),
            Column("last_time", "Longest follow-up", "general"),
        ),
    ),
    (
        "survival_tests",
        "The tests that decide what is reported.",
        (
            Column("test", "Test"),
            Column("what", "Of", "factor"),
            Column("adjusted_for", "Adjusted for"),
            Column("how", "Computed as"),
            Column("p", "p", "p"),
            Column("q", "FDR q", "p"),
            Column("reported", "Reported", "yes"),
        ),
    ),
    (
        "survival_logrank",
        "Log-rank tests: all subtypes together, and every two of them.",
        (
            Column("comparison", "Comparison"),
            Column("n_samples", "Samples", "integer"),
            Column("n_events", "Events", "integer"),
            Column("statistic", "χ²", "number"),
            Column("df", "Degrees of freedom", "integer"),
            Column("p", "p", "p"),
            Column("p_corrected", "p, corrected", "p", "Pairs: by Benjamini and Hochberg"),
        ),
    ),
    (
        "survival_cox",
        "Cox models: hazard ratios with 95% limits, of a group against the reference, or for one "
        "standard deviation of a factor.",
        (
            Column("model", "Model", "factor"),
            Column("term", "Term", "factor"),
            Column("level", "Group"),
            Column("reference", "Against"),
            Column("role", "Role"),
            Column("adjusted_for", "Adjusted for"),
            Column("hazard_ratio", "Hazard ratio", "number"),
            Column("lower", "95% from", "number"),
            Column("upper", "to", "number"),
            Column("p", "p", "p"),
            Column("test", "Test"),
            Column("n_samples", "Samples", "integer"),
            Column("n_events", "Events", "integer"),
        ),
    ),
    (
        "survival_ph",
        "Are hazards proportional over time, as the Cox models assume?",
        (
            Column("model", "Model", "factor"),
            Column("adjusted_for", "Adjusted for"),
            Column("term", "Term", "factor"),
            Column("level", "Group"),
            Column("statistic", "χ²", "number"),
            Column("p", "p", "p"),
            Column("q", "FDR q", "p"),
            Column("violated", "Violated", "yes"),
            Column("note", "Note"),
        ),
    ),
    (
        "survival_concordance",
        "Concordance (0.5: chance, 1: perfect) on samples held out of the Cox model, and "
        "of the clustering where it predicts from subtypes.",
        (
            Column("features", "Predicted from"),
            Column("concordance", "Concordance", "number"),
            Column("sd", "sd over repeats", "number"),
            Column("n_repeats", "Repeats", "integer"),
            Column("n_folds", "Folds", "integer"),
            Column("n_failed", "Folds failed", "integer"),
            Column("n_samples", "Samples", "integer"),
            Column("n_events", "Events", "integer"),
        ),
    ),
)
