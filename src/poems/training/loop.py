"""The training loop: epochs of mini-batches, schedules and stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from poems.errors import TrainingError
from poems.nn.loadings_prior import update_priors
from poems.nn.model import POEMS
from poems.nn.objective import Terms, elbo_terms
from poems.nn.precision import matmul_precision_kept
from poems.nn.profiling import NO_PROFILE, Profile
from poems.scaling.batch import Batch, SampleSource
from poems.settings.schema import Settings
from poems.training.interrupts import interrupts_let_through
from poems.training.optimizer import Optimizer
from poems.training.schedule import ramp
from poems.training.state import (
    TrainingState,
    generators,
    model_tensors,
    set_generators,
    set_tensors,
)
from poems.training.stopping import Never, Plateau, StoppingRule

if TYPE_CHECKING:
    from poems.training.checkpoints import Checkpoints

# A factor needs three indicators to be identified (Anderson & Rubin 1956): with fewer it is some
# feature's noise by another name.
FEWEST_FEATURES = 3


# Stages in which schedules move over the whole training, at the least, and steps of a stage.
_FEWEST_STAGES = 50
_STEPS_OF_STAGE = 20


class Status(Enum):
    """How training ended, as a sentence."""

    CONVERGED = "Converged: the objective no longer fell."
    STOPPED_EARLY = "Stopped early: the held-out objective no longer fell."
    ALL_EPOCHS = "Ran for all epochs."
    UNFINISHED = "Unfinished: a checkpoint taken during training."
    INTERRUPTED = "Interrupted: the best state so far was kept."
    INTERRUPTED_EARLY = (
        "Interrupted before every term was at full strength: the latest state was kept."
    )


@dataclass(frozen=True)
class Epoch:
    """What a callback is told after each epoch: a row of the history."""

    epoch: int
    n_epochs: int
    terms: dict[str, float]


@dataclass
class Training:
    """The outcome: status, best epoch (1-based), and a row of terms per epoch.

    ``dropped`` counts the factors that were left with too few features.
    """

    status: Status = Status.ALL_EPOCHS
    best_epoch: int = 0
    history: list[Epoch] = field(default_factory=list)
    dropped: int = 0


Callback = Callable[[Epoch], None]


@matmul_precision_kept()
def train(
    model: POEMS,
    data: SampleSource,
    settings: Settings,
    *,
    held_out: Batch | None = None,
    callbacks: tuple[Callback, ...] = (),
    checkpoints: Checkpoints | None = None,
    resume: TrainingState | None = None,
    profile: Profile = NO_PROFILE,
) -> Training:
    """Train the model in place.

    Random numbers come from torch's generator, which the caller seeds. A
    ``KeyboardInterrupt`` ends training and keeps the best state so far: the one
    with the least monitored objective once all schedules are at full strength,
    the latest one before.

    Parameters
    ----------
    model
        The model, at its start.
    data
        The training samples, in memory or on disk; their batches are on the model's device.
    settings
        ``training`` and ``sparsity`` matter here.
    held_out
        Samples to monitor, for ``stopping="held_out"``.
    callbacks
        Called after each epoch.
    checkpoints
        Told of each epoch after which training goes on.
    resume
        Where to go on: as if training had not been interrupted there, on the same data.
    profile
        Is told how long the parts of a step take.

    Raises
    ------
    TrainingError
        If the objective is no longer finite.
    ValueError
        If the state to go on from is of another model.
    """
    options = settings.training
    optimizer = Optimizer(model, settings)
    rule: StoppingRule = Never() if options.stopping == "none" else Plateau(options.patience)
    stopped = Status.STOPPED_EARLY if held_out is not None else Status.CONVERGED
    schedules = _Schedules(model, data, settings)
    n_features = sum(data.n_features.values())
    n_epochs = options.n_epochs(len(data))
    full_strength = max(settings.sparsity.ramp_end, options.kl_warmup)

    model.train()
    training, settled = Training(), False
    best, best_value = _Snapshot(model), math.inf
    begun = 0
    if resume is not None:
        best_value = _go_on(resume, model, optimizer, best, rule)
        training.history = [Epoch(i, n_epochs, t) for i, t in enumerate(resume.history, 1)]
        training.best_epoch, settled, begun = resume.best_epoch, resume.settled, resume.epoch

    def state() -> TrainingState:
        values = torch.tensor([best_value, *rule.values()], dtype=torch.float64)
        return _state(model, optimizer, best, values, training, settled=settled)

    try:
        with interrupts_let_through(telling=True):
            for epoch in range(begun + 1, n_epochs + 1):
                progress = (epoch - 1) / n_epochs
                if progress >= options.kl_warmup and model.prior.learns:
                    _learn_prior(model, data, settings, emptying=progress >= full_strength)
                terms = _train_epoch(
                    model, data, settings, optimizer, schedules, epoch, n_epochs, profile
                )
                terms |= {"kl_weight": schedules.kl_weight, "spike_ramp": schedules.spike_ramp}
                if model.prior.n_components is not None:
                    terms["components"] = float(model.prior.n_components)
                if loadings := [decoder.loadings for _, decoder in model.sparse_decoders()]:
                    terms["nonzero"] = float(sum(int(torch.count_nonzero(w)) for w in loadings))
                if held_out is not None:
                    terms["held_out"] = evaluate(model, held_out, settings)
                    if not math.isfinite(terms["held_out"]):
                        raise TrainingError(
                            f"the held-out objective is not finite in epoch {epoch}. Try a smaller "
                            "learning_rate, and look for extreme values in the views."
                        )
                monitored = terms["objective"] if held_out is None else terms["held_out"]
                row = Epoch(epoch, n_epochs, terms)
                training.history.append(row)
                settled = progress >= full_strength
                if not settled or monitored < best_value:
                    best.take()
                    training.best_epoch = epoch
                    best_value = monitored if settled else math.inf
                for callback in callbacks:
                    callback(row)
                if settled and rule.stops(monitored):
                    training.status = stopped
                    break
                if checkpoints is not None and epoch < n_epochs:
                    checkpoints(training.history, state)
    except KeyboardInterrupt:
        training.status = Status.INTERRUPTED if settled else Status.INTERRUPTED_EARLY
    best.restore()
    if settings.sparsity.proximal and training.status is not Status.INTERRUPTED_EARLY:
        training.dropped = model.drop_factors(min(FEWEST_FEATURES, n_features))
    model.eval()
    return training


def _state(
    model: POEMS,
    optimizer: Optimizer,
    best: _Snapshot,
    values: Tensor,
    training: Training,
    *,
    settled: bool,
) -> TrainingState:
    """Gather everything that the epochs to come depend on."""
    tensors = model_tensors(model)
    tensors |= {f"best.{at}": value for at, value in enumerate(best.tensors())}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer.tensors().items()}
    tensors |= {"values": values, **generators(next(model.parameters()).device)}
    rows = [row.terms for row in training.history]
    return TrainingState(tensors, len(rows), training.best_epoch, settled, rows)


def _go_on(
    state: TrainingState,
    model: POEMS,
    optimizer: Optimizer,
    best: _Snapshot,
    rule: StoppingRule,
) -> float:
    """Bring everything back to a state; return the best value."""
    tensors, prefix = state.tensors, "optimizer."
    set_tensors(model_tensors(model), tensors)
    set_tensors({f"best.{at}": value for at, value in enumerate(best.tensors())}, tensors)
    optimizer.set_tensors(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    best_value, *of_rule = tensors["values"].tolist()
    rule.set_values(of_rule)
    # Last: what was done before may have drawn from them.
    set_generators(tensors, next(model.parameters()).device)
    return float(best_value)


class _Schedules:
    """What changes in the course of training: the KL term's weight, the spike's rate, the gate.

    Experts say nothing at first, and a gate that weighs them as it learns can shut out all
    views but one in ten steps, for good. With views of several kinds, whose likelihoods fall at
    different rates, it does at times; there its share rises with the KL term's weight.
    """

    def __init__(self, model: POEMS, data: SampleSource, settings: Settings) -> None:
        self._settings, self._model = settings, model
        self._decoders = [decoder for _, decoder in model.sparse_decoders()]
        self._n_measured = torch.cat([data.n_measured(name) for name in model.views])
        self.kl_weight = self.spike_ramp = 0.0
        self.gate_share = 1.0
        views = range(len(model.views))
        self._gate_waits = not all(model.likelihood(i).additive for i in views)

    def set_progress(self, progress: float) -> None:
        """Set them as they are at this share of training, and the prior on the loadings."""
        sparsity, options = self._settings.sparsity, self._settings.training
        self.spike_ramp = ramp(progress, sparsity.ramp_start, sparsity.ramp_end)
        warmed = ramp(progress, 0.0, options.kl_warmup)
        self.kl_weight = options.kl_weight * warmed
        self.gate_share = warmed if self._gate_waits else 1.0
        if self._decoders:
            errors = torch.cat(self._model.standard_errors())
            update_priors(self._decoders, self.spike_ramp, errors, self._n_measured)


class _Snapshot:
    """A copy of a model's state, in memory of its own that is used again."""

    def __init__(self, model: POEMS) -> None:
        # The state's tensors share their memory with the model, so they stay up to date.
        self._state = list(model.state_dict().values())
        self._copy = [value.clone() for value in self._state]

    def tensors(self) -> list[Tensor]:
        """Return the copy."""
        return self._copy

    def take(self) -> None:
        """Copy the model as it stands."""
        torch._foreach_copy_(self._copy, self._state)

    def restore(self) -> None:
        """Bring the model back to the copy."""
        torch._foreach_copy_(self._state, self._copy)


def evaluate(model: POEMS, data: Batch, settings: Settings) -> float:
    """Compute the negative evidence lower bound of held-out samples, dropout off.

    The data's terms alone, at the full KL weight: the prior on the parameters
    does not depend on the samples. With ``reduction="mean"`` the whole
    objective, which is what the paper's code watches.
    """
    weight = settings.training.kl_weight
    model.eval()
    with torch.no_grad():
        terms = elbo_terms(model, data, settings, n_samples=len(data), kl_weight=weight)
    model.train()
    if settings.training.reduction == "mean":
        return terms.objective.item()
    return sum(value.item() for value in terms.nll.values()) + weight * terms.kl.item()


def _train_epoch(
    model: POEMS,
    data: SampleSource,
    settings: Settings,
    optimizer: Optimizer,
    schedules: _Schedules,
    epoch: int,
    n_epochs: int,
    profile: Profile,
) -> dict[str, float]:
    """Pass over the data once; return the sample-weighted mean of every term.

    Schedules move at the start of an epoch. Where a large cohort is passed over a
    few times only they also move within it, or they would go in leaps.
    """
    names: list[str] = []
    sums = torch.zeros(())
    n_batches = math.ceil(len(data) / settings.training.batch_size)
    n_stages = max(1, min(math.ceil(_FEWEST_STAGES / n_epochs), n_batches // _STEPS_OF_STAGE))
    for at, batch in enumerate(_timed(data.batches(settings.training.batch_size), profile)):
        if at * n_stages % n_batches < n_stages:
            progress = (epoch - 1 + at / n_batches) / n_epochs
            optimizer.set_progress(progress)
            with profile.span("prior"):
                schedules.set_progress(progress)
        terms = elbo_terms(
            model,
            batch,
            settings,
            n_samples=len(data),
            kl_weight=schedules.kl_weight,
            gate_share=schedules.gate_share,
            turns=optimizer.turns,
            profile=profile,
        )
        named = _named(terms)
        _require_finite(named, epoch)
        norm = optimizer.step(terms, batch.present(), profile)
        if not math.isfinite(norm):
            raise TrainingError(
                f"a gradient is not finite in epoch {epoch}, though the objective is. "
                "Try a smaller learning_rate, and look for extreme values in the views."
            )
        names = list(named)
        values = torch.stack(list(named.values()))
        sums = sums.to(values.device) + values * (len(batch) / len(data))
    return dict(zip(names, sums.tolist(), strict=True))


def _timed(batches: Iterator[Batch], profile: Profile) -> Iterator[Batch]:
    """Pass batches on, and tell how long they were waited for."""
    while True:
        with profile.span("data"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@torch.no_grad()
def _learn_prior(model: POEMS, data: SampleSource, settings: Settings, *, emptying: bool) -> None:
    """Let the prior see where the training samples lie."""
    model.eval()
    parts = [data] if isinstance(data, Batch) else data.chunks()
    posteriors = [model.encode(part).posterior for part in parts]
    loc = torch.cat([posterior.mean for posterior in posteriors])
    variance = torch.cat([posterior.variance for posterior in posteriors])
    model.train()
    driving = int(model.driving().sum())
    model.prior.learn(loc, variance, driving, settings.model.concentration, emptying=emptying)


def _named(terms: Terms) -> dict[str, Tensor]:
    """The terms by the names of the history's columns."""
    named = {
        "objective": terms.objective.detach(),
        "kl": terms.kl.detach(),
        "penalty": terms.penalty.detach(),
        "noise_prior": terms.noise_prior.detach(),
    }
    return named | {f"nll_{name}": value for name, value in terms.nll.items()}


def _require_finite(named: Mapping[str, Tensor], epoch: int) -> None:
    """Stop with the names of the terms that are not finite."""
    if math.isfinite(named["objective"].item()):
        return
    bad = [name for name, value in named.items() if not torch.isfinite(value)]
    raise TrainingError(
        f"the objective is not finite in epoch {epoch} ({', '.join(bad)}). Try a smaller "
        "learning_rate, and look for extreme values in the views (winsorise clips them)."
    )
