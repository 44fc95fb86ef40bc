"""``poems fit``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.result import CommandResult
from poems.cli.settings_flags import SettingsCommand, resolve_settings

Preset = Annotated[
    str, typer.Option(metavar="NAME", help="Settings to start from: default or paper.")
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of settings, such as a run's settings.toml."),
]
SubtypeMethod = Literal["kmeans", "mixture"]
Threads = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Threads; more pay for views of thousands of features."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, fit, cls=SettingsCommand)


def fit(
    ctx: typer.Context,
    out: inputs.Out,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    samples: inputs.SamplesOption = "union",
    backed: inputs.Backed = False,
    preset: Preset = "default",
    config: Config = None,
    seed: inputs.Seed = 0,
    threads: Threads = 1,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Torch device to compute on.")
    ] = "cpu",
    n_subtypes: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of subtypes; by the silhouette if not given."
        ),
    ] = None,
    metric: inputs.MetricOption = None,
    subtypes_by: Annotated[
        SubtypeMethod,
        typer.Option(
            metavar="NAME",
            help="k-means in the embedding (kmeans), or the components of the mixture prior "
            "(mixture; needs --prior mixture).",
        ),
    ] = "kmeans",
    checkpoint_every: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Save the state of training every so many epochs."),
    ] = None,
    no_analysis: Annotated[
        bool,
        typer.Option(
            "--no-analysis",
            metavar="",
            help="Leave out RUN/analysis/, which the report shows: what factors drive, "
            "contributions, associations of omics, how sure subtypes are and what marks them.",
        ),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", metavar="", help="Print at the end where the time went.")
    ] = False,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Fit a model to a cohort, find subtypes, and write a run folder.

    Settings come from flags first, then --config, then --preset. Ctrl-C ends
    training early and keeps the best state so far.
    """
    tables = inputs.existing_tables(files, view, features_in_rows, features_in_rows_of, obs=obs)
    checks.require_files([config])
    settings = resolve_settings(ctx, preset, config)
    checks.require_output(out, "run", overwrite=overwrite)

    from poems.cli.fitting import FitRequest, fit_and_write
    from poems.cli.profile import print_profile
    from poems.output_folder import read_marker
    from poems.profiling import NO_PROFILE, WallTimes

    times = WallTimes() if profile else NO_PROFILE
    request = FitRequest(
        settings=settings,
        out=out,
        overwrite=overwrite,
        seed=seed,
        threads=threads,
        device=device,
        n_subtypes=n_subtypes,
        metric=metric,
        subtypes_by=subtypes_by,
        checkpoint_every=checkpoint_every,
        analysis=not no_analysis,
        quiet=quiet,
        profile=times,
    )
    with times.span("reading"):
        cohort = tables.read(samples=samples, backed=backed)
    fit_and_write(cohort, request)
    if isinstance(times, WallTimes):
        print_profile(times)
    return CommandResult(lambda console: None, read_marker(out, "run"))
