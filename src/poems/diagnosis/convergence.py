"""Did training come to its end?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import pandas as pd

from poems.diagnosis.check import Check
from poems.findings import count
from poems.training.loop import Status

# Nats per feature by which the objective may still fall in the last tenth of the epochs, or in
# the latter half of those at full strength, if these are fewer.
STILL_FALLING: Final = 0.01
# The same as a share of what the factors are worth in all: where they explain most of the values, a
# hundredth of a nat is a change of the noise that nobody reads.
STILL_GAINING: Final = 0.05
# A share that leaves something to take the logarithm of.
_ALL_BUT: Final = 0.999


def convergence_checks(
    status: str,
    history: pd.DataFrame,
    *,
    n_terms: float,
    kl_weight: float,
    sparse: bool,
    usual_epochs: int | None = None,
    worth: float = 0.0,
) -> tuple[Check, ...]:
    """Judge how training ended.

    Parameters
    ----------
    status
        How it ended, the sentence of a :class:`~poems.training.loop.Status`.
    history
        Terms of the objective, a row per epoch.
    n_terms
        Number of features that the objective sums over: as many as those of all views count
        for, or one where it is a mean.
    kl_weight
        Weight of the KL term once it is warmed up.
    sparse
        Whether the decoder has a prior on its loadings.
    usual_epochs
        Epochs of a default fit to as many samples: who trained longer than twice that is not
        told to train longer still.
    worth
        What the factors are worth in all, in nats per feature and sample: see :func:`worth_of`.

    Examples
    --------
    >>> terms = {"objective": [9.0, 5.0, 5.0, 5.0], "spike_ramp": 1.0, "kl_weight": 1.0}
    >>> ended = Status.ALL_EPOCHS.value
    >>> (check,) = convergence_checks(
    ...     ended, pd.DataFrame(terms), n_terms=10, kl_weight=1.0, sparse=True
    ... )
    >>> check.signature, check.verdict
    ('not-converged', 'ok')
    """
    if status == Status.INTERRUPTED_EARLY.value:
        return (_interrupted(history, sparse=sparse),)
    if sparse and len(history) and history["spike_ramp"].iloc[-1] < 1.0:
        return (_sparsity_incomplete(history),)
    longer = usual_epochs is not None and len(history) >= 2 * usual_epochs
    most = max(STILL_FALLING, STILL_GAINING * worth)
    return (
        _still_falling(
            status, history, n_terms, kl_weight, most, sparse=sparse, long_already=longer
        ),
    )


def worth_of(r2: Mapping[str, float], n_terms: Mapping[str, float]) -> float:
    """Compute what factors are worth from the shares that they explain, in nats per feature.

    -1/2 log(1 - R²): what a Gaussian gains in log-likelihood when its variance falls by that share.

    Parameters
    ----------
    r2
        View name to the share that the factors explain.
    n_terms
        View name to as many features as its features count for.

    Examples
    --------
    >>> round(worth_of({"rna": 0.75, "protein": 0.0}, {"rna": 30, "protein": 10}), 2)
    0.52
    """
    # Below 0 factors are worth nothing, and where all is explained the logarithm has no end.
    left = {name: 1.0 - min(max(share, 0.0), _ALL_BUT) for name, share in r2.items()}
    return sum(-0.5 * math.log(left[name]) * n for name, n in n_terms.items()) / sum(
        n_terms.values()
    )


def _interrupted(history: pd.DataFrame, *, sparse: bool) -> Check:
    if sparse:
        meaning = (
            "training was interrupted before the sparsity was at full strength: loadings are not "
            "yet sparse, and factors not yet pruned"
        )
    else:
        meaning = (
            "training was interrupted before the schedules had ended: the latest state was kept, "
            "which need not be a good one"
        )
    return Check(
        "interrupted-early",
        "epochs",
        float(len(history)),
        None,
        "warning",
        meaning=meaning,
        remedy="fit again",
    )


def _sparsity_incomplete(history: pd.DataFrame) -> Check:
    return Check(
        "sparsity-incomplete",
        "strength of the sparsity",
        float(history["spike_ramp"].iloc[-1]),
        1.0,
        "warning",
        meaning=f"the {len(history)} epochs ended before the sparsity was at full strength: "
        "loadings are denser than asked for",
        remedy="leave epochs at their default, or set ramp_end lower",
    )


def _still_falling(
    status: str,
    history: pd.DataFrame,
    n_terms: float,
    kl_weight: float,
    most: float,
    *,
    sparse: bool,
    long_already: bool,
) -> Check:
    """Was the objective, with every term at full strength, still falling at the end?"""
    settled = history["kl_weight"] >= kl_weight
    if sparse:
        settled &= history["spike_ramp"] >= 1.0
    monitored = history["held_out" if "held_out" in history else "objective"][settled]
    span = max(1, min(len(history) // 10, len(monitored) // 2))
    # Means over a span each: the objective of a single epoch is noisy.
    before, after = monitored.iloc[-2 * span : -span], monitored.iloc[-span:]
    fall = float((before.sum() - after.sum()) / span) if len(monitored) >= 2 * span else None
    # A stopping rule has seen to it already; an interrupted fit is known to be one.
    judged = status == Status.ALL_EPOCHS.value and fall is not None
    falling = judged and fall is not None and fall > most * n_terms
    return Check(
        "not-converged",
        f"fall a feature, {count(span, 'epoch')}",
        None if fall is None else fall / n_terms,
        most,
        "warning" if falling else "ok" if judged else "not judged",
        meaning=f"the objective still fell by {fall:.0f} over the last {count(span, 'epoch')}"
        if falling
        else "",
        remedy=_remedy(len(history), long_already) if falling else "",
    )


def _remedy(n_epochs: int, long_already: bool) -> str:
    if long_already:
        return (
            f"{n_epochs} epochs are at least twice as many as by default, so that more will hardly "
            "help: fit with another seed (seed) and trust what both say"
        )
    return f"train twice as long (epochs={2 * n_epochs}) before trusting details"
