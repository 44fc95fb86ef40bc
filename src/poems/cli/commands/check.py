"""``poems check``: what is in a cohort, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from poems.cli import inputs
from poems.cli.cohort_tables import TableFlags, Tables
from poems.cli.driver import add_command
from poems.cli.printing import percent, print_findings, print_table, say
from poems.cli.result import CommandResult
from poems.findings import Finding, name_some

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.data import CheckReport


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, check)


def check(
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
    samples: inputs.SamplesOption = "union",
    backed: inputs.Backed = False,
) -> CommandResult:
    """Say what is in the tables of a cohort, and what is wrong with them."""
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.named()
    absent = _nothing_to_read(tables)
    if absent:
        return CommandResult(
            partial(_show_absent, absent), _summary(False, absent), findings=absent, exit_code=1
        )

    from poems.data import check as check_cohort

    report = check_cohort(
        tables.views,
        obs=obs,
        features_in_rows=tables.features_in_rows,
        samples=samples,
        layer=tables.layers,
        backed=backed,
    )
    summary = _summary(report.ok, report.findings)
    if report.cohort is not None:
        summary["n_samples"] = report.cohort.n_samples
        summary["obs_columns"] = list(report.cohort.obs.columns)
    return CommandResult(
        partial(_show, report=report),
        summary,
        tables={"views": report.summary.rename_axis("view").reset_index()},
        findings=report.findings,
        exit_code=0 if report.ok else 1,
    )


def _nothing_to_read(tables: Tables) -> list[Finding]:
    """Return what there is to say if none of the tables is there, so that nothing can be read."""
    from poems.data.files import absent_tables

    views = tables.views if isinstance(tables.views, dict) else {"": tables.views}
    absent = absent_tables(views)
    if len(absent) < len(views):
        return []
    return [
        Finding("error", "unreadable", text, view=name or None) for name, text in absent.items()
    ]


def _summary(ok: bool, findings: Sequence[Finding]) -> dict[str, Any]:
    levels = [finding.severity for finding in findings]
    return {"ok": ok, "n_errors": levels.count("error"), "n_warnings": levels.count("warning")}


def _show_absent(findings: Sequence[Finding], console: Console) -> None:
    print_findings(console, findings, all_notes=True)
    _refuse(console)


def _show(console: Console, report: CheckReport) -> None:
    if report.cohort is not None:
        columns = report.cohort.obs.columns
        held = f"; obs has {name_some(columns, 8)}" if len(columns) else ""
        say(console, f"{report.cohort.n_samples} samples{held}", "bold")
    if len(report.summary):
        print_table(console, _readable(report.summary), index="view")
        console.print()
    print_findings(console, report.findings, all_notes=True)
    if not report.ok:
        _refuse(console)
        return
    worst = any(finding.severity == "warning" for finding in report.findings)
    say(console, "ready for a fit" + (", with the warnings above" if worst else ""), "bold green")


def _refuse(console: Console) -> None:
    say(console, "not ready for a fit: mend the errors above", "bold red")


def _readable(summary: pd.DataFrame) -> pd.DataFrame:
    shown = summary.rename(columns={"missing_samples": "unmeasured", "missing_share": "missing"})
    if "missing" in shown:
        shown["missing"] = shown["missing"].map(percent)
    return shown
