"""``poems diagnose``: signs that a fit has failed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import say
from poems.cli.printing.diagnosis import print_checks, print_diagnosis
from poems.cli.result import CommandResult

if TYPE_CHECKING:
    from rich.console import Console

    from poems.diagnosis.check import Diagnosis


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, diagnose)


def diagnose(
    path: inputs.RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    obs: inputs.NewObs = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write every check to this CSV file.")
    ] = None,
) -> CommandResult:
    """Look for signs that a fit has failed; judge it on new samples, if tables are given."""
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing_if_any()
    checks.require_run_or_model(path)

    from poems.files.csv_tables import write_csv

    if tables is None:
        diagnosis = inputs.load_tables(path).diagnose()
    else:
        diagnosis = inputs.load_model(path).diagnose(tables.read(backed=backed))
    if out is not None:
        write_csv(out, diagnosis.table, index=False)
    return CommandResult(
        partial(_show, diagnosis=diagnosis, out=out),
        {"model": path, "held_out": tables is not None, "signatures": diagnosis.signatures},
        tables={"checks": diagnosis.table},
        findings=diagnosis.findings,
    )


def _show(console: Console, diagnosis: Diagnosis, out: Path | None) -> None:
    print_checks(console, diagnosis)
    print_diagnosis(console, diagnosis, notes=True)
    if out is not None:
        say(console, f"Written to {out}")
