"""What is explained of each view: by the factors, by all of the model, and by PCA beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from poems.diagnosis.principal import predict, structure_alone
from poems.diagnosis.reconstruction import FEWEST, Explained, explained_views
from poems.fitting.result import FittedPoems
from poems.nn.compared import compared
from poems.nn.estimates import SampleEstimates
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import Preprocessing


def training_means(preprocessing: Preprocessing) -> dict[str, Tensor]:
    """Return the mean of each feature over the samples that the preprocessing was learned on."""
    return {
        name: torch.tensor(scaling.fill, dtype=torch.float32)
        for name, scaling in preprocessing.views.items()
    }


def explained_of(
    fitted: FittedPoems,
    batch: Batch,
    estimates: SampleEstimates,
    axes: Mapping[str, Tensor] | None,
    noise: Mapping[str, float] | None,
) -> dict[str, Explained]:
    """What the factors, all of the model, and PCA where there is one, explain of some samples."""
    means, total = training_means(fitted.preprocessing), {}
    beside = compared(fitted.module, batch, estimates.loc)
    model = explained_views(beside.batch, beside.predicted, {**means, **beside.means})
    if fitted.module.background.n_background:
        beside = compared(fitted.module, batch, estimates.loc, estimates.background)
        total = explained_views(beside.batch, beside.predicted, {**means, **beside.means})
    pca = {} if axes is None else explained_views(batch, predict(axes, batch, means), means)
    chance = chance_of(fitted, estimates)
    n_samples = dict(zip(fitted.view_names, batch.measured.sum(dim=0).tolist(), strict=True))
    return {
        name: Explained(
            value,
            pca.get(name),
            (noise or {}).get(name),
            n_samples[name],
            total=total.get(name),
            chance=chance,
        )
        for name, value in model.items()
    }


def with_alone(
    fitted: FittedPoems,
    batch: Batch,
    explained: Mapping[str, Explained],
    means: Mapping[str, Tensor] | None = None,
) -> dict[str, Explained]:
    """Ask, of views that are not represented, what components of each alone find in it."""
    means = training_means(fitted.preprocessing) if means is None else means
    rank = max(fitted.n_active, 1)
    return {
        name: replace(found, alone=structure_alone(batch, means, name, rank, fitted.seed))
        if found.may_be_drowned and found.n_samples >= FEWEST
        else found
        for name, found in explained.items()
    }


def chance_of(fitted: FittedPoems, estimates: SampleEstimates) -> float:
    """Share of noise that factors would explain: parameters that a sample's values decide.

    That is sum_k (1 - s_k^2) of the posterior variances under N(0, I), over the number of features.
    Encoders answer a sample that they were trained on like any other.
    """
    if fitted.module.inference == "amortised":
        return 0.0
    # Under a mixture prior variances may be above 1, of latents that nothing is known of.
    decided = (1.0 - estimates.variance[:, active_rows(fitted)].double()).clamp_min(0.0)
    return float(decided.sum(dim=1).mean()) / sum(map(len, map(fitted.features, fitted.view_names)))


def active_rows(fitted: FittedPoems) -> Tensor:
    """Return which rows of the latents are factors that were not pruned."""
    return torch.from_numpy(fitted.active.copy())
