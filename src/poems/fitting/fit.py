"""fit(): from a cohort to a FittedPoems."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from poems._version import __version__
from poems.data import MultiOmics, read
from poems.data.disk.view import BackedCohort
from poems.errors import DataError, SettingsError
from poems.findings import Finding, count, name_some
from poems.fitting.after_training import (
    learn_background,
    with_diagnosis,
    with_network,
    with_nuisances,
)
from poems.fitting.approximations import unwatched
from poems.fitting.checkpoint import CheckpointPlan, save_checkpoint, state_of_same_fit
from poems.fitting.likelihood_choice import choose_likelihoods
from poems.fitting.preparing import Prepared, prepare_fit
from poems.fitting.projection import unsettled
from poems.fitting.result import FittedPoems
from poems.nn.estimates import (
    estimate_backed_features,
    estimate_features,
    estimate_samples,
    explained_in_all,
)
from poems.nn.loading_scores import score_loadings
from poems.nn.model import POEMS
from poems.nn.precision import require_precision
from poems.nn.profiling import NO_PROFILE, Profile
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import bounded
from poems.scaling.redundancy import redundancy, redundancy_findings
from poems.settings.arguments import MOST_THREADS, require_whole
from poems.settings.parts import STARTS
from poems.settings.schema import LARGEST_SEED, Settings, settings_from_mapping
from poems.steps import step
from poems.training.checkpoints import Checkpoints
from poems.training.loop import FEWEST_FEATURES, Callback, Status, Training, train
from poems.training.progress import progress_bar
from poems.training.starts.intercepts import begin_at_intercepts
from poems.training.state import TrainingState

logger = logging.getLogger(__name__)

_RECORDED_VERSIONS = ("torch", "numpy", "pandas", "scikit-learn")


def fit(
    cohort: MultiOmics | Mapping[str, Any] | Any,
    *,
    seed: int = 0,
    settings: Settings | Mapping[str, Any] | str = "default",
    validation: Collection[str] | None = None,
    threads: int = 1,
    device: str = "cpu",
    progress: bool | Callback = True,
    checkpoint: str | Path | CheckpointPlan | None = None,
    checkpoint_every: int = 25,
    resume: str | Path | None = None,
    profile: Profile = NO_PROFILE,
    **overrides: Any,
) -> FittedPoems:
    """Fit POEMS to a cohort.

    The same cohort, settings, seed and number of threads give the same result,
    bit for bit, on the same machine and versions. ``Ctrl-C`` during training
    keeps the best state so far.

    Parameters
    ----------
    cohort
        A cohort, in memory or on disk (``poems.read(…, backed=True)``), or
        anything that :func:`poems.read` takes.
    seed
        Seeds the start, the mini-batches, dropout and the draws.
    settings
        Settings, a mapping of groups as in a TOML file, or the name of a
        preset: ``"default"`` or ``"paper"``.
    validation
        Names of the samples that ``stopping="held_out"`` watches, in place of a
        random share of them. No gradient comes from them.
    threads
        Threads for the arithmetic. With one, the default, the result does not
        depend on the machine's number of cores, and nothing slows down when it
        is shared; more pay for views of thousands of features.
    device
        A torch device such as ``"cpu"`` or ``"cuda"``.
    progress
        Whether to show a progress bar, or a function called after each epoch.
    checkpoint
        A file that receives the model and the state of training every
        ``checkpoint_every`` epochs, to be read with :func:`poems.load` or gone
        on from with ``resume`` should the run be lost.
    resume
        A checkpoint of the same fit: training goes on there, and ends in the
        same result, bit for bit, as if it had not been interrupted.
    profile
        A :class:`poems.nn.profiling.WallTimes`, to be told how long each part takes.
    **overrides
        Single settings by name, such as ``n_latent=32``; see
        :mod:`poems.settings.schema`.

    Raises
    ------
    DataError
        If the cohort cannot be fitted: too few samples, no usable feature; or
        if it lacks a sample that ``validation`` names.
    SettingsError
        If a setting is unknown or out of range, the device is not there or lacks
        the precision, ``validation`` is given without ``stopping="held_out"``,
        or the checkpoint to go on from is of other settings.
    StorageError
        If that is damaged, or of other data.
    TrainingError
        If the objective or a gradient is no longer finite.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> model.latent.index.equals(cohort.samples)
    True
    """
    chosen = _settings(settings).updated(**overrides)
    require_whole("seed", seed, 0, LARGEST_SEED)
    require_whole("threads", threads, 1, MOST_THREADS)
    require_whole("checkpoint_every", checkpoint_every, 1)
    place = _device(device)
    require_precision(chosen.training.precision, place)
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    chosen, likelihoods = choose_likelihoods(given, chosen)
    watched = None if validation is None else _watched(given, validation, chosen)
    with profile.span("preprocessing"), step("scaling the omics"):
        prepared = prepare_fit(given, chosen, seed, likelihoods)
    state = None
    if resume is not None:
        state = state_of_same_fit(resume, prepared.preprocessing, given.samples, chosen, seed)

    with _reproducible(seed, threads):
        with profile.span("start"), step("a start for the factors"):
            module, training_part, held_out, noted = _start(prepared, place, watched)
        prepared = replace(
            prepared,
            findings=(
                *prepared.findings,
                *noted,
                *unwatched(len(prepared.data) - len(training_part), held_out),
            ),
        )

        plan = checkpoint
        if isinstance(plan, str | Path):
            plan = CheckpointPlan(Path(plan), epochs=checkpoint_every)
        with _callbacks(progress) as callbacks:
            training = train(
                module,
                training_part,
                chosen,
                held_out=held_out,
                callbacks=callbacks,
                checkpoints=None if plan is None else _checkpoints(plan, prepared, module),
                resume=state,
                profile=profile,
            )
        if not training.history:
            # Interrupted before the first epoch ended: there is nothing to keep.
            raise KeyboardInterrupt
        if isinstance(given, BackedCohort):
            given.require_unchanged()
        host = torch.device("cpu")
        with profile.span("estimates"), step("estimates of factors and background"):
            fitted = _finish(prepared, module, training)
        with profile.span("diagnosis"), step("diagnosis"):
            fitted = with_diagnosis(
                fitted,
                training_part.to(host),
                None if held_out is None else held_out.to(host),
            )
            fitted = with_nuisances(fitted, given)

        with profile.span("network"), step("the network of samples"):
            fitted = with_network(fitted, prepared.data)
    logger.info("%r", fitted)
    return fitted


def _watched(cohort: MultiOmics, validation: Collection[str], settings: Settings) -> torch.Tensor:
    """Return the rows of the validation samples."""
    if settings.training.stopping != "held_out":
        raise SettingsError(
            "validation names samples to watch, which only stopping='held_out' does; it is "
            f"'{settings.training.stopping}'"
        )
    names = list(dict.fromkeys(validation))
    rows = cohort.samples.get_indexer(pd.Index(names, dtype=object))
    absent = [name for name, row in zip(names, rows, strict=True) if row < 0]
    if absent:
        raise DataError(f"validation names samples that the cohort lacks: {name_some(absent)}")
    if not names:
        raise SettingsError("validation is empty; name at least one sample")
    return torch.from_numpy(rows)


def _start(
    prepared: Prepared, device: torch.device, watched: torch.Tensor | None
) -> tuple[POEMS, Batch | BackedBatches, Batch | None, tuple[Finding, ...]]:
    """Build the model at its start; split off a held-out part if stopping needs one.

    Findings say what is assumed of how much features count.
    """
    settings, data = prepared.settings, prepared.data
    variances = {
        name: torch.tensor(scaling.variance, dtype=torch.float32)
        for name, scaling in prepared.preprocessing.views.items()
    }
    module = POEMS(variances, settings, prepared.preprocessing.n_levels)
    training_part: Batch | BackedBatches = data
    held_out: Batch | None = None
    if settings.training.stopping == "held_out":
        if watched is None:
            order = torch.randperm(len(data))
            n_held_out = max(1, round(settings.training.held_out * len(data)))
            said = f"held_out={settings.training.held_out:g}"
        else:
            others = torch.ones(len(data), dtype=torch.bool)
            others[watched] = False
            order = torch.cat([watched, others.nonzero().flatten()])
            n_held_out = len(watched)
            said = "validation"
        if len(data) - n_held_out < 2:
            raise SettingsError(
                f"{said} leaves {len(data) - n_held_out} of {len(data)} samples for training, "
                "which needs 2. Hold out fewer."
            )
        held_out, _ = bounded(data.take(order[:n_held_out]), prepared.seed, "stopping")
        held_out = held_out.to(device)
        training_part = data.take(order[n_held_out:].sort().values)
    noted: tuple[Finding, ...] = ()
    if settings.model.redundancy == "correlation":
        found = redundancy(training_part)
        module.feature_weights.copy_(torch.cat([each.weights for each in found.values()]))
        noted = tuple(redundancy_findings(found))
    effects_of_one = begin_at_intercepts(module, training_part)
    start = STARTS.find(settings.model.start)(
        training_part, settings.model.n_latent, module.weights_of_views()
    )
    for name, decoder in module.sparse_decoders():
        if name in start:
            decoder.start_from(start[name].effects * effects_of_one.get(name, 1.0))
    for i, name in enumerate(module.views):
        if name in start:
            module.likelihood(i).start(start[name].residual)
    return module.to(device), training_part.to(device), held_out, noted


def _finish(prepared: Prepared, module: POEMS, training: Training) -> FittedPoems:
    """Compute the tables of a trained model, leaving the model itself alone."""
    frozen = copy.deepcopy(module).cpu().requires_grad_(False).eval()
    findings = prepared.findings
    # A checkpoint does without background and scores: it is written again and again.
    if training.status is not Status.UNFINISHED:
        noted = learn_background(frozen, prepared.data, prepared.settings.model, prepared.seed)
        findings = (*findings, *noted)
    samples = estimate_samples(frozen, prepared.data)
    findings = (*findings, *unsettled(samples))
    features = (
        estimate_backed_features(frozen, prepared.data, samples.loc, prepared.seed)
        if isinstance(prepared.data, BackedBatches)
        else estimate_features(frozen, prepared.data, samples.loc)
    )
    if training.status is not Status.UNFINISHED:
        scores = score_loadings(frozen, prepared.data, samples, features)
        features = replace(features, score=scores)
    if training.dropped:
        dropped = Finding(
            "note",
            "factors-dropped",
            f"{count(training.dropped, 'factor')} with loadings on fewer than {FEWEST_FEATURES} "
            f"features of all views {'was' if training.dropped == 1 else 'were'} left out: "
            "that few do not identify a factor",
        )
        findings = (*findings, dropped)
    history = pd.DataFrame([row.terms for row in training.history])
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    return FittedPoems(
        settings=prepared.settings,
        seed=prepared.seed,
        samples=prepared.cohort.samples,
        history=history,
        findings=findings,
        status=training.status.value,
        versions={"poems": __version__} | recorded_versions(),
        preprocessing=prepared.preprocessing,
        module=frozen,
        sample_estimates=samples,
        feature_estimates=replace(features, total=explained_in_all(frozen, prepared.data, samples)),
    )


@cache
def recorded_versions() -> dict[str, str]:
    """Return the versions of what a fit computes with."""
    return {name: version(name) for name in _RECORDED_VERSIONS}


def _checkpoints(plan: CheckpointPlan, prepared: Prepared, module: POEMS) -> Checkpoints:
    def save(training: Training, state: TrainingState) -> None:
        # Whether and when one is written must not change what is drawn after it.
        with torch.random.fork_rng():
            fitted = _finish(prepared, module, training)
        save_checkpoint(fitted, state, plan)

    return Checkpoints(save, epochs=plan.epochs, seconds=plan.seconds)


@contextmanager
def _callbacks(progress: bool | Callback) -> Iterator[tuple[Callback, ...]]:
    """Return what is called after each epoch; the progress bar closes at the end."""
    if callable(progress):
        yield (progress,)
    elif progress:
        with progress_bar() as bar:
            yield (bar,)
    else:
        yield ()


@contextmanager
def _reproducible(seed: int, threads: int) -> Iterator[None]:
    """Seed torch and set all libraries' threads for a while, then put everything back."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(), _thread_pools().limit(limits=threads, user_api="blas"):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        # Numbers too small to matter are a hundred times slower to add.
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(before)


@cache
def _thread_pools() -> Any:
    """Return what limits the threads of numpy's and scipy's linear algebra."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    # Looked up once per process, as it takes as long as a step; scipy's is loaded by then.
    return ThreadpoolController()


def _settings(given: Settings | Mapping[str, Any] | str) -> Settings:
    """Resolve a preset's name or a mapping."""
    if isinstance(given, Settings):
        return given
    return Settings.preset(given) if isinstance(given, str) else settings_from_mapping(given)


def _device(name: str) -> torch.device:
    """Check that a device can be used."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"device '{name}' cannot be used ({reason}); try 'cpu'") from error
    return device
