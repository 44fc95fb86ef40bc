"""``poems report``: a run as one HTML file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import heading, say
from poems.cli.result import CommandResult
from poems.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from poems.report import Report


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, report)


def report(
    run: inputs.RunFolder,
    obs: inputs.RunObs = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the obs table to compare subtypes with."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the obs table with follow-up times."),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the obs table that says who had the event."),
    ] = None,
    event_value: inputs.EventValue = None,
    time_unit: inputs.TimeUnit = "",
    covariates: inputs.Covariates = None,
    gmt: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Gene sets in GMT format; repeatable."),
    ] = None,
    gene_map: inputs.GeneMap = None,
    stability: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder that poems stability --run wrote: what its refits do not find again "
            "is greyed.",
        ),
    ] = None,
    brief: Annotated[
        bool,
        typer.Option("--brief", metavar="", help="Two pages for a meeting, in brief.html."),
    ] = False,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the report.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page; report.html in the run folder if not given (brief.html with --brief).",
        ),
    ] = None,
    seed: inputs.Seed = 0,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Write the report of a run: one HTML file to open in a browser, also offline.

    It is made from the tables in the run folder. Tables that it computes itself lie beside it, in
    a folder called after it.
    """
    if (time is None) != (event is None):
        raise SettingsError(
            "survival needs times and events; give both, time and event (--time, --event)"
        )
    checks.require_run(run)
    checks.require_stability(stability)
    checks.require_files([obs, *(gmt or ()), gene_map])
    named = {
        "--labels": [labels] if labels is not None else [],
        "--time": [time] if time is not None else [],
        "--event": [event] if event is not None else [],
        "--covariates": covariates or (),
    }
    checks.require_columns(run, obs, named)

    from poems.report import write_report

    made = write_report(
        run,
        out,
        obs=obs,
        labels=labels,
        time=time,
        event=event,
        covariates=covariates or (),
        event_value=event_value,
        gene_sets=gmt or (),
        gene_map=gene_map,
        stability=stability,
        time_unit=time_unit,
        brief=brief,
        title=title,
        seed=seed,
    )
    return CommandResult(
        partial(_show, made=made),
        {"run": run, "report": made.path, "tables": [path.name for path in made.tables]},
        tables={"sentences": made.sentences},
        findings=made.findings,
    )


def _show(console: Console, made: Report) -> None:
    """Print the summary's sentences and where the page lies."""
    found = made.sentences
    heading(console, str(found["sentence"].iloc[0]))
    topic = ""
    for row in found[~found["caution"]].iloc[1:].itertuples():
        if row.topic != topic:
            heading(console, str(row.topic))
            topic = str(row.topic)
        say(console, f"  {row.sentence}")
    cautions = found[found["caution"]]
    if len(cautions):
        heading(console, "What to distrust, the most harmful first")
        for text in cautions["sentence"]:
            say(console, f"  {text}", "yellow")
    print_place(console, made)


def print_place(console: Console, made: Report) -> None:
    """Say where a report lies."""
    heading(console, f"Report written to {made.path}")
    say(console, f"  to open in a browser; its own tables are in {made.tables[0].parent}")
