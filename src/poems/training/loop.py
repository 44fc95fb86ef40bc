"""The training loop: mini-batches, AdamW, the proximal step, schedules and stopping."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor

from poems.config import Settings
from poems.elbo import Terms, elbo_terms, prior_divisor
from poems.errors import TrainingError
from poems.model import POEMS
from poems.nn.batch import Batch, SampleSource
from poems.nn.prior import MixturePrior
from poems.training.proximal import proximal_step
from poems.training.schedule import decayed, ramp
from poems.training.stopping import Never, Plateau, StoppingRule

# A factor needs three indicators to be identified (Anderson & Rubin 1956): with fewer it is some
# feature's noise by another name.
FEWEST_FEATURES = 3


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
    """The outcome: status, best epoch (1-based), and a row of terms an epoch.

    ``dropped`` counts the factors that were left with too few features.
    """

    status: Status = Status.ALL_EPOCHS
    best_epoch: int = 0
    history: list[Epoch] = field(default_factory=list)
    dropped: int = 0


Callback = Callable[[Epoch], None]


def train(
    model: POEMS,
    data: SampleSource,
    settings: Settings,
    *,
    held_out: Batch | None = None,
    callbacks: tuple[Callback, ...] = (),
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
        SampleSource to monitor, for ``stopping="held_out"``.
    callbacks
        Called after each epoch.

    Raises
    ------
    TrainingError
        If the objective is no longer finite.
    """
    options = settings.training
    optimizer = make_optimizer(model, settings)
    rule: StoppingRule = Never() if options.stopping == "none" else Plateau(options.patience)
    stopped = Status.STOPPED_EARLY if held_out is not None else Status.CONVERGED
    n_measured = {name: data.n_measured(name) for name in model.views}
    n_features = sum(data.n_features.values())
    full_strength = max(settings.sparsity.ramp_end, options.kl_warmup)

    training, settled = Training(), False
    best, best_value = copy.deepcopy(model.state_dict()), math.inf
    try:
        for epoch in range(1, options.epochs + 1):
            progress = (epoch - 1) / options.epochs
            spike_ramp = ramp(progress, settings.sparsity.ramp_start, settings.sparsity.ramp_end)
            kl_weight = options.kl_weight * ramp(progress, 0.0, options.kl_warmup)
            _set_learning_rate(optimizer, settings, progress)
            for name, decoder in model.sparse_decoders():
                noise = model.likelihood(model.views.index(name)).scale
                decoder.update_prior(spike_ramp, noise, n_measured[name])
            if progress >= options.kl_warmup and isinstance(model.prior, MixturePrior):
                _learn_components(
                    model, model.prior, data, settings, emptying=progress >= full_strength
                )

            terms = _train_epoch(model, data, settings, optimizer, kl_weight, epoch)
            terms |= {"kl_weight": kl_weight, "spike_ramp": spike_ramp}
            if isinstance(model.prior, MixturePrior):
                terms["components"] = float(model.prior.n_components)
            terms["nonzero"] = float(
                sum(int((d.loadings != 0).sum()) for _, d in model.sparse_decoders())
            )
            if held_out is not None:
                terms["held_out"] = evaluate(model, held_out, settings)
                if not math.isfinite(terms["held_out"]):
                    raise TrainingError(
                        f"the held-out objective is not finite in epoch {epoch}. Try a smaller "
                        "learning_rate, and look for extreme values in the views."
                    )
            monitored = terms["objective"] if held_out is None else terms["held_out"]
            row = Epoch(epoch, options.epochs, terms)
            training.history.append(row)
            settled = progress >= full_strength
            if not settled or monitored < best_value:
                training.best_epoch = epoch
                best_value = monitored if settled else math.inf
                _keep(best, model)
            for callback in callbacks:
                callback(row)
            if settled and rule.stops(monitored):
                training.status = stopped
                break
    except KeyboardInterrupt:
        training.status = Status.INTERRUPTED if settled else Status.INTERRUPTED_EARLY
    model.load_state_dict(best)
    if settings.sparsity.proximal and training.status is not Status.INTERRUPTED_EARLY:
        training.dropped = model.drop_factors(min(FEWEST_FEATURES, n_features))
    model.eval()
    return training


def make_optimizer(model: POEMS, settings: Settings) -> torch.optim.AdamW:
    """Build AdamW; weight decay reaches the encoders and the gate only."""
    options = settings.training
    decayed_parts = [*model.encoders.parameters(), *model.gate.parameters()]
    decayed_ids = {id(p) for p in decayed_parts}
    others = [p for p in model.parameters() if id(p) not in decayed_ids]
    return torch.optim.AdamW(
        [
            {"params": decayed_parts, "weight_decay": options.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=options.learning_rate,
    )


def _keep(best: dict[str, Tensor], model: POEMS) -> None:
    """Copy the model's state into memory that is there already, whole even if interrupted."""
    state = model.state_dict()
    try:
        for name, value in state.items():
            best[name].copy_(value)
    except KeyboardInterrupt:
        # Half of two states would be none.
        for name, value in state.items():
            best[name].copy_(value)
        raise


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
    optimizer: torch.optim.AdamW,
    kl_weight: float,
    epoch: int,
) -> dict[str, float]:
    """Pass over the data once; return the sample-weighted mean of every term."""
    model.train()
    sums: dict[str, float] = {}
    for batch in data.batches(settings.training.batch_size):
        terms = elbo_terms(model, batch, settings, n_samples=len(data), kl_weight=kl_weight)
        _require_finite(terms, epoch)
        optimizer.zero_grad(set_to_none=True)
        terms.loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.training.max_grad_norm)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"a gradient is not finite in epoch {epoch}, though the objective is. "
                "Try a smaller learning_rate, and look for extreme values in the views."
            )
        optimizer.step()
        if settings.sparsity.proximal:
            for _, decoder in model.sparse_decoders():
                rate = decoder.penalty_rate() / prior_divisor(settings, len(batch), len(data))
                proximal_step(decoder.loadings, optimizer, rate)
        for name, value in _named(terms).items():
            sums[name] = sums.get(name, 0.0) + value.item() * len(batch) / len(data)
    return sums


@torch.no_grad()
def _learn_components(
    model: POEMS, prior: MixturePrior, data: SampleSource, settings: Settings, *, emptying: bool
) -> None:
    """Let the mixture prior see where the training samples lie."""
    model.eval()
    parts = [data] if isinstance(data, Batch) else data.chunks()
    posteriors = [model.encode(part).posterior for part in parts]
    loc = torch.cat([posterior.mean for posterior in posteriors])
    variance = torch.cat([posterior.variance for posterior in posteriors])
    model.train()
    driving = int(model.driving().sum())
    prior.learn(loc, variance, driving, settings.model.concentration, emptying=emptying)


def _set_learning_rate(optimizer: torch.optim.AdamW, settings: Settings, progress: float) -> None:
    """Let the learning rate fall once the spike is at its full rate."""
    options = settings.training
    factor = decayed(progress, settings.sparsity.ramp_end, options.final_learning_rate)
    for group in optimizer.param_groups:
        group["lr"] = options.learning_rate * factor


def _named(terms: Terms) -> dict[str, Tensor]:
    """The terms by the names of the history's columns."""
    named = {
        "objective": terms.objective,
        "kl": terms.kl,
        "penalty": terms.penalty,
        "noise_prior": terms.noise_prior,
    }
    return named | {f"nll_{name}": value for name, value in terms.nll.items()}


def _require_finite(terms: Terms, epoch: int) -> None:
    """Stop with the names of the terms that are not finite."""
    if torch.isfinite(terms.objective):
        return
    bad = [name for name, value in _named(terms).items() if not torch.isfinite(value)]
    raise TrainingError(
        f"the objective is not finite in epoch {epoch} ({', '.join(bad)}). Try a smaller "
        "learning_rate, and look for extreme values in the views (winsorise clips them)."
    )
