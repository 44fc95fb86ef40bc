"""``poems fit``: the main job."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags, Tables, tables_as_then
from poems.cli.driver import add_command
from poems.cli.printing import aside, print_table, say
from poems.cli.printing.fitted import print_profile, show_cohort, show_fit
from poems.cli.result import CommandResult
from poems.cli.settings_flags import SettingsCommand, flags_given, resolve_settings
from poems.errors import SettingsError
from poems.findings import count, name_some

if TYPE_CHECKING:
    from rich.console import Console

    from poems.data import MultiOmics
    from poems.findings import Finding
    from poems.fitting.plan import Plan
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
Threads = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Threads; more pay for omics of thousands of features."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, fit, cls=SettingsCommand)


def fit(
    ctx: typer.Context,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write to.", show_default=False)
    ] = None,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
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
        typer.Option(
            min=1,
            metavar="N",
            help="Save the state of training every so many epochs; every minute if not given.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a fit that was interrupted, from its last checkpoint, with all that "
            "it was given then: it ends in the result that it would have had.",
            show_default=False,
        ),
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
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            metavar="",
            help="Say what would be done, and about how much memory and time it takes; write "
            "nothing.",
        ),
    ] = False,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Fit a model to a cohort, find subtypes, and write a run folder.

    Settings come from flags first, then --config, then --preset. Ctrl-C ends
    training early and keeps the best state so far. After training it waits for
    the model, and ends what follows: the run is whole without it. The exit code
    is 130 then, and a second Ctrl-C ends at once. SIGTERM and SIGHUP do the
    same, with the codes 143 and 129. An analysis that fails costs itself alone:
    a warning names it, and the exit code is 0.
    """
    from poems.nn.profiling import NO_PROFILE, WallTimes

    start = time.monotonic()
    times = WallTimes() if profile else None
    if resume is not None:
        _require_alone(ctx)
        from poems.runs.fitting import resumed

        checks.require_no_writer(resume)
        request = resumed(resume, progress=not quiet, profile=times or NO_PROFILE)
        assert request.inputs is not None
        then = tables_as_then(request.inputs, resume)
        return _fitted(then, request, {}, start, times, quiet=quiet)
    if out is None:
        raise typer.BadParameter("Missing option '--out'.")
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing()
    checks.require_files([config])
    settings = resolve_settings(ctx, preset, config)
    _require_mixture(subtypes_by, settings, n_subtypes)
    checks.require_output(out, "run", overwrite=overwrite)

    from poems.runs.fitting import FitRequest

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
        command=("poems", *(ctx.find_root().obj or ())),
    )
    how = {"samples": samples, "backed": backed}
    return _fitted(tables, request, how, start, times, quiet=quiet, dry_run=dry_run)


def _fitted(
    tables: Tables,
    request: FitRequest,
    how: Mapping[str, Any],
    start: float,
    times: WallTimes | None,
    *,
    quiet: bool,
    dry_run: bool = False,
) -> CommandResult:
    """Read the tables, fit, and return what was found; or say what would be done."""
    from poems.runs.fitting import fit_run
    from poems.runs.inputs import record_inputs
    from poems.training.interrupts import exit_code

    with request.profile.span("reading"):
        cohort = tables.read(**how)
        read_from = record_inputs(tables.views, tables.obs, request.out, tables.options(**how))
    request = replace(request, inputs=read_from)
    require_fitting(cohort, request)
    if dry_run:
        return _planned(cohort, request)
    fitted = fit_run(cohort, request, noticed=quietly if quiet else show_cohort)
    if quiet:
        _print_failures(fitted.late)
    if fitted.interrupted:
        aside(f"interrupted: {_kept(fitted)}")
    seconds = time.monotonic() - start
    return CommandResult(
        partial(_show, found=fitted, seconds=seconds, times=times),
        run_summary(fitted),
        tables={"checks": fitted.model.diagnose().table},
        findings=(*fitted.known, *fitted.late),
        exit_code=exit_code() if fitted.interrupted else 0,
    )


def _kept(found: FittedRun) -> str:
    """Say what is there of a fit whose training was interrupted."""
    from poems.files.markers import CHECKPOINT

    n_epochs = len(found.model.history)
    text = f"training ended after epoch {n_epochs}; the run in {found.folder} is whole, of its best"
    text += " state until then"
    if (found.folder / CHECKPOINT).exists():
        text += f". To go on with training instead: poems fit --resume {found.folder}"
    return text


# What may be given beside --resume: what does not change the result.
_BESIDE_RESUME = ("resume", "quiet", "profile", "as_json")


def _require_alone(ctx: typer.Context) -> None:
    """Refuse what would make a resumed fit another one."""
    named = {each.name: each.opts[0] for each in ctx.command.params if each.name is not None}
    sources = {name: ctx.get_parameter_source(name) for name in named}
    typed = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    given = [named[name] for name in typed if name not in _BESIDE_RESUME] + flags_given(ctx)
    if given:
        raise typer.BadParameter(
            f"--resume takes everything from the fit that was interrupted; leave out {given[0]}"
        )


def _planned(cohort: MultiOmics, request: FitRequest) -> CommandResult:
    """Say what a fit would do."""
    from poems.fitting.plan import plan_fit

    plan = plan_fit(
        cohort,
        request.settings,
        seed=request.seed,
        threads=request.threads,
        device=request.device,
    )
    summary = {
        "n_samples": cohort.n_samples,
        "n_epochs": plan.n_epochs,
        "n_steps": plan.n_steps,
        "memory_gb": round(plan.memory / 1e9, 2),
        "training_seconds": round(plan.seconds, 1),
    }
    return CommandResult(
        partial(_show_plan, plan=plan, out=request.out),
        summary,
        tables={"views": plan.views.reset_index()},
        findings=cohort.findings,
    )


def _show_plan(console: Console, plan: Plan, out: Path) -> None:
    print_table(console, plan.views, index="view")
    say(
        console,
        f"At most {count(plan.n_epochs, 'epoch')} ({count(plan.n_steps, 'step')}), about "
        f"{_duration(plan.seconds)} of training as this machine is now; subtypes and analyses come "
        f"on top. About {plan.memory / 1e9:.1f} GB of memory beside the tables. Nothing was "
        f"written to {out}.",
    )


def _duration(seconds: float) -> str:
    """Write a time in the unit that fits.

    >>> _duration(4.2), _duration(600), _duration(9000)
    ('4 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


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
    preprocessing = request.settings.preprocessing
    sized = () if isinstance(preprocessing.size_factors, str) else preprocessing.size_factors
    for flag, names in (("--log1p", preprocessing.log1p), ("--size-factors", sized)):
        if unknown := [name for name in names if name not in cohort.views]:
            raise SettingsError(
                f"{flag} names {name_some(unknown)}, which is no omic; there are "
                f"{name_some(cohort.views, 20)}"
            )
    request.settings.model.likelihoods_of(tuple(cohort.views))


def run_summary(found: FittedRun) -> dict[str, object]:
    """Return what the run's ``run.json`` says, and where it lies."""
    from poems.files.markers import read_marker

    return {"folder": found.folder, **read_marker(found.folder, "run")}


def quietly(cohort: MultiOmics, findings: Sequence[Finding]) -> None:
    """Print nothing."""


def _print_failures(findings: Sequence[Finding]) -> None:
    """Print what failed, also where nothing else is: the exit code does not tell."""
    for each in findings:
        if each.code.endswith(("-failed", "-interrupted")):
            aside(each)


def _show(console: Console, found: FittedRun, seconds: float, times: WallTimes | None) -> None:
    show_fit(console, found, seconds)
    if times is not None:
        print_profile(console, times)
