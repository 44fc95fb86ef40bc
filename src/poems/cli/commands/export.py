"""``poems export``: a run as other programs take it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import print_findings, say
from poems.cli.result import CommandResult
from poems.findings import Finding, count

if TYPE_CHECKING:
    from rich.console import Console

ExportFormat = Literal["csv", "xlsx", "h5mu"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, export)


def export(
    run: inputs.RunFolder,
    to: Annotated[
        ExportFormat,
        typer.Option(
            metavar="NAME",
            help="A folder of CSV files (csv), one Excel workbook (xlsx), or the cohort with the "
            "model as MuData (h5mu), which takes the tables of the fit.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The folder, or the file, to write.")],
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="With csv and xlsx: add the tables in the --out of another command; repeatable.",
            show_default=False,
        ),
    ] = None,
    neutralise: Annotated[
        bool,
        typer.Option(
            "--neutralise",
            metavar="",
            help="With csv: put an apostrophe before text that a spreadsheet would take for a "
            "formula. A workbook needs none: there text is always text.",
        ),
    ] = False,
    overwrite: inputs.Overwrite = False,
) -> CommandResult:
    """Write a run as a folder of CSV files, an Excel workbook, or MuData."""
    given = bool(files or view)
    for flag, there, formats in (
        ("--view", given or obs is not None, ("h5mu",)),
        ("--also", bool(also), ("csv", "xlsx")),
        ("--neutralise", neutralise, ("csv",)),
    ):
        if there and to not in formats:
            raise typer.BadParameter(f"{flag} has no meaning with --to {to}")
    checks.require_run(run)
    tables = None
    if to == "h5mu":
        flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
        tables = flags.existing(run)

    from poems.runs.export.tables import new_file, run_tables

    run_tables(run, also or ())
    if to == "csv":
        checks.require_output(out, "export", overwrite=overwrite)
    else:
        new_file(out, f".{to}", overwrite=overwrite)

    message, findings = f"Written to {out}", tuple[Finding, ...]()
    if tables is not None:
        from poems.data.stored.storable import storable_and_said
        from poems.runs.export import export_h5mu
        from poems.runs.folder import read_run

        found, cohort = read_run(run), tables.read()
        export_h5mu(found, cohort, out, overwrite=overwrite)
        of_run = not len(cohort.obs.columns)
        _, findings = storable_and_said(found.obs if of_run else cohort.obs)
    elif to == "csv":
        from poems.runs.export import export_csv

        names = export_csv(run, out, neutralise=neutralise, also=also or (), overwrite=overwrite)
        message = f"{message}: {count(len(names), 'table')} and README.md"
    else:
        from poems.runs.export import export_workbook

        findings = export_workbook(run, out, also=also or (), overwrite=overwrite)
    return CommandResult(
        partial(_show, message=message, findings=findings),
        {"run": run, "format": to, "written": out},
        findings=findings,
    )


def _show(console: Console, message: str, findings: Sequence[Finding]) -> None:
    print_findings(console, findings, all_notes=True)
    say(console, message)
