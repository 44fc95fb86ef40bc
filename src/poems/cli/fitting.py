"""From a cohort to a run folder, with what is printed on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from poems.cli.console import clean, decimal, heading, output, print_findings, print_table, say
from poems.cli.diagnosis import print_diagnosis
from poems.errors import SettingsError
from poems.failures import failure
from poems.findings import Finding, name_some, unsaid
from poems.interrupts import hold_again, interrupts_held
from poems.output_folder import CHECKPOINT, claim_folder
from poems.profiling import NO_PROFILE, Profile

if TYPE_CHECKING:
    from rich.console import Console

    from poems.analysis.subtypes import Method, Subtypes
    from poems.config import Metric, Settings
    from poems.data import MultiOmics
    from poems.fitted import FittedPoems


@dataclass(frozen=True)
class FitRequest:
    """What to fit with, and where to write it."""

    settings: Settings
    out: Path
    overwrite: bool = False
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    n_subtypes: int | None = None
    metric: Metric | None = None
    subtypes_by: Method = "kmeans"
    checkpoint_every: int | None = None
    analysis: bool = True
    quiet: bool = False
    profile: Profile = NO_PROFILE

    def __post_init__(self) -> None:
        """Refuse before the fit what finding subtypes would refuse after it."""
        if self.subtypes_by != "mixture":
            return
        if self.settings.model.prior != "mixture":
            raise SettingsError(
                "--subtypes-by mixture needs the mixture prior; add --prior mixture"
            )
        if self.n_subtypes is not None:
            raise SettingsError(
                "--subtypes-by mixture takes the number of subtypes from the prior; leave out "
                "--n-subtypes, or set --n-components"
            )


def fit_and_write(cohort: MultiOmics, request: FitRequest) -> tuple[FittedPoems, Subtypes]:
    """Fit ``cohort``, find subtypes, write the run folder and print a summary.

    The model, its subtypes and its tables are written as soon as they are
    there. What fails after that is a finding, and does not raise.

    Raises
    ------
    DataError
        If the cohort cannot be fitted.
    SettingsError
        If more subtypes than samples are asked for, a setting names a view
        that is not there, or the folder cannot be written to.
    KeyboardInterrupt
        If training was interrupted before its first epoch ended, or the fit
        after it; its text says what was kept and what is missing.
    """
    _check(cohort, request)
    folder = claim_folder(request.out, "run", overwrite=request.overwrite)
    # It is of an earlier fit, and would be taken for one of this fit.
    (folder / CHECKPOINT).unlink(missing_ok=True)
    before = _marker(folder)
    try:
        return _fit_and_write(cohort, request)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or _kept(folder, before)) from None


def _marker(folder: Path) -> int | None:
    """Return which run the folder holds whole, told by its marker; ``None`` for none."""
    from poems.errors import PoemsError
    from poems.output_folder import read_marker

    try:
        read_marker(folder, "run")
        return (folder / "run.json").stat().st_mtime_ns
    except (PoemsError, OSError):
        return None


def _kept(folder: Path, before: int | None) -> str:
    """Say what an interrupt left."""
    now = _marker(folder)
    if now is not None and now != before:
        return f"the run in {folder} is whole"
    old = f"; the earlier run in {folder} is as it was" if now is not None else ""
    if (folder / CHECKPOINT).exists():
        return f"only {folder / CHECKPOINT} was kept{old}"
    return f"nothing was kept{old}"


def _check(cohort: MultiOmics, request: FitRequest) -> None:
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


def _fit_and_write(cohort: MultiOmics, request: FitRequest) -> tuple[FittedPoems, Subtypes]:
    from poems.data import quality_findings
    from poems.run_additions import add_to_run, all_additions
    from poems.run_log import log_findings, run_log
    from poems.run_writing import write_core

    console = output()
    start = time.monotonic()
    with run_log(request.out):
        log1p = request.settings.preprocessing.log1p
        known = (*cohort.findings, *quality_findings(cohort, log1p=log1p))
        log_findings(known)
        if not request.quiet:
            say(console, repr(cohort))
            print_findings(console, known, all_notes=False)
        with interrupts_held(_say_held):
            model = _fit(cohort, request)
            with request.profile.span("subtypes"):
                subtypes, said = _find_subtypes(model, request)
            with request.profile.span("writing"):
                write_core(request.out, model, cohort, subtypes, findings=said)
            additions = all_additions(
                request.out, model, cohort, subtypes, analysis=request.analysis, seed=request.seed
            )
            core = (*model.findings, *subtypes.findings, *said)
            with request.profile.span("analysis"):
                added = add_to_run(request.out, additions, core)
        late = unsaid((*core, *added), known)
        log_findings(late)
    if request.quiet:
        _print_failures(late)
    else:
        # Those of the diagnosis come with the summary.
        told = model.diagnose().findings
        print_findings(console, [each for each in late if each not in told], all_notes=False)
        _print_summary(model, subtypes, request.out, time.monotonic() - start)
    return model, subtypes


def _say_held() -> None:
    # Within a signal's handler Python's own streams may be in use.
    text = "\nfinishing the model first; interrupt again to end at once\n"
    os.write(2, text.encode())


def _print_failures(findings: Sequence[Finding]) -> None:
    """Print what failed, also where nothing else is: the exit code does not tell."""
    for each in findings:
        if each.code.endswith(("-failed", "-interrupted")):
            typer.echo(clean(each), err=True)


def _find_subtypes(model: FittedPoems, request: FitRequest) -> tuple[Subtypes, tuple[Finding, ...]]:
    """Find subtypes; where this fails all samples are in one, which a finding says."""
    from poems.analysis.one_subtype import one_subtype
    from poems.analysis.subtypes import find_subtypes

    text = "no subtypes were found, and all samples are in one, S1, for the time being"
    try:
        found = find_subtypes(
            model,
            request.n_subtypes if model.n_active else 1,
            metric=request.metric,
            method=request.subtypes_by if model.n_active else "kmeans",
            seed=request.seed,
        )
    except KeyboardInterrupt:
        if not hold_again():
            raise
        said = Finding("warning", "subtypes-interrupted", f"{text}: the fit was interrupted")
    # Broad on purpose: any fault here, of any library, would throw away the training.
    except Exception as error:
        said = failure(text, error, code="subtypes-failed")
    else:
        return found, ()
    return one_subtype(model.samples), (said,)


def _fit(cohort: MultiOmics, request: FitRequest) -> FittedPoems:
    from poems.fitting import fit

    checkpoint = None
    if request.checkpoint_every:
        checkpoint = request.out / CHECKPOINT
    return fit(
        cohort,
        seed=request.seed,
        threads=request.threads,
        settings=request.settings,
        progress=not request.quiet,
        checkpoint=checkpoint,
        checkpoint_every=request.checkpoint_every or 1,
        device=request.device,
        profile=request.profile,
    )


def _print_summary(model: FittedPoems, subtypes: Subtypes, out: Path, seconds: float) -> None:
    import pandas as pd

    from poems.analysis.contributions import mean_weights

    console = output()
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
            "R²": [f"{model.r2[view]:.2f}" for view in model.view_names],
            "mean weight": [decimal(weights[view]) for view in model.view_names],
        },
        index=list(model.view_names),
    )
    print_table(console, views, index="view")
    if (model.gates == 0).any(axis=None):
        say(console, "  weights: over the samples on which the view was measured", "dim")
    _print_subtypes(console, subtypes)
    print_diagnosis(console, model.diagnose(), notes=False)
    heading(console, f"Written to {out}")
    say(console, "  latent.csv, gates.csv, subtypes.csv, loadings/, figures/, model.poems, …")


def _print_subtypes(console: Console, subtypes: Subtypes) -> None:
    import pandas as pd

    heading(console, "Subtypes")
    widths = subtypes.sample_silhouette.groupby(subtypes.assignment).mean()
    table = pd.DataFrame(
        {
            "samples": subtypes.sizes,
            "silhouette": [decimal(widths[name]) for name in subtypes.sizes.index],
        }
    )
    print_table(console, table, index="subtype")
    say(console, f"mean silhouette {decimal(subtypes.sample_silhouette.mean())}")
    if subtypes.unsettled:
        say(
            console,
            f"warning: the silhouette is best at the largest number tried "
            f"({subtypes.silhouette.index.max()}): no number of subtypes stands out; give "
            "--n-subtypes, or compare with --prior mixture --subtypes-by mixture",
            "yellow",
        )
    tiny = subtypes.tiny
    if tiny:
        verb = "holds" if len(tiny) == 1 else "hold"
        say(
            console,
            f"warning: {name_some(tiny, 8)} {verb} fewer than 3 samples: outliers rather than "
            "subtypes; look at these samples, or ask for another --n-subtypes",
            "yellow",
        )
