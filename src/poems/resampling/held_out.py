"""Held-out R squared: how well samples that a model was not fitted on are described by it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from poems.fitting.result import FittedPoems
from poems.nn.estimates import estimate_samples
from poems.scaling.batch import Batch


@torch.no_grad()
def held_out_r2(
    model: FittedPoems, training: Batch, held_out: Batch
) -> tuple[dict[str, float], dict[str, float]]:
    """Compute the share of held-out variance that a model explains, and that PCA does.

    Per view, over the measured entries of the held-out samples,
    1 - sum (x - prediction)^2 / sum (x - m)^2, m the feature's mean over the
    training samples: predicting that mean gives 0. The latents of a held-out
    sample come from all its views, the view itself among them; the principal
    components, as many as the model has factors, are those of the block-scaled
    training samples, on which the held-out ones are projected.

    Parameters
    ----------
    model
        The fitted model.
    training, held_out
        Samples on the model's scale, as its preprocessing gives them.

    Returns
    -------
    View name to R squared of the model, and the same of PCA; ``NaN`` for a view
    that was measured on none of the held-out samples.
    """
    estimates = estimate_samples(model.module, held_out)
    predicted = model.module.predict(estimates.loc, estimates.background)
    means = {name: _mean(training, name) for name in training.values}
    projected = _principal_projection(training, held_out, means, model.n_active)
    return (
        {name: _r2(held_out, name, predicted[name], means[name]) for name in means},
        {name: _r2(held_out, name, projected[name], means[name]) for name in means},
    )


def _there(batch: Batch, name: str) -> Tensor:
    """Which entries of a view were measured, of shape (n_samples, n_features)."""
    rows = batch.measured[:, list(batch.values).index(name)]
    there = rows[:, None].expand_as(batch.values[name])
    observed = batch.observed[name]
    return there if observed is None else there & observed


def _mean(batch: Batch, name: str) -> Tensor:
    there = _there(batch, name)
    total = torch.where(there, batch.values[name], 0.0).sum(dim=0)
    # Of a feature that no training sample has: 0, its mean on the model's scale.
    return total / there.sum(dim=0).clamp_min(1)


def _principal_projection(
    training: Batch, held_out: Batch, means: Mapping[str, Tensor], rank: int
) -> dict[str, Tensor]:
    """Project samples on the training samples' components; what is missing counts as the mean."""
    widths = [len(mean) for mean in means.values()]

    def stack(batch: Batch) -> Tensor:
        blocks = [
            torch.where(_there(batch, name), batch.values[name] - mean, 0.0) / len(mean) ** 0.5
            for name, mean in means.items()
        ]
        return torch.cat(blocks, dim=1).double()

    axes = torch.linalg.svd(stack(training), full_matrices=False).Vh[:rank]
    blocks = (stack(held_out) @ axes.T @ axes).split(widths, dim=1)
    return {
        name: (block * len(mean) ** 0.5 + mean).float()
        for (name, mean), block in zip(means.items(), blocks, strict=True)
    }


def _r2(batch: Batch, name: str, predicted: Tensor, mean: Tensor) -> float:
    there, x = _there(batch, name), batch.values[name]
    residual = torch.where(there, x - predicted, 0.0).double().square().sum()
    total = torch.where(there, x - mean, 0.0).double().square().sum()
    return float(1.0 - residual / total) if total > 0 else float("nan")
