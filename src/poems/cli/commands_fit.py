"""``poems fit``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from poems.cli import inputs
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
    app.command("fit", cls=SettingsCommand)(fit)


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
) -> None:
    """Fit a model to a cohort, find subtypes, and write a run folder.

    Settings come from flags first, then --config, then --preset. Ctrl-C ends
    training early and keeps the best state so far. After training it waits for
    the model, and ends what follows: the run is whole without it, and the exit
    code is 130. An analysis that fails costs itself alone: a warning names it,
    and the exit code is 0.
    """
    from poems.cli.fitting import FitRequest, fit_and_write
    from poems.cli.profile import print_profile
    from poems.profiling import NO_PROFILE, WallTimes

    times = WallTimes() if profile else NO_PROFILE
    tables = inputs.parse_views(files, view)
    request = FitRequest(
        settings=resolve_settings(ctx, preset, config),
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
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)
    with times.span("reading"):
        cohort = inputs.read_cohort(
            tables, obs, features_in_rows=in_rows, samples=samples, backed=backed
        )
    fit_and_write(cohort, request)
    if isinstance(times, WallTimes):
        print_profile(times)
