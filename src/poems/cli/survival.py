"""How a survival analysis is printed and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poems.analysis.survival.cox import NOT_FITTED
from poems.cli.console import heading, print_findings, print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from poems.analysis.survival import Survival


def print_survival(console: Console, found: Survival) -> None:
    """Print a line for each subtype, the tests, the hazard ratios, and the findings."""
    summary = found.curves.summary
    n_samples, n_events = int(summary["n_samples"].sum()), int(summary["n_events"].sum())
    say(console, f"{n_samples} samples with follow-up and a subtype, {n_events} events.", "bold")
    heading(console, "Subtypes")
    shown = summary.set_index("subtype")
    until = float(shown["until"].iloc[0])
    columns = {
        "n_samples": "samples",
        "n_events": "events",
        "median": "median",
        "median_lower": "from",
        "median_upper": "to",
        "restricted_mean": f"mean up to {until:.4g}",
        "restricted_mean_se": "SE",
    }
    table = shown[list(columns)].rename(columns=columns)
    print_table(console, table.map(_number), index="subtype")
    if not np.isfinite(table.to_numpy(dtype=float)).all():
        say(console, "– not reached: the curve, or its limit, does not fall that low", "dim")
    heading(console, "Tests, and their false discovery rates")
    tests = found.tests.copy()
    tests["what"] = [
        f"{what}, adjusted for {beside}" if beside else str(what)
        for what, beside in zip(found.tests["what"], found.tests["adjusted_for"], strict=True)
    ]
    numbers = tests[["what", "p", "q"]].set_index(tests["test"]).map(_number)
    numbers.loc[(tests["how"] == NOT_FITTED).to_numpy(), "p"] = NOT_FITTED
    print_table(console, numbers, index="test")
    ratios = found.cox[(found.cox["role"] != "test") & (found.cox["model"] == "subtype")]
    if len(ratios):
        heading(console, "Hazard ratios of the subtypes (95 % limits)")
        ratios = ratios[ratios["adjusted_for"] == ratios["adjusted_for"].iloc[-1]]
        names = [
            f"{row['term']} {row['level']} against {row['reference']}"
            if row["level"]
            else row["term"]
            for _, row in ratios.iterrows()
        ]
        shown = ratios.set_axis(names)[["hazard_ratio", "lower", "upper", "p"]]
        shown = shown.rename(columns={"hazard_ratio": "ratio", "lower": "from", "upper": "to"})
        print_table(console, shown.map(_number), index="term")
    _print_not_fitted(console, found)
    heading(console, "What this says")
    print_findings(console, found.findings, all_notes=True)


def _print_not_fitted(console: Console, found: Survival) -> None:
    """Name the models that have no line in the table of ratios."""
    missing = found.cox[found.cox["test"] == NOT_FITTED]
    for _, row in missing[missing["model"] == "subtype"].iterrows():
        beside = f", adjusted for {row['adjusted_for']}" if row["adjusted_for"] else ""
        say(console, f"Subtypes{beside}: {NOT_FITTED}; why, is said below.")


def write_survival(
    folder: Path, found: Survival, about: Mapping[str, Any], *, unit: str = ""
) -> list[str]:
    """Write tables and picture into a folder that was claimed; return the names of the files."""
    from poems.cli.result_folder import write_result
    from poems.plots import plot_hazard_ratios, plot_kaplan_meier

    p = None if not len(found.logrank) else float(found.logrank["p"].iloc[0])
    curves = plot_kaplan_meier(found.curves.km, found.curves.at_risk, p=p, unit=unit)
    return write_result(
        folder,
        "survival",
        {**about, "fdr": found.fdr},
        tables=found.tables,
        findings=found.findings,
        figures={"kaplan_meier": curves, "hazard_ratios": plot_hazard_ratios(found.cox)},
    )


def _number(value: object) -> str:
    """Write a cell.

    >>> _number(0.0001234), _number(float("inf")), _number("S1"), _number(3)
    ('0.000123', '–', 'S1', '3')
    """
    if not isinstance(value, float):
        return str(value)
    if value != value or value == float("inf"):
        return "–"
    return f"{value:.3g}" if value < 1 else f"{value:.4g}"
