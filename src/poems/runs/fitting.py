"""From a cohort to a run folder: fit, find subtypes, write the run and what is computed of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from poems.errors import ReadError, StorageError
from poems.files.markers import CHECKPOINT
from poems.files.output_folder import claimed_folder, require_space
from poems.findings import Finding, unsaid
from poems.fitting.failures import failure
from poems.nn.profiling import NO_PROFILE, Profile
from poems.notebook import Shown
from poems.runs.inputs import KEY, RunInputs, read_inputs
from poems.steps import step
from poems.training.interrupts import hold_again, interrupts_held

if TYPE_CHECKING:
    from poems.analysis.subtypes.finding import Method, Subtypes
    from poems.data import MultiOmics
    from poems.fitting.result import FittedPoems
    from poems.settings.schema import Metric, Settings

    Noticed = Callable[[MultiOmics, tuple[Finding, ...]], None]


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
    progress: bool = True
    profile: Profile = NO_PROFILE
    inputs: RunInputs | None = None
    command: Sequence[str] = ()
    resume: bool = False

    def about(self) -> dict[str, object]:
        """Return what of it is to be known of a run, as JSON holds it."""
        return {
            "command": list(self.command),
            "request": {name: getattr(self, name) for name in RECORDED},
            "machine": self.machine(),
            KEY: None if self.inputs is None else self.inputs.record(),
        }

    @staticmethod
    def machine() -> dict[str, str]:
        """Return on what this is computed."""
        return {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }


# What a fit is repeated with, beside its settings and its seed.
RECORDED: Final = ("seed", "threads", "device", "n_subtypes", "metric", "subtypes_by", "analysis")
# Seconds between two checkpoints where none are asked for: of a minute no more is lost.
_BETWEEN_CHECKPOINTS: Final = 60.0
# Of the pictures and all that does not depend on sizes.
_BYTES_OF_RUN: Final = 500_000


@dataclass(frozen=True, eq=False, repr=False)
class FittedRun(Shown):
    """A fit that was written.

    Parameters
    ----------
    folder
        The run folder.
    model, subtypes
        What was found.
    known
        What was noticed of the cohort before the fit.
    late
        What was noticed since, and not said before.
    interrupted
        Whether training was ended before its time.
    """

    folder: Path
    model: FittedPoems
    subtypes: Subtypes
    known: tuple[Finding, ...]
    late: tuple[Finding, ...]
    interrupted: bool = False


def resumed(run: Path, *, progress: bool, profile: Profile = NO_PROFILE) -> FitRequest:
    """Return what the fit was asked for whose checkpoint lies in a run folder.

    Raises
    ------
    ReadError
        If there is no such folder, or no checkpoint in it.
    StorageError
        If the checkpoint is damaged, or does not say what was asked for.
    """
    from poems.fitting.checkpoint import read_about
    from poems.fitting.record import read_record

    path = run / CHECKPOINT
    if not path.is_file():
        raise ReadError(_no_checkpoint(run))
    about, record = read_about(path), read_record(path)[0]
    try:
        inputs = read_inputs(about, run)
        if inputs is None:
            raise KeyError(KEY)
        return FitRequest(
            settings=record.settings,
            out=run,
            overwrite=True,
            checkpoint_every=about["checkpoint_every"],
            progress=progress,
            profile=profile,
            inputs=inputs,
            command=about["command"],
            resume=True,
            **about["request"],
        )
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"{path} does not say what it was fitted to and how ({error}): it was not written by "
            "`poems fit`. `poems.fit(…, resume=…)` can go on with it"
        ) from error


def _no_checkpoint(run: Path) -> str:
    if not run.is_dir():
        return f"there is no folder {run}; give the --out of the fit that was interrupted"
    if _marker(run) is not None:
        return f"the run in {run} is whole, and there is no checkpoint in it to go on from"
    return (
        f"there is no checkpoint in {run} to go on from: the first is written after a minute, or "
        "by --checkpoint-every. Repeat the fit"
    )


def fit_run(
    cohort: MultiOmics,
    request: FitRequest,
    *,
    noticed: Noticed = lambda cohort, findings: None,
) -> FittedRun:
    """Fit ``cohort``, find subtypes and write the run folder.

    The model, its subtypes and its tables are written as soon as they are
    there. What fails after that is a finding, and does not raise.

    Parameters
    ----------
    cohort
        The cohort.
    request
        What to fit with, and where to write it.
    noticed
        Told what was noticed of the cohort, before the fit begins.

    Raises
    ------
    DataError
        If the cohort cannot be fitted.
    SettingsError
        If the folder cannot be written to.
    KeyboardInterrupt
        If training was interrupted before its first epoch ended, or the fit
        after it; its text says what was kept and what is missing.
    """
    with claimed_folder(request.out, "run", overwrite=request.overwrite) as folder:
        if not request.resume:
            # It is of an earlier fit, and would be taken for one of this fit.
            (folder / CHECKPOINT).unlink(missing_ok=True)
        require_space(folder, _least_bytes(cohort, request.settings))
        before = _marker(folder)
        try:
            return _fit_and_write(cohort, request, noticed)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(str(interrupt) or _kept(folder, before)) from None


def _least_bytes(cohort: MultiOmics, settings: Settings) -> int:
    """Return about how many bytes a run takes at the least: numbers of features and samples."""
    n_features = sum(view.n_features for view in cohort.views.values())
    n_latent = settings.model.n_latent
    return _BYTES_OF_RUN + n_features * (n_latent * 30 + 100) + cohort.n_samples * n_latent * 60


def _marker(folder: Path) -> int | None:
    """Return which run the folder holds whole, told by its marker; ``None`` for none."""
    from poems.errors import PoemsError
    from poems.files.markers import read_marker

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
        again = f"to go on from there: poems fit --resume {folder}"
        return f"only {folder / CHECKPOINT} was kept{old}; {again}"
    return f"nothing was kept{old}"


def _fit_and_write(cohort: MultiOmics, request: FitRequest, noticed: Noticed) -> FittedRun:
    from poems.data import quality_findings
    from poems.fitting.likelihood_choice import choose_likelihoods
    from poems.nn.likelihoods import kinds_of
    from poems.runs.additions import add_to_run, all_additions
    from poems.runs.log import log_findings, run_log
    from poems.runs.writing import write_core
    from poems.scaling.own_scale import own_scale_views
    from poems.training.loop import Status

    with run_log(request.out):
        settings, likelihoods = choose_likelihoods(cohort, request.settings)
        own_scale = own_scale_views(kinds_of(settings.model, tuple(cohort.views)))
        log1p = settings.preprocessing.log1p
        quality = quality_findings(cohort, log1p=log1p, own_scale=own_scale)
        known = (*cohort.findings, *quality, *likelihoods)
        log_findings(known)
        noticed(cohort, known)
        with interrupts_held(_say_held):
            model = _fit(cohort, request)
            with request.profile.span("subtypes"), step("how many subtypes there are"):
                subtypes, said = _find_subtypes(model, request)
            interrupted = model.status in (
                Status.INTERRUPTED.value,
                Status.INTERRUPTED_EARLY.value,
            )
            additions = all_additions(
                model, cohort, subtypes, analysis=request.analysis, seed=request.seed
            )
            with request.profile.span("writing"):
                write_core(
                    request.out,
                    model,
                    cohort,
                    subtypes,
                    findings=said,
                    missing=additions,
                    about=request.about(),
                    keep_checkpoint=interrupted,
                )
            core = (*model.findings, *subtypes.findings, *said)
            with request.profile.span("analysis"):
                added = add_to_run(request.out, additions, core)
        late = unsaid((*core, *added), known)
        log_findings(late)
    return FittedRun(request.out, model, subtypes, known, tuple(late), interrupted)


def _say_held() -> None:
    # Within a signal's handler Python's own streams may be in use.
    text = "\nfinishing the model first; interrupt again to end at once\n"
    os.write(2, text.encode())


def _find_subtypes(model: FittedPoems, request: FitRequest) -> tuple[Subtypes, tuple[Finding, ...]]:
    """Find subtypes; where this fails all samples are in one, which a finding says."""
    from poems.analysis.subtypes.finding import failed_fit, form_subtypes
    from poems.analysis.subtypes.one_subtype import one_subtype

    text = "no subtypes were found, and all samples are in one, S1, for the time being"
    try:
        found = form_subtypes(
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
        return found, failed_fit(model)
    return one_subtype(model.samples), (said,)


def _fit(cohort: MultiOmics, request: FitRequest) -> FittedPoems:
    from poems.fitting.checkpoint import CheckpointPlan
    from poems.fitting.fit import fit

    every = request.checkpoint_every
    checkpoint = request.out / CHECKPOINT
    plan = CheckpointPlan(
        checkpoint,
        epochs=every,
        seconds=None if every else _BETWEEN_CHECKPOINTS,
        about={**request.about(), "checkpoint_every": every},
    )
    return fit(
        cohort,
        seed=request.seed,
        threads=request.threads,
        settings=request.settings,
        progress=request.progress,
        checkpoint=plan,
        resume=checkpoint if request.resume else None,
        device=request.device,
        profile=request.profile,
    )
