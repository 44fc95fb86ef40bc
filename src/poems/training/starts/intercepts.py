"""Where views on their own scale begin: intercepts, and noise about them."""

from __future__ import annotations

import torch

from poems.nn.likelihoods import OwnScaleLikelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch, SampleSource


def begin_at_intercepts(module: POEMS, data: SampleSource) -> dict[str, torch.Tensor]:
    """Set the intercepts of views on their own scale.

    Returns what an effect of 1 on their residuals is in eta: view name to (n_features, 1).
    """
    found = {}
    for i, name in enumerate(module.views):
        likelihood = module.likelihood(i)
        if isinstance(likelihood, OwnScaleLikelihood):
            # Values on disk are refused before.
            assert isinstance(data, Batch)
            there = data.measured[:, i, None] & _observed(data, name)
            eta = likelihood.begin(data.targets[name], data.log_sizes[name], there)
            module.decoder(i).begin_at(eta)
            found[name] = likelihood.effect_of_residuals()[:, None]
    return found


def _observed(data: Batch, name: str) -> torch.Tensor:
    observed = data.observed[name]
    return torch.ones(data.values[name].shape, dtype=torch.bool) if observed is None else observed
