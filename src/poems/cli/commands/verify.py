"""``poems verify``: repeats a run, and compares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, cohort_tables, inputs
from poems.cli.driver import add_command
from poems.cli.printing import print_findings, print_table, say
from poems.cli.result import CommandResult
from poems.findings import Finding, count

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.runs.verifying import Comparison


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, verify)


def verify(
    run: inputs.RunFolder,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="X",
            help="Difference up to which numbers are the same, as a share of those above 1.",
        ),
    ] = 0.0,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Repeat a run from what it says of itself, and compare; exit code 1 if anything differs.

    The run's files are held against their checksums, and so are the tables that it was fitted
    to. Then it is fitted again, in a folder that is removed afterwards. On the same machine with
    the same versions every number is the same.
    """
    checks.require_run(run)
    checks.require_no_writer(run)

    from poems.files.markers import read_marker
    from poems.runs.verifying import changed_files, other_versions, recorded, repeat
    from poems.training.loop import Status

    how = recorded(run)
    tables = cohort_tables.tables_as_then(how.inputs, run)
    summary = read_marker(run, "run")
    interrupted = (Status.INTERRUPTED.value, Status.INTERRUPTED_EARLY.value)
    findings = [*other_versions(how.versions, summary)]
    if summary.get("status") in interrupted:
        text = "training was interrupted: at which point cannot be repeated"
        findings.append(Finding("warning", "run-interrupted", text))
    changed = changed_files(run)
    if changed:
        text = f"since the run was written, {'; '.join(changed)}"
        findings.append(Finding("warning", "run-changed", text, items=tuple(changed)))
    found = repeat(run, tables.read(), how, tolerance=tolerance)
    same = found.same and not changed
    return CommandResult(
        partial(_show, found=found, findings=findings, same=same),
        {
            "run": run,
            "same": same,
            "n_files": len(found.table),
            "n_different": int((found.table["verdict"] != "same").sum()),
            "tolerance": tolerance,
        },
        tables={"files": found.table},
        findings=findings,
        exit_code=0 if same else 1,
    )


def _show(console: Console, found: Comparison, findings: Sequence[Finding], same: bool) -> None:
    print_findings(console, findings, all_notes=True)
    table = found.table
    if same:
        within = "" if (table["largest_difference"] == 0).all() else " within the tolerance"
        text = f"the run was repeated, and {count(len(table), 'file')} came out the same{within}"
        say(console, text, "bold green")
        return
    differing = table[table["verdict"] != "same"]
    if len(differing):
        text = f"{len(differing)} of {count(len(table), 'file')} differ when the run is repeated"
        say(console, text, "bold red")
        print_table(console, _readable(differing), index="file")


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.set_index("file")
    largest = shown["largest_difference"]
    shown["largest_difference"] = ["–" if x != x else f"{x:.2g}" for x in largest]
    return shown.rename(columns={"largest_difference": "by at most"})
