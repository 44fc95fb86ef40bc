"""stability(): refits over seeds and resamples, and what they agree on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from poems.data import MultiOmics, read
from poems.data.disk.view import require_in_memory
from poems.errors import DataError, SettingsError
from poems.findings import name_some
from poems.fitting.fit import fit
from poems.fitting.result import FittedPoems
from poems.nn.likelihoods import Likelihood, OwnScaleLikelihood
from poems.resampling.draws import Draw, Resample, draw_samples
from poems.resampling.parallel import run_tasks
from poems.resampling.permutation import permuted_cohort, permuted_settings
from poems.resampling.progress import Progress, refit_counter
from poems.resampling.refits import Refit, RefitData, refit
from poems.resampling.result import Stability
from poems.resampling.summary import summarise
from poems.settings.arguments import MOST_REPEATS, MOST_THREADS, require_whole
from poems.settings.schema import LARGEST_SEED, Settings, settings_from_mapping


def stability(
    cohort: MultiOmics | Mapping[str, Any],
    *,
    n_runs: int = 20,
    resample: Resample = "subsample",
    n_permutations: int = 1,
    reference: FittedPoems | None = None,
    seed: int = 0,
    settings: Settings | Mapping[str, Any] | str | None = None,
    candidates: Iterable[int] = range(2, 11),
    n_jobs: int = 1,
    progress: bool | Progress = True,
    **overrides: Any,
) -> Stability:
    """Refit a cohort many times, and say what would be found again.

    Every refit has a seed and a draw of samples of its own. Its factors are
    matched to those of a reference fit on all samples. Pairs of feature and
    factor are ordered by the size of their mean loading over the refits; how
    many of them are wrong is estimated by repeating everything on cohorts that
    keep the effects of the reference fit and permute its residuals over the
    samples (see :mod:`poems.resampling.error_control`). No labels are used.

    The result is the same whatever ``n_jobs``. With more than one, scripts
    must guard their entry by ``if __name__ == "__main__":``.

    Parameters
    ----------
    cohort
        A cohort, or anything that :func:`poems.read` takes.
    n_runs
        Number of refits.
    resample
        ``"subsample"``: 80 % of the samples, none twice; ``"bootstrap"``: as
        many as there are, drawn with replacement (duplicates make for more
        factors of noise, see the docs); ``"none"``: all, seeds alone differ.
    n_permutations
        Repetitions on permuted data, each of ``n_runs + 1`` fits; with 0 there
        are no q-values.
    reference
        A fit of the same samples to take as the reference, with its settings;
        by default one is made.
    seed
        Seed of draws, refits and permutations, and of the reference fit.
    settings
        As for :func:`poems.fit`; those of ``reference`` if that is given.
    candidates
        Numbers of clusters to form in each refit; those above the number of
        samples less one are passed over.
    n_jobs
        Processes, one thread each.
    progress
        Whether to show progress, or a function that is told the numbers of
        fits done and in all.
    **overrides
        Single settings by name, such as ``epochs=50``.

    Raises
    ------
    DataError
        If the cohort cannot be fitted, has too few samples to draw from, is not
        the one that ``reference`` was fitted on, or the reference has no factor.
    SettingsError
        If an argument is out of range or contradicts another.
    TrainingError
        If a fit or a process fails.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(60, 30, 3, density=0.3, n_views=2, seed=0).cohort
    >>> found = poems.stability(
    ...     cohort, n_runs=2, n_permutations=0, epochs=40, n_latent=4, progress=False
    ... )
    >>> found.factor_stability.columns.tolist()
    ['similarity', 'chance', 'chance_95', 'found']
    """
    require_whole("n_runs", n_runs, 2, MOST_REPEATS)
    require_whole("n_permutations", n_permutations, 0, MOST_REPEATS)
    require_whole("n_jobs", n_jobs, 1, MOST_THREADS)
    require_whole("seed", seed, 0, LARGEST_SEED)
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    require_in_memory(given, "stability()")
    chosen = _settings(settings, overrides, reference)
    sizes = _sizes(candidates, given.n_samples)
    draws = draw_samples(given.measured, n_runs, resample=resample, seed=seed)

    n_repeated = n_permutations * (n_runs + 1)
    with refit_counter(progress, (reference is None) + n_runs + n_repeated) as count:
        if reference is None:
            reference = _fit_reference(given, chosen, seed)
            count()
        _require_reference(reference, given)
        # With the likelihoods that were chosen by all samples.
        chosen = reference.settings
        _require_permutable(reference, n_permutations)
        seeds = np.random.SeedSequence([seed, 1]).generate_state(n_permutations)
        worlds = [RefitData.of(given, chosen, sizes)]
        tasks = [(0, draw) for draw in draws]
        for world, own in enumerate(map(int, seeds), start=1):
            permuted = permuted_cohort(reference, given, seed=own)
            worlds.append(RefitData.of(permuted, permuted_settings(chosen)))
            everyone = Draw(np.arange(given.n_samples), own)
            again = draw_samples(permuted.measured, n_runs, resample=resample, seed=own)
            tasks += [(world, draw) for draw in (everyone, *again)]
        done = run_tasks(_refit_in, worlds, tasks, n_jobs=n_jobs, on_done=count)
    refits, repeated = done[:n_runs], done[n_runs:]
    repetitions = [repeated[at : at + n_runs + 1] for at in range(0, n_repeated, n_runs + 1)]
    return summarise(
        given, reference, draws, refits, repetitions, sizes, resample=resample, seed=seed
    )


def _refit_in(worlds: Sequence[RefitData], task: tuple[int, Draw]) -> Refit:
    world, draw = task
    return refit(worlds[world], draw)


def _fit_reference(cohort: MultiOmics, settings: Settings, seed: int) -> FittedPoems:
    reference = fit(cohort, seed=seed, settings=settings, progress=False)
    if reference.status.startswith("Interrupted"):
        raise KeyboardInterrupt
    return reference


def _require_reference(reference: FittedPoems, cohort: MultiOmics) -> None:
    """Refuse a reference that is of another cohort, or without factors."""
    if list(map(str, reference.samples)) != list(map(str, cohort.samples)):
        raise DataError(
            f"the reference was fitted on {len(reference.samples)} samples that are not the "
            f"cohort's {cohort.n_samples} in their order; give the tables that it was fitted on"
        )
    if set(reference.view_names) != set(cohort.views):
        raise DataError(
            f"the reference has the views {name_some(reference.view_names, 20)}, the cohort "
            f"{name_some(cohort.views, 20)}; give the tables that it was fitted on"
        )
    for view in reference.view_names:
        absent = reference.features(view).difference(cohort[view].features)
        if len(absent):
            raise DataError(
                f"view '{view}' lacks {len(absent)} features that the reference was fitted on: "
                f"{name_some(absent)}; give the tables that it was fitted on"
            )
    if not reference.n_active:
        raise DataError(
            "the reference fit has no factor, so there is nothing that could be found again; "
            "train longer (epochs), or penalise less (lambda_spike_scale below its default)"
        )


def _permutable(likelihood: Likelihood) -> bool:
    if isinstance(likelihood, OwnScaleLikelihood):
        return likelihood.distribution(likelihood.null[None]) is not None
    return True


def _require_permutable(reference: FittedPoems, n_permutations: int) -> None:
    """Refuse to permute residuals of a family that has none."""
    own = [
        name
        for i, name in enumerate(reference.view_names)
        if not _permutable(reference.module.likelihood(i))
    ]
    if n_permutations and own:
        raise SettingsError(
            f"error rates come from permuted residuals, which the likelihood of view "
            f"{name_some(own)} does not have, for it does not say its distribution(); ask for "
            "none (n_permutations=0, --n-permutations 0), or fit these views as gaussian"
        )


def _settings(
    given: Settings | Mapping[str, Any] | str | None,
    overrides: Mapping[str, Any],
    reference: FittedPoems | None,
) -> Settings:
    if reference is not None:
        if given is not None or overrides:
            raise SettingsError(
                "the refits take the settings of the reference; give either of them, not both"
            )
        return reference.settings
    if given is None or isinstance(given, str):
        chosen = Settings.preset(given or "default")
    else:
        chosen = given if isinstance(given, Settings) else settings_from_mapping(given)
    return chosen.updated(**overrides)


def _sizes(candidates: Iterable[int], n_samples: int) -> tuple[int, ...]:
    wanted = sorted(set(candidates))
    possible = tuple(k for k in wanted if 2 <= k < n_samples)
    if not possible:
        raise SettingsError(
            f"none of the numbers of clusters {wanted} is possible for {n_samples} samples; name "
            f"candidates from 2 to {n_samples - 1}"
        )
    return possible
