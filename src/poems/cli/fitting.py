"""From a cohort to a run folder, with what is printed on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poems.cli.console import heading, output, print_findings, print_table, say
from poems.cli.progress import TrainingProgress
from poems.errors import SettingsError
from poems.output_folder import CHECKPOINT

if TYPE_CHECKING:
    from poems.analysis.subtypes import Method, Subtypes
    from poems.config import Metric, Settings
    from poems.data import MultiOmics
    from poems.fitted import FittedPoems


@dataclass(frozen=True)
class FitRequest:
    """What to fit with, and where to write it."""

    settings: Settings
    out: Path
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    n_subtypes: int | None = None
    metric: Metric | None = None
    subtypes_by: Method = "kmeans"
    checkpoint_every: int | None = None
    quiet: bool = False

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

    Raises
    ------
    DataError
        If the cohort cannot be fitted.
    KeyboardInterrupt
        If training was interrupted before its first epoch ended.
    """
    from poems.analysis.subtypes import find_subtypes
    from poems.data import quality_findings
    from poems.run_folder import write_run
    from poems.run_log import log_findings, run_log

    console = output()
    start = time.monotonic()
    with run_log(request.out):
        known = (*cohort.findings, *quality_findings(cohort))
        log_findings(known)
        if not request.quiet:
            say(console, repr(cohort))
            print_findings(console, known, all_notes=False)
        model = _fit(cohort, request)
        seen = {(finding.code, finding.view) for finding in known}
        late = [each for each in model.findings if (each.code, each.view) not in seen]
        log_findings(late)
        subtypes = find_subtypes(
            model,
            request.n_subtypes if model.n_active else 1,
            metric=request.metric,
            method=request.subtypes_by if model.n_active else "kmeans",
            seed=request.seed,
        )
        write_run(request.out, model, cohort, subtypes)
    if not request.quiet:
        print_findings(console, late, all_notes=False)
        _print_summary(model, subtypes, request.out, time.monotonic() - start)
    return model, subtypes


def _fit(cohort: MultiOmics, request: FitRequest) -> FittedPoems:
    from poems.fitting import fit

    checkpoint = None
    if request.checkpoint_every:
        checkpoint = request.out / CHECKPOINT
    options = {"checkpoint_every": request.checkpoint_every} if request.checkpoint_every else {}
    with TrainingProgress() as progress:
        return fit(
            cohort,
            seed=request.seed,
            threads=request.threads,
            settings=request.settings,
            progress=False if request.quiet else progress,
            checkpoint=checkpoint,
            device=request.device,
            **options,
        )


def _print_summary(model: FittedPoems, subtypes: Subtypes, out: Path, seconds: float) -> None:
    import pandas as pd

    console = output()
    n_epochs = len(model.history)
    n_factors = model.latent.shape[1]
    heading(console, f"{model.status} {n_epochs} epochs, {seconds:.0f} s in all.")
    say(console, f"{n_factors} of {model.settings.model.n_latent} factors kept.")
    if not n_factors:
        say(
            console,
            "warning: no factor drives any feature; train longer (--epochs), or penalise less "
            "(--lambda-spike-scale)",
            "yellow",
        )
    heading(console, "Views")
    views = pd.DataFrame(
        {
            "features": [len(model.loadings[view]) for view in model.view_names],
            "driven": [int((model.loadings[v] != 0).any(axis=1).sum()) for v in model.view_names],
            "R²": [f"{model.r2[view]:.2f}" for view in model.view_names],
            "mean weight": [f"{model.gates[view].mean():.2f}" for view in model.view_names],
        },
        index=list(model.view_names),
    )
    print_table(console, views, index="view")
    heading(console, "Subtypes")
    widths = subtypes.sample_silhouette.groupby(subtypes.assignment).mean()
    table = pd.DataFrame(
        {
            "samples": subtypes.sizes,
            "silhouette": [_decimal(widths[name]) for name in subtypes.sizes.index],
        }
    )
    print_table(console, table, index="subtype")
    say(console, f"mean silhouette {_decimal(subtypes.sample_silhouette.mean())}")
    heading(console, f"Written to {out}")
    say(console, "  latent.csv, gates.csv, subtypes.csv, loadings/, figures/, model.poems, …")


def _decimal(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"
