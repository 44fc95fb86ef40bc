"""Findings on a training that has ended: what to distrust in its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from poems.findings import Finding, name_some
from poems.training.loop import Status, Training

# Nats a feature by which the objective may still fall in the last tenth of the epochs.
_STILL_FALLING = 0.01
# A model that explains less than this share of every view has learned nothing of use.
_LEAST_R2 = 0.05


def training_findings(
    training: Training, r2: Mapping[str, float], n_terms: int
) -> tuple[Finding, ...]:
    """Return warnings on training that ended too early or learned nothing.

    Parameters
    ----------
    training
        How it went.
    r2
        View name to the share of its variance that the model explains.
    n_terms
        Number of features that the objective sums over: those of all views, or
        one where it is a mean.

    Examples
    --------
    >>> [finding.code for finding in training_findings(Training(), {"rna": 0.01}, 100)]
    ['explains-nothing']
    """
    return (*_not_converged(training, n_terms), *_explains_nothing(r2))


def _not_converged(training: Training, n_terms: int) -> Iterator[Finding]:
    """Was the objective still falling when training ended?"""
    if training.status is Status.INTERRUPTED_EARLY:
        yield Finding(
            "warning",
            "interrupted-early",
            "training was interrupted before the sparsity was at full strength: loadings are not "
            "yet sparse, and factors not yet pruned; fit again",
        )
        return
    if training.history and training.history[-1].terms["spike_ramp"] < 1.0:
        yield Finding(
            "warning",
            "sparsity-incomplete",
            f"the {len(training.history)} epochs ended before the sparsity was at full strength: "
            "loadings are denser than asked for; train longer, or set ramp_end lower",
        )
        return
    monitored = [
        row.terms.get("held_out", row.terms["objective"])
        for row in training.history
        if row.terms["spike_ramp"] >= 1.0
    ]
    span = max(1, len(training.history) // 10)
    if training.status is not Status.ALL_EPOCHS or len(monitored) < 2 * span:
        return
    # Means over a span each, for the objective of a single epoch is noisy.
    before, after = monitored[-2 * span : -span], monitored[-span:]
    fall = (sum(before) - sum(after)) / span
    if fall > _STILL_FALLING * n_terms:
        yield Finding(
            "warning",
            "not-converged",
            f"the objective still fell by {fall:.0f} over the last {span} epochs; train longer "
            f"(epochs above {len(training.history)}) before trusting details",
        )


def _explains_nothing(r2: Mapping[str, float]) -> Iterator[Finding]:
    """Does the model explain next to nothing of any view?"""
    if r2 and max(r2.values()) < _LEAST_R2:
        yield Finding(
            "warning",
            "explains-nothing",
            f"the model explains less than {_LEAST_R2:.0%} of the variance of every view "
            f"({name_some((f'{name} {value:.2f}' for name, value in r2.items()), 6)}), so its "
            "factors and subtypes mean little; train longer, or check that the views hold signal",
        )
