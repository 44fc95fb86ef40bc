"""``poems export``: a run as other programs take it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from poems.cli import inputs

ExportFormat = Literal["csv", "xlsx", "h5mu"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("export")(export)


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
) -> None:
    """Write a run as a folder of CSV files, an Excel workbook, or MuData."""
    given = bool(files or view)
    if to == "h5mu" and not given:
        raise typer.BadParameter("--to h5mu takes the tables of the fit: --view NAME=FILE for each")
    for flag, there, formats in (
        ("--view", given or obs is not None, ("h5mu",)),
        ("--also", bool(also), ("csv", "xlsx")),
        ("--neutralise", neutralise, ("csv",)),
    ):
        if there and to not in formats:
            raise typer.BadParameter(f"{flag} has no meaning with --to {to}")
    tables = inputs.parse_views(files, view) if given else {}
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems.cli.console import output, print_findings, say
    from poems.findings import count

    console = output()
    if to == "csv":
        from poems.export import export_csv

        names = export_csv(run, out, neutralise=neutralise, also=also or (), overwrite=overwrite)
        say(console, f"Written to {out}: {count(len(names), 'table')} and README.md")
    elif to == "xlsx":
        from poems.export import export_workbook

        findings = export_workbook(run, out, also=also or (), overwrite=overwrite)
        print_findings(console, findings, all_notes=True)
        say(console, f"Written to {out}")
    else:
        from poems.export import export_h5mu
        from poems.run_folder import read_run

        cohort = inputs.read_cohort(tables, obs, features_in_rows=in_rows)
        export_h5mu(read_run(run), cohort, out, overwrite=overwrite)
        say(console, f"Written to {out}")
