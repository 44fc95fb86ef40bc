"""Where views on their own scale begin: intercepts, and noise about them."""

from __future__ import annotations

import torch

from poems.nn.likelihoods import OwnScaleLikelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch, SampleSource
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import random_rows

# Entries of a view on disk from which its noise begins, and samples of these.
_MOST_ENTRIES, _SAMPLES = 1 << 23, (500, 5000)
# What features' means are known of exactly, and are intercepts by the link.
_BY_MEANS = ("binary", "counts", "fractions")


def begin_at_intercepts(module: POEMS, data: SampleSource) -> dict[str, torch.Tensor]:
    """Set the intercepts of views on their own scale.

    Of samples on disk noise begins at that of a random part of them, drawn by a fixed seed, and
    so do the cuts of ordered levels; intercepts are of all samples.

    Returns what an effect of 1 on their residuals is in eta: view name to (n_features, 1).
    """
    found = {}
    for i, name in enumerate(module.views):
        likelihood = module.likelihood(i)
        if isinstance(likelihood, OwnScaleLikelihood):
            some = _some(data, i)
            at = list(some.values).index(name)
            there = some.measured[:, at, None] & _observed(some, name)
            eta = likelihood.begin(some.targets[name], some.log_sizes[name], there)
            if isinstance(data, BackedBatches) and likelihood.kind in _BY_MEANS:
                eta = _by_means(data, name, likelihood)
            module.decoder(i).begin_at(eta)
            found[name] = likelihood.effect_of_residuals()[:, None]
    return found


def _some(data: SampleSource, view: int) -> Batch:
    """Samples in memory: all, or as many of those on disk as a view begins from."""
    if isinstance(data, Batch):
        return data
    assert isinstance(data, BackedBatches)
    rows = data.measured[:, view].nonzero().flatten()
    fewest, most = _SAMPLES
    width = list(data.n_features.values())[view]
    n = min(most, max(fewest, _MOST_ENTRIES // width))
    return (
        data.alone(list(data.n_features)[view]).take(rows[random_rows(len(rows), n, seed=0)]).load()
    )


@torch.no_grad()
def _by_means(data: BackedBatches, name: str, likelihood: OwnScaleLikelihood) -> torch.Tensor:
    """Set the eta of a model without factors to that of each feature's mean over all samples."""
    view = data.views[name]
    # Of a view that no sample has there is nothing to tell.
    if view is not None and view.scaling.own is not None:
        mean = torch.from_numpy(view.scaling.own.mean)
        likelihood.null.copy_(likelihood.link(mean.to(likelihood.null)))
    return likelihood.null


def _observed(data: Batch, name: str) -> torch.Tensor:
    observed = data.observed[name]
    return torch.ones(data.values[name].shape, dtype=torch.bool) if observed is None else observed
