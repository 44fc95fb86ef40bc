"""Has the gate, or an expert that is very sure of itself, reduced the fusion to one view?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from poems.diagnosis.check import Check, Samples, Verdict
from poems.nn.distributions.fusion import PRODUCTS
from poems.nn.model import POEMS
from poems.scaling.batch import SampleSource

Array = npt.NDArray[np.floating[Any]]

# Mean weight, or mean share of the precision, beyond which one view stands for all.
MOST_WEIGHT: Final = 0.95
# Entropy of the weights below this share of its largest value: one view per sample.
LEAST_ENTROPY: Final = 0.1


@torch.no_grad()
def precision_shares(model: POEMS, batch: SampleSource, factors: Tensor) -> Tensor | None:
    """Compute by how much each view moves the fused mean, on the samples with two views or more.

        alpha_v tau_v / sum_u alpha_u tau_u

    of eq. (1) of arXiv 2511.03464: a view counts by its weight and by how sure
    its expert is. Averaged over samples and over ``factors``.

    Parameters
    ----------
    model
        The model, dropout off.
    batch
        Some samples.
    factors
        Latent dimensions to average over, integers of shape (n_active,).

    Returns
    -------
    Shares of shape (n_views,) that sum to one, or ``None`` where the
    fusion is no product of experts (in a mixture the weights alone count), and where no sample
    has two views.
    """
    rows = (batch.measured.sum(dim=1) > 1).nonzero()[:, 0]
    if model.fuse not in PRODUCTS or not len(rows) or not len(factors):
        return None
    total = torch.zeros(batch.measured.shape[1], dtype=torch.float64)
    for part in batch.take(rows).chunks():
        loc, log_precision = model.experts(part)
        # Logits of the shares; zero weights are minus infinity and count for nothing.
        logits = torch.log(model.gate(loc, part.measured).T)[..., None] + log_precision
        shares = torch.softmax(logits[..., factors], dim=0)
        total += shares.mean(dim=2).sum(dim=1).double().cpu()
    return total / len(rows)


def gate_checks(
    gates: Array,
    shares: Array | None,
    views: Sequence[str],
    samples: Samples = "training",
    posterior: Array | None = None,
) -> tuple[Check, ...]:
    """Judge the weights on the samples on which two views or more were measured.

    Where one view alone was measured its weight is one by right. Training goes by the weights,
    exact posteriors do not: where several views tell something of these, what the weights lack is
    good to know and no failure.

    Parameters
    ----------
    gates
        Weights of shape (n_samples, n_views), 0 where a view was not measured.
    shares
        What :func:`precision_shares` returns, of shape (n_views,).
    views
        Names of the views.
    samples
        Which samples these are.
    posterior
        Shares of the views in the precision of exact posteriors, like ``gates``; ``None`` for
        posteriors by the encoders.

    Examples
    --------
    >>> gates = np.array([[0.98, 0.02], [0.96, 0.04]])
    >>> checks = gate_checks(gates, None, ["rna", "cnv"])
    >>> [(check.view, round(check.value, 2), check.verdict) for check in checks if check.view]
    [('rna', 0.97, 'warning'), ('cnv', 0.03, 'ok')]
    >>> gate_checks(gates, None, ["rna", "cnv"], posterior=np.full((2, 2), 0.5))[0].verdict
    'note'
    """
    rows = (gates > 0).sum(axis=1) > 1
    several = gates[rows].astype(np.float64)
    if not len(several):
        return ()
    told = None if posterior is None else posterior[rows].astype(np.float64).mean(axis=0)
    failure: Verdict = "warning" if told is None or told.max() > MOST_WEIGHT else "note"
    mean = several.mean(axis=0)
    integrated = mean.max() <= MOST_WEIGHT
    checks = []
    for at, (name, weight) in enumerate(zip(views, mean, strict=True)):
        collapsed = weight > MOST_WEIGHT
        checks.append(
            Check(
                "gate-collapsed",
                "mean weight",
                float(weight),
                MOST_WEIGHT,
                failure if collapsed else "ok",
                view=name,
                samples=samples,
                meaning=_collapsed(None if told is None else told[at]) if collapsed else "",
                remedy="see with `poems check` whether the other views are noise or badly scaled, "
                "and compare with gate='equal'"
                if collapsed
                else "",
            )
        )
    checks.append(_entropy_check(several, samples, failure, judged=integrated))
    for name, share in zip(views, () if shares is None else shares, strict=shares is not None):
        decides = share > MOST_WEIGHT and integrated
        checks.append(
            Check(
                "one-view-decides",
                "share of the precision",
                float(share),
                MOST_WEIGHT,
                failure if decides else "ok",
                view=name,
                samples=samples,
                meaning="the gate spreads its weights, but this view's expert is so sure of itself "
                "that it alone moves the latents that training goes by"
                if decides
                else "",
                remedy="compare with fusion='moe', in which certainty does not count, and with a "
                "fit without this view"
                if decides
                else "",
            )
        )
    checks += [
        Check(
            "one-view-decides", "share of the posteriors' precision", float(share), None,
            "not judged", view=name, samples=samples,
        )
        for name, share in zip(views, () if told is None else told, strict=told is not None)
    ]  # fmt: skip
    return tuple(checks)


def _collapsed(told: float | None) -> str:
    """What it means that the gate gives nearly all weight to one view, which told so much."""
    meaning = "the gate gives nearly all weight to this view even on samples that have others"
    if told is None or told > MOST_WEIGHT:
        return f"{meaning}, so the views are not integrated: the latents are those of one view"
    return (
        f"{meaning}: training went by it alone, though the others tell of the latents, too "
        f"({told:.0%} of what is known of these is this view's)"
    )


def _entropy_check(weights: Array, samples: Samples, failure: Verdict, *, judged: bool) -> Check:
    """Mean entropy of the weights over its largest value, the log of the number of views."""
    there = weights > 0
    entropy = -(weights * np.log(np.where(there, weights, 1.0))).sum(axis=1)
    value = float((entropy / np.log(there.sum(axis=1))).mean())
    low = judged and value < LEAST_ENTROPY
    then = (
        "samples may be grouped by the view that they were read from"
        if failure == "warning"
        else "training went by that, though several views tell of the latents"
    )
    return Check(
        "gate-one-view-a-sample",
        "entropy of the weights / largest",
        value,
        LEAST_ENTROPY,
        failure if low else "ok" if judged else "not judged",
        samples=samples,
        meaning=f"the gate reads each sample from a single view (the entropy of its weights is "
        f"{value:.0%} of the largest), not always the same one: {then}"
        if low
        else "",
        remedy="compare with gate='equal'" if low else "",
    )
