"""``poems stability``: what of a fit would be found again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from poems.cli import inputs
from poems.cli.commands_fit import Config, Preset
from poems.cli.settings_flags import SettingsCommand, flags_given, resolve_settings

# As in poems.resampling.draws, which takes long to import; a test holds them equal.
ResampleName = Literal["subsample", "bootstrap", "none"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("stability", cls=SettingsCommand)(stability)


def stability(
    ctx: typer.Context,
    out: inputs.Out,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    samples: inputs.SamplesOption = "union",
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take model and settings of this run of poems fit, made from the same tables.",
        ),
    ] = None,
    preset: Preset = "default",
    config: Config = None,
    seed: inputs.Seed = 0,
    n_runs: Annotated[int, typer.Option(min=2, metavar="N", help="Refits.")] = 20,
    resample: Annotated[
        ResampleName,
        typer.Option(
            metavar="NAME",
            help="Samples of each refit: 80 % of them (subsample), drawn with replacement "
            "(bootstrap), or all (none).",
        ),
    ] = "subsample",
    n_permutations: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Repetitions on permuted data, which calibrate the biomarkers; 0 for none.",
        ),
    ] = 1,
    fdr: Annotated[
        float, typer.Option(metavar="X", help="False discovery rate of the biomarkers.")
    ] = 0.1,
    n_subtypes: Annotated[
        int | None,
        typer.Option(
            min=2, metavar="N", help="Number of subtypes; by the silhouette if not given."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes, one thread each.")] = 1,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> None:
    """Refit a cohort many times: stable factors, biomarkers at a false discovery rate, consensus.

    Takes about (n-runs + 1) x (n-permutations + 1) times as long as one fit, divided by the jobs.
    """
    tables = inputs.parse_views(files, view)
    if not 0 < fdr < 1:
        raise typer.BadParameter(f"--fdr must be between 0 and 1, not {fdr:g}")
    if run is not None:
        given = flags_given(ctx) + [
            flag
            for flag, differs in (("--preset", preset != "default"), ("--config", config))
            if differs
        ]
        if given:
            raise typer.BadParameter(f"--run brings its own settings; leave out {given[0]}")

    from poems.cli.stability import StabilityRequest, stability_and_write

    request = StabilityRequest(
        settings=None if run is not None else resolve_settings(ctx, preset, config),
        run=run,
        out=out,
        overwrite=overwrite,
        seed=seed,
        n_runs=n_runs,
        resample=resample,
        n_permutations=n_permutations,
        fdr=fdr,
        n_subtypes=n_subtypes,
        jobs=jobs,
        quiet=quiet,
    )
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)
    cohort = inputs.read_cohort(tables, obs, features_in_rows=in_rows, samples=samples)
    stability_and_write(cohort, request)
