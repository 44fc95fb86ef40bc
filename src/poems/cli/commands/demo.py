"""``poems demo``: the main job with nothing to bring."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, inputs
from poems.cli.commands.fit import quietly, require_fitting, run_summary
from poems.cli.commands.report import print_place
from poems.cli.driver import add_command
from poems.cli.printing import heading, percent, print_table
from poems.cli.printing.fitted import show_cohort, show_fit
from poems.cli.result import CommandResult
from poems.cli.settings_flags import SettingsCommand, resolve_settings

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.subtypes.finding import Subtypes
    from poems.fitting.result import FittedPoems
    from poems.report import Report
    from poems.runs.fitting import FittedRun
    from poems.simulation.cohort import Simulation


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, demo, cls=SettingsCommand)


def demo(
    ctx: typer.Context,
    out: inputs.Out = Path("poems-demo"),
    n_samples: Annotated[int, typer.Option(min=8, help="Samples to simulate.")] = 300,
    n_features: Annotated[int, typer.Option(min=1, help="Features of each omic.")] = 500,
    seed: inputs.Seed = 0,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Simulate a cohort, fit it, find subtypes, compare with what was planted, write a report."""
    settings = resolve_settings(ctx, "default", None)
    checks.require_output(out, "run", overwrite=overwrite)

    from poems.report import write_report
    from poems.runs.fitting import FitRequest, fit_run
    from poems.simulation.cohort import simulate
    from poems.training.interrupts import exit_code

    request = FitRequest(
        settings=settings,
        out=out,
        overwrite=overwrite,
        seed=seed,
        progress=not quiet,
    )
    start = time.monotonic()
    simulation = simulate(n_samples, n_features, seed=seed, missing_views=0.1)
    require_fitting(simulation.cohort, request)
    fitted = fit_run(simulation.cohort, request, noticed=quietly if quiet else show_cohort)
    seconds = time.monotonic() - start
    made = write_report(out, labels="subtype", seed=seed)
    table = _compared(simulation, fitted.model, fitted.subtypes)
    return CommandResult(
        partial(_show, found=fitted, seconds=seconds, table=table, made=made),
        {**run_summary(fitted), "report": made.path},
        tables={"planted": table.rename_axis("of").reset_index()},
        findings=(*fitted.known, *fitted.late),
        exit_code=exit_code() if fitted.interrupted else 0,
    )


def _show(
    console: Console, found: FittedRun, seconds: float, table: pd.DataFrame, made: Report
) -> None:
    show_fit(console, found, seconds)
    heading(console, "Beside the planted truth")
    print_table(console, table)
    print_place(console, made)


def _compared(simulation: Simulation, model: FittedPoems, subtypes: Subtypes) -> pd.DataFrame:
    import pandas as pd

    from poems.clustering.agreement import clustering_accuracy
    from poems.evaluation.matching import support_scores

    support = support_scores(simulation.loadings, model.loadings)
    accuracy = clustering_accuracy(simulation.subtypes, subtypes.assignment)
    return pd.DataFrame(
        {
            "planted": [simulation.latent.shape[1], simulation.subtypes.nunique(), "", ""],
            "found": [
                model.latent.shape[1],
                subtypes.n_subtypes,
                f"{percent(accuracy)} right",
                f"precision {support.precision:.2f}, recall {support.recall:.2f}",
            ],
        },
        index=["factors", "subtypes", "samples in their subtype", "features of the factors"],
    )
