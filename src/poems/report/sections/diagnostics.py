"""What to distrust, in full."""

from __future__ import annotations

from typing import cast

import pandas as pd

from poems.findings import Finding, Severity, together
from poems.report.blocks import Block, Fold, Section
from poems.report.harm import harm_of, spoken_text
from poems.report.pictures import PHONE_WIDTH, picture
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import factor_title, general, listing, sentence

_VERDICTS = {"warning": 0, "note": 1, "ok": 2, "not judged": 3}
_SEVERITIES = {"error": 0, "warning": 1, "note": 2}


def _told(source: Source) -> pd.DataFrame:
    """Return the findings as sentences, the most harmful first, and what is alike once."""
    cells = source.findings[["severity", "code", "message", "view"]].fillna("").astype(str)
    found = together(
        Finding(cast(Severity, severity), code, message, view or None)
        for severity, code, message, view in cells.itertuples(index=False, name=None)
    )
    found.sort(key=lambda each: (_SEVERITIES[each.severity], harm_of(each.code)))
    return pd.DataFrame(
        {
            "severity": [each.severity for each in found],
            "view": [each.view or "" for each in found],
            "message": [sentence(spoken_text(each.message)) for each in found],
        }
    )


def diagnostics_section(source: Source) -> Section:
    """Return the section on failure signatures, findings and the course of training."""
    from matplotlib.figure import Figure

    from poems import plots

    told = _told(source)
    model = source.model
    checks = model.diagnose().table
    order = checks["verdict"].map(_VERDICTS).sort_values(kind="stable").index
    failing = int((checks["verdict"] == "warning").sum())
    shown = checks.loc[order].assign(
        of=[
            factor_title(factor) if pd.notna(factor) else view if pd.notna(view) else "the model"
            for factor, view in zip(
                checks.loc[order, "factor"], checks.loc[order, "view"], strict=True
            )
        ],
        meaning=checks.loc[order, "meaning"].map(spoken_text),
    )
    measures = make_table(
        "checks",
        "Failure signatures: what is known to go wrong with such a fit, measured. "
        + ("None was found." if not failing else f"{failing} of the measures exceed a limit."),
        shown,
        [
            Column("signature", "Signature"),
            Column("quantity", "Measured"),
            Column("of", "Of"),
            Column("value", "Value", "general"),
            Column("threshold", "Limit", "general"),
            Column("verdict", "Verdict"),
            Column("meaning", "Meaning"),
        ],
        where="diagnosis.csv in the run folder",
    )
    blocks: list[Block] = [
        make_table(
            "findings",
            "Findings: what was noticed about the data, assumed, or left out; the most harmful "
            "first.",
            told,
            [
                Column("severity", "Severity"),
                Column("view", "Omic"),
                Column("message", "Finding"),
            ],
            where="findings.csv in the run folder",
        ),
    ]
    # What exceeds a limit stands first and open; measures that are all well are a click away.
    if failing:
        blocks.insert(0, measures)
    else:
        blocks.append(Fold("all-checks", "Failure signatures: none was found", (measures,)))
    if len(model.history):
        last = model.history.iloc[-1]
        listed = listing(f"{name} {general(value)}" for name, value in last.items())
        height = 0.3 + 1.8 * -(-model.history.notna().any().sum() // 2)
        drawn = picture(
            "history",
            lambda: plots.plot_history(
                model.history, Figure((PHONE_WIDTH, height), layout="constrained")
            ),
            alt=f"The terms of the objective over {len(model.history)} epochs. At the end: "
            f"{listed}.",
            caption=f"The course of training. {model.status}",
            where="history.csv in the run folder",
        )
        blocks.append(Fold("training", "The course of training", (drawn,)))
    return Section("diagnostics", "Diagnostics and findings", blocks)
