"""``poems fit``: the main job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import (
    clean,
    decimal,
    heading,
    output,
    print_findings,
    print_table,
    say,
)
from poems.cli.printing.diagnosis import print_diagnosis
from poems.cli.result import CommandResult
from poems.cli.settings_flags import SettingsCommand, resolve_settings
from poems.errors import SettingsError
from poems.findings import name_some

if TYPE_CHECKING:
    from rich.console import Console

    from poems.analysis.subtypes.finding import Subtypes
    from poems.data import MultiOmics
    from poems.findings import Finding
    from poems.fitting.result import FittedPoems
    from poems.nn.profiling import WallTimes
    from poems.runs.fitting import FitRequest, FittedRun
    from poems.settings.schema import Settings

Preset = Annotated[
    str, typer.Option(metavar="NAME", help="Settings to start from: default or paper.")
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of settings, such as a run's settings.toml."),
]
SubtypeMethod = Literal["kmeans", "mixture"]
# Findings whose text is that of the summary.
_SAID_OF_SUBTYPES = ("no-distinct-groups", "subtypes-of-failed-fit")
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
        typer.Option(min=1, metavar="N", help="Number of subtypes; as many as hold if not given."),
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
    training early and keeps the best state so far. After training it waits for
    the model, and ends what follows: the run is whole without it, and the exit
    code is 130. An analysis that fails costs itself alone: a warning names it,
    and the exit code is 0.
    """
    tables = inputs.existing_tables(files, view, features_in_rows, features_in_rows_of, obs=obs)
    checks.require_files([config])
    settings = resolve_settings(ctx, preset, config)
    _require_mixture(subtypes_by, settings, n_subtypes)
    checks.require_output(out, "run", overwrite=overwrite)

    from poems.nn.profiling import NO_PROFILE, WallTimes
    from poems.runs.fitting import FitRequest, fit_run

    start = time.monotonic()
    times = WallTimes() if profile else None
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
        progress=not quiet,
        profile=times or NO_PROFILE,
    )
    with request.profile.span("reading"):
        cohort = tables.read(samples=samples, backed=backed)
    require_fitting(cohort, request)
    fitted = fit_run(cohort, request, noticed=quietly if quiet else show_cohort)
    if quiet:
        _print_failures(fitted.late)
    seconds = time.monotonic() - start
    return CommandResult(
        partial(_show, found=fitted, seconds=seconds, times=times),
        run_summary(fitted),
        tables={"checks": fitted.model.diagnose().table},
        findings=(*fitted.known, *fitted.late),
    )


def _require_mixture(subtypes_by: SubtypeMethod, settings: Settings, n: int | None) -> None:
    """Refuse before the fit what finding subtypes would refuse after it."""
    if subtypes_by != "mixture":
        return
    if settings.model.prior != "mixture":
        raise SettingsError("--subtypes-by mixture needs the mixture prior; add --prior mixture")
    if n is not None:
        raise SettingsError(
            "--subtypes-by mixture takes the number of subtypes from the prior; leave out "
            "--n-subtypes, or set --n-components"
        )


def require_fitting(cohort: MultiOmics, request: FitRequest) -> None:
    """Refuse, before anything is written, what does not go with this cohort."""
    if request.n_subtypes is not None and request.n_subtypes > cohort.n_samples:
        raise SettingsError(
            f"--n-subtypes is {request.n_subtypes}, but there are only {cohort.n_samples} samples; "
            "ask for fewer subtypes"
        )
    unknown = [name for name in request.settings.preprocessing.log1p if name not in cohort.views]
    if unknown:
        raise SettingsError(
            f"--log1p names {name_some(unknown)}, which is no view; there are "
            f"{name_some(cohort.views, 20)}"
        )
    request.settings.model.likelihoods_of(tuple(cohort.views))


def run_summary(found: FittedRun) -> dict[str, object]:
    """Return what the run's ``run.json`` says, and where it lies."""
    from poems.files.output_folder import read_marker

    return {"folder": found.folder, **read_marker(found.folder, "run")}


def show_cohort(cohort: MultiOmics, findings: Sequence[Finding]) -> None:
    """Print what is to be fitted, and what was noticed of it."""
    console = output()
    say(console, repr(cohort))
    print_findings(console, findings, all_notes=False)


def quietly(cohort: MultiOmics, findings: Sequence[Finding]) -> None:
    """Print nothing."""


def _print_failures(findings: Sequence[Finding]) -> None:
    """Print what failed, also where nothing else is: the exit code does not tell."""
    for each in findings:
        if each.code.endswith(("-failed", "-interrupted")):
            typer.echo(clean(each), err=True)


def show_fit(console: Console, found: FittedRun, seconds: float) -> None:
    """Print what the fit noticed and found."""
    # Those of the diagnosis come with the summary.
    of_diagnosis = found.model.diagnose().findings
    late = [
        each
        for each in found.late
        if each not in of_diagnosis and each.code not in _SAID_OF_SUBTYPES
    ]
    print_findings(console, late, all_notes=False)
    _print_summary(console, found.model, found.subtypes, found.folder, seconds)


def _show(console: Console, found: FittedRun, seconds: float, times: WallTimes | None) -> None:
    show_fit(console, found, seconds)
    if times is not None:
        _print_profile(console, times)


def _print_summary(
    console: Console, model: FittedPoems, subtypes: Subtypes, out: Path, seconds: float
) -> None:
    import pandas as pd

    from poems.analysis.contributions.gates import mean_weights

    n_epochs = len(model.history)
    n_factors = model.latent.shape[1]
    heading(console, f"{model.status} {n_epochs} epochs, {seconds:.0f} s in all.")
    say(console, f"{n_factors} of {model.settings.model.n_latent} factors kept.")
    heading(console, "Views")
    weights = mean_weights(model.gates)
    views = pd.DataFrame(
        {
            "features": [len(model.loadings[view]) for view in model.view_names],
            "driven": [int((model.loadings[v] != 0).any(axis=1).sum()) for v in model.view_names],
            "R²": [decimal(model.value_r2[view]) for view in model.view_names],
            "mean weight": [decimal(weights[view]) for view in model.view_names],
        },
        index=list(model.view_names),
    )
    own = model.share_of == "deviance"
    if own.any():
        views.insert(3, "deviance", [decimal(share) for share in model.r2.where(own)])
    n_background = len(model.background.columns)
    if n_background:
        # A background is of Gaussian views alone.
        totals = [decimal(total) for total in model.total_r2.where(~own)]
        views.insert(list(views.columns).index("R²") + 1, "with background", totals)
    print_table(console, views, index="view")
    if own.any():
        say(console, "  deviance: share explained of what is not Gaussian, as R² of what is", "dim")
    if (model.gates == 0).any(axis=None):
        say(console, "  weights: over the samples on which the view was measured", "dim")
    _print_subtypes(console, subtypes, model.diagnose().signatures)
    print_diagnosis(console, model.diagnose(), notes=False)
    heading(console, f"Written to {out}")
    say(console, "  latent.csv, gates.csv, subtypes.csv, loadings/, figures/, model.poems, …")


def _print_subtypes(console: Console, subtypes: Subtypes, signatures: Sequence[str]) -> None:
    import pandas as pd

    heading(console, "Subtypes")
    if signatures:
        say(
            console,
            f"The fit failed its diagnosis ({name_some(signatures, 5)}), so that no subtypes are "
            "reported here; the groups that were formed are in subtypes.csv",
            "yellow",
        )
        return
    say(console, subtypes.explanation)
    if subtypes.n_subtypes > 1:
        table = pd.DataFrame({"samples": subtypes.sizes})
        again = subtypes.found_again
        if again:
            table["found again"] = [decimal(again[name]) for name in table.index]
        print_table(console, table, index="subtype")


def _print_profile(console: Console, times: WallTimes) -> None:
    """Print where the time went, parts in the order in which they began."""
    heading(console, "Where the time went")
    table = times.table()
    shown = table.assign(
        seconds=[f"{value:.2f}" for value in table["seconds"]],
        share=[f"{100 * value:.0f} %" for value in table["share"]],
        calls=[str(value) for value in table["calls"]],
    )
    shown["ms a call"] = [f"{value:.2f}" for value in table["ms a call"]]
    print_table(console, shown, index="part")
