"""What a fit will do and take, said before it begins: features, epochs, memory, time."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from poems.data import MultiOmics
from poems.fitting.fit import fit
from poems.fitting.likelihood_choice import choose_likelihoods
from poems.fitting.memory import fit_memory
from poems.fitting.preparing import prepared_scaling
from poems.settings.schema import Settings

_TIMED_EPOCHS = 3


@dataclass(frozen=True, eq=False)
class Plan:
    """What ``poems fit`` would do.

    Parameters
    ----------
    views
        One row per view: ``samples`` and ``features`` measured, ``kept`` (features that are
        fitted), ``likelihood``.
    n_epochs, n_steps
        Passes over the cohort, and steps of the optimiser, at most.
    memory
        Bytes that the fit takes beside the tables, estimated.
    seconds
        Of training, from the time of its first epochs; what follows it comes on top.
    """

    views: pd.DataFrame
    n_epochs: int
    n_steps: int
    memory: int
    seconds: float


def plan_fit(
    cohort: MultiOmics, settings: Settings, *, seed: int = 0, threads: int = 1, device: str = "cpu"
) -> Plan:
    """Say what a fit would do, and estimate what it takes; nothing is kept.

    Raises
    ------
    DataError
        If the cohort cannot be fitted, or memory does not suffice.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    >>> plan = plan_fit(cohort, Settings().updated(epochs=50))
    >>> plan.n_epochs, plan.n_steps, plan.memory < 10**9
    (50, 50, True)
    """
    settings, _ = choose_likelihoods(cohort, settings)
    scaling = prepared_scaling(cohort, settings)
    kept = {name: len(each.features) for name, each in scaling.views.items()}
    memory = fit_memory(cohort, kept, settings)
    n_epochs = settings.training.n_epochs(cohort.n_samples)
    clock = _Clock(min(_TIMED_EPOCHS, n_epochs))
    # The clock itself ends the fit so; nothing else raises this.
    with suppress(_EnoughError):
        fit(
            cohort,
            seed=seed,
            threads=threads,
            device=device,
            settings=settings,
            progress=clock,
        )
    likelihoods = settings.model.likelihoods_of(tuple(cohort.views))
    views = pd.DataFrame(
        {
            "samples": [int(view.measured.sum()) for view in cohort.views.values()],
            "features": [view.n_features for view in cohort.views.values()],
            "kept": [kept[name] for name in cohort.views],
            "likelihood": likelihoods,
        },
        index=pd.Index(list(cohort.views), name="view"),
    )
    steps = n_epochs * -(-cohort.n_samples // settings.training.batch_size)
    return Plan(views, n_epochs, steps, memory, n_epochs * clock.seconds())


class _EnoughError(Exception):
    """The epochs that were to be timed are over."""


class _Clock:
    """Takes the time of each epoch, and ends training after some."""

    def __init__(self, n_epochs: int) -> None:
        self._n_epochs = n_epochs
        self._times = [time.monotonic()]

    def __call__(self, _: object) -> None:
        self._times.append(time.monotonic())
        if len(self._times) > self._n_epochs:
            raise _EnoughError

    def seconds(self) -> float:
        """Return the seconds of an epoch: the quickest, for the first compiles what others use."""
        return min(after - before for before, after in pairwise(self._times))
