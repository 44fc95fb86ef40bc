"""``poems stability``: what of a fit would be found again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.commands.fit import Config, Preset
from poems.cli.driver import add_command
from poems.cli.printing import (
    decimal,
    heading,
    output,
    percent,
    print_findings,
    print_table,
    say,
)
from poems.cli.result import CommandResult
from poems.cli.settings_flags import SettingsCommand, flags_given, resolve_settings
from poems.errors import SettingsError
from poems.findings import name_some, said_once

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.data import MultiOmics
    from poems.findings import Finding
    from poems.resampling.consensus import ConsensusSubtypes
    from poems.resampling.draws import Resample
    from poems.resampling.result import Stability
    from poems.settings.schema import Settings

# As in poems.resampling.draws, which takes long to import; a test holds them equal.
ResampleName = Literal["subsample", "bootstrap", "none"]
# Numbers of clusters to form in each refit: those that a fit tries.
_CANDIDATES: Final = range(2, 11)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, stability, cls=SettingsCommand)


def stability(
    ctx: typer.Context,
    out: inputs.Out,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
    samples: inputs.SamplesOption = "union",
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take model and settings of this run of poems fit, and its tables if none are "
            "given.",
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
            help="Samples of each refit: 80% of them (subsample), drawn with replacement "
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
            min=2,
            metavar="N",
            help="Number of subtypes; that of the fit of all samples by default.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes, one thread each.")] = 1,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Refit a cohort many times: stable factors, biomarkers at a false discovery rate, consensus.

    Takes about (n-runs + 1) x (n-permutations + 1) times as long as one fit, divided by the jobs.
    """
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing(run)
    checks.require_rate(fdr)
    if run is not None:
        given = flags_given(ctx) + [
            flag
            for flag, differs in (("--preset", preset != "default"), ("--config", config))
            if differs
        ]
        if given:
            raise typer.BadParameter(f"--run brings its own settings; leave out {given[0]}")
        checks.require_run(run)
    settings = None if run is not None else resolve_settings(ctx, preset, config)
    checks.require_output(out, "stability", overwrite=overwrite)
    request = _Request(
        settings=settings,
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
    start = time.monotonic()
    refits, subtypes = _refit_and_write(tables.read(samples=samples), request)
    seconds = time.monotonic() - start
    return CommandResult(
        partial(_show, found=refits, subtypes=subtypes, request=request, seconds=seconds),
        {
            "folder": out,
            "n_refits": len(refits.runs),
            "resample": resample,
            "n_subtypes": subtypes.n_subtypes,
        },
        tables=_tables(refits, subtypes, fdr),
    )


@dataclass(frozen=True)
class _Request:
    """How to refit, and where to write what comes of it."""

    settings: Settings | None
    run: Path | None
    out: Path
    overwrite: bool
    seed: int
    n_runs: int
    resample: Resample
    n_permutations: int
    fdr: float
    n_subtypes: int | None
    jobs: int
    quiet: bool


def _refit_and_write(cohort: MultiOmics, request: _Request) -> tuple[Stability, ConsensusSubtypes]:
    """Refit ``cohort``, write the folder and print a summary.

    Raises
    ------
    DataError
        If the cohort cannot be fitted, or is not that of the run.
    SettingsError
        If more subtypes than samples are asked for, or the folder cannot be
        written to.
    KeyboardInterrupt
        If it was interrupted; nothing is kept.
    """
    from poems.data import quality_findings
    from poems.files.output_folder import claim_folder
    from poems.fitting.likelihood_choice import choose_likelihoods
    from poems.nn.likelihoods import kinds_of
    from poems.resampling.stability import stability
    from poems.runs.folder import read_run
    from poems.runs.log import log_findings, run_log
    from poems.scaling.own_scale import own_scale_views

    if request.n_subtypes is not None and request.n_subtypes >= cohort.n_samples:
        raise SettingsError(
            f"--n-subtypes is {request.n_subtypes}, but there are only {cohort.n_samples} samples; "
            "ask for fewer subtypes"
        )
    reference = None if request.run is None else read_run(request.run).model
    folder = claim_folder(request.out, "stability", overwrite=request.overwrite)
    with run_log(folder):
        settings = request.settings if reference is None else reference.settings
        log1p = () if settings is None else settings.preprocessing.log1p
        likelihoods: tuple[Finding, ...] = ()
        own_scale = []
        if settings is not None:
            settings, likelihoods = choose_likelihoods(cohort, settings)
            own_scale = own_scale_views(kinds_of(settings.model, tuple(cohort.views)))
        quality = quality_findings(cohort, log1p=log1p, own_scale=own_scale)
        known = said_once((*cohort.findings, *quality, *likelihoods))
        log_findings(known)
        if not request.quiet:
            console = output()
            say(console, repr(cohort))
            print_findings(console, known, all_notes=True)
        extra = () if request.n_subtypes is None else (request.n_subtypes,)
        found = stability(
            cohort,
            n_runs=request.n_runs,
            resample=request.resample,
            n_permutations=request.n_permutations,
            reference=reference,
            seed=request.seed,
            settings=request.settings,
            candidates=(*_CANDIDATES, *extra),
            n_jobs=request.jobs,
            progress=not request.quiet,
        )
        subtypes = found.consensus_subtypes(request.n_subtypes)
        _write(folder, found, subtypes, request.fdr)
    return found, subtypes


def _tables(
    found: Stability, subtypes: ConsensusSubtypes, fdr: float
) -> dict[str, pd.DataFrame | None]:
    return {
        "factors": found.factor_stability.rename_axis("factor").reset_index(),
        "subtypes": subtypes.table().rename_axis("sample").reset_index(),
        "biomarkers": found.biomarkers(fdr) if found.n_permutations else None,
    }


def _write(folder: Path, found: Stability, subtypes: ConsensusSubtypes, fdr: float) -> None:
    from poems.files.csv_tables import write_csv
    from poems.files.output_folder import replaced_folder
    from poems.plots import plot_consensus
    from poems.plots.saving import save_figure
    from poems.resampling.storage import OLDER, write_stability

    matrix = found.consensus_matrix(subtypes.n_subtypes)
    drawn = plot_consensus(matrix, subtypes.assignment)
    with replaced_folder(folder, "stability", older=(*OLDER, "biomarkers.csv")) as fresh:
        if found.n_permutations:
            write_csv(fresh / "biomarkers.csv", found.biomarkers(fdr), index=False)
        write_csv(fresh / "subtypes.csv", subtypes.table().rename_axis("sample"))
        write_csv(fresh / "subtype_choice.csv", subtypes.choice)
        write_csv(fresh / "consensus_matrix.csv", matrix.rename_axis("sample"))
        save_figure(drawn, fresh / "figures" / "consensus", ["png", "svg"])
        write_stability(found, fresh)


def _show(
    console: Console,
    found: Stability,
    subtypes: ConsensusSubtypes,
    request: _Request,
    seconds: float,
) -> None:
    heading(console, f"{len(found.runs)} refits ({request.resample}), {seconds:.0f} s in all.")
    _print_factors(console, found, request.fdr)
    if len(found.held_out_r2):
        of_deviance = found.reference.share_of == "deviance"
        views = name_some(of_deviance.index[of_deviance], 20)
        but = f"; of {views}, POEMS': deviance explained" if of_deviance.any() else ""
        heading(console, f"R² of samples left out (predicting the mean: 0{but})")
        table = found.held_out_r2.groupby("view", sort=False)[["model", "pca"]].mean()
        shown = table.rename(columns={"model": "POEMS", "pca": "PCA"}).map(decimal)
        print_table(console, shown, index="view")
    heading(console, "Consensus subtypes")
    if request.n_subtypes is None:
        say(console, _how_many(subtypes.n_subtypes), "dim")
    widths = subtypes.agreement.groupby(subtypes.assignment).mean()
    sizes = subtypes.assignment.value_counts().loc[widths.index]
    print_table(
        console, sizes.to_frame("samples").assign(agreement=widths.map(decimal)), index="subtype"
    )
    heading(console, f"Written to {request.out}")
    written = "biomarkers.csv, " if found.n_permutations else ""
    say(
        console,
        f"  {written}factors.csv, subtypes.csv, consensus_latent.csv, consensus_matrix.csv, "
        "frequency/, q_values/, figures/, …",
    )


def _how_many(n_subtypes: int) -> str:
    own = "the fit of all samples has"
    if n_subtypes == 1:
        return f"{own} no distinct groups; --n-subtypes N shows how far refits agree on N"
    return f"as many as {own}, by the rule of poems fit; --n-subtypes N takes another number"


def _print_factors(console: Console, found: Stability, fdr: float) -> None:
    heading(console, "Factors")
    table = found.factor_stability
    shown = table[["similarity", "chance"]].map(decimal)
    shown["found in"] = table["found"].map(percent)
    if not found.n_permutations:
        print_table(console, shown, index="factor")
        say(console, "no biomarkers without --n-permutations", "dim")
        return
    biomarkers = found.biomarkers(fdr)
    counts = biomarkers["factor"].value_counts()
    shown["biomarkers"] = counts.reindex(table.index, fill_value=0)
    shown["strongest"] = [_strongest(biomarkers, factor) for factor in table.index]
    print_table(console, shown, index="factor")
    say(
        console,
        f"{len(biomarkers)} biomarkers (pairs of feature and factor) at a false discovery rate "
        f"of {fdr:.0%}",
    )
    unstable = int((table["found"] < 0.5).sum())
    if unstable:
        verb = "is" if unstable == 1 else "are"
        say(console, f"{unstable} of {len(table)} factors {verb} found in fewer than half of the "
            "refits: do not build on them", "yellow")  # fmt: skip


def _strongest(biomarkers: pd.DataFrame, factor: str) -> str:
    # Biomarkers of each factor that are printed; the file has them all.
    names = biomarkers.loc[biomarkers["factor"] == factor, "feature"].head(3)
    return ", ".join(map(str, names)) or "–"
