"""``poems demo``: the main job with nothing to bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import inputs
from poems.cli.settings_flags import SettingsCommand, resolve_settings

if TYPE_CHECKING:
    from poems.analysis.subtypes import Subtypes
    from poems.fitted import FittedPoems
    from poems.simulation import Simulation


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("demo", cls=SettingsCommand)(demo)


def demo(
    ctx: typer.Context,
    out: inputs.Out = Path("poems-demo"),
    n_samples: Annotated[int, typer.Option(min=8, help="Samples to simulate.")] = 300,
    n_features: Annotated[int, typer.Option(min=1, help="Features of each view.")] = 500,
    seed: inputs.Seed = 0,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> None:
    """Simulate a cohort, fit it, find subtypes, compare with what was planted, write a report."""
    from poems.cli.commands_report import print_place
    from poems.cli.fitting import FitRequest, fit_and_write
    from poems.report import write_report
    from poems.simulation import simulate

    request = FitRequest(
        settings=resolve_settings(ctx, "default", None),
        out=out,
        overwrite=overwrite,
        seed=seed,
        quiet=quiet,
    )
    simulation = simulate(n_samples, n_features, seed=seed, missing_views=0.1)
    model, subtypes = fit_and_write(simulation.cohort, request)
    made = write_report(out, labels="subtype", seed=seed)
    if not quiet:
        _compare(simulation, model, subtypes)
        print_place(made)


def _compare(simulation: Simulation, model: FittedPoems, subtypes: Subtypes) -> None:
    import pandas as pd

    from poems.cli.console import heading, output, print_table
    from poems.evaluation.matching import support_scores
    from poems.evaluation.metrics import clustering_accuracy

    console = output()
    support = support_scores(simulation.loadings, model.loadings)
    accuracy = clustering_accuracy(simulation.subtypes, subtypes.assignment)
    table = pd.DataFrame(
        {
            "planted": [simulation.latent.shape[1], simulation.subtypes.nunique(), "", ""],
            "found": [
                model.latent.shape[1],
                subtypes.n_subtypes,
                f"{accuracy:.0%} right",
                f"precision {support.precision:.2f}, recall {support.recall:.2f}",
            ],
        },
        index=["factors", "subtypes", "samples in their subtype", "features of the factors"],
    )
    heading(console, "Beside the planted truth")
    print_table(console, table)
