"""How much of what some views tell of a sample is carried over to a view that was not measured.

The effects were found on samples whose scores all views told together, and views agree there by
chance as well: of few samples, views with tens of dimensions each have high canonical correlations
even if they share nothing. So what other views say of a new sample is less sure than the posterior
has it. Let a view have y_v ~ N(K y, (1 - K^2) S) of y = (z, b), S the mean squares of y and K
diagonal, one share for all latents and one for all background factors. K is what makes entries of
the view most probable in samples that the effects have not seen: a third of the samples at a time
is left out, the effects are found from the others with the scores that these have, and the view is
predicted from the other views in that third. Decoders and precisions stay as they are, so that what
decoders owe to chance is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from poems.nn.inference import infer
from poems.nn.inferred import Inferred
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.training.background_rounds import Residuals, State, relearn

_FOLDS = 3
# Steps of the latents without the view: they begin where all views put them.
_STEPS = 2
# Samples of a fold, and features of a view, that are asked at most; samples at the least in all.
_MOST_SAMPLES, _MOST_FEATURES, _FEWEST = 100, 500, 20
# Parts of 1 that shares are whole numbers of; by how many they move; passes over the two of them.
_PARTS, _STRIDES, _PASSES = 20, (8, 4, 2, 1), 2


@torch.no_grad()
def learn_carried(
    model: POEMS,
    batch: Batch,
    found: Inferred,
    residuals: Residuals,
    state: State,
    views: Sequence[int],
) -> None:
    """Find what each view has of the others' y, and set it in the model's background.

    Parameters
    ----------
    model
        The trained model with its background.
    batch
        Its training samples.
    found
        What was inferred of them.
    residuals, state
        Of the views that have a background, ``views`` among all.
    """
    whole = model.background
    whole.moments = (found.loc.square() + found.variance).mean(dim=0).where(model.driving(), 1.0)
    asked: dict[int, list[_Left]] = {view: [] for view in views}
    try:
        for rows, rest in _folds(len(batch)):
            part, some = residuals.of_some(rest), state.of_some(rest)
            relearn(part, some)
            model.background = some.background(part).among(whole.sizes, views)
            model.background.moments = whole.moments
            for view in views:
                there = batch.measured[rows]
                chosen = rows[there[:, view] & (there.sum(dim=1) > 1)][:_MOST_SAMPLES]
                if len(chosen):
                    asked[view].append(_left(model, batch.take(chosen), found.loc[chosen], view))
    finally:
        model.background = whole
    for view, parts in asked.items():
        if sum(len(part.error) for part in parts) >= _FEWEST:
            whole.carried[view] = _most_probable(parts)


def _folds(n_samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows that are left out, in random order, and the others."""
    order = torch.randperm(n_samples, generator=torch.Generator().manual_seed(0))
    for fold in range(_FOLDS):
        out = torch.arange(n_samples) % _FOLDS == fold
        yield order[out], order[~out].sort().values


@dataclass(frozen=True, eq=False)
class _Left:
    """What is left of some entries, and how it varies: (n_samples, n_features) each, or two.

    ``error`` of the prediction as it is; ``parts`` of it that z and b are; ``known``, variances of
    these, and ``both`` together, as far as y is not known; ``prior`` if nothing were; ``noise``;
    ``weights``: how much entries count, 0 where there are none.
    """

    error: Tensor
    parts: tuple[Tensor, Tensor]
    known: tuple[Tensor, Tensor]
    both: Tensor
    prior: tuple[Tensor, Tensor]
    noise: Tensor
    weights: Tensor

    def loss(self, of_z: float, of_b: float) -> float:
        """Return minus twice the log density of the entries, up to a constant."""
        z_part, b_part = self.parts
        error = torch.add(self.error, z_part, alpha=1.0 - of_z).add_(b_part, alpha=1.0 - of_b)
        variance = self.noise.clone()
        for known, prior, share in zip(self.known, self.prior, (of_z, of_b), strict=True):
            variance.add_(known, alpha=share**2).add_(prior, alpha=1.0 - share**2)
        variance.add_(self.both, alpha=of_z * of_b)
        loss = error.square_().div_(variance).add_(variance.log_())
        return float(loss.mul_(self.weights).sum())


def _most_probable(parts: Sequence[_Left]) -> Tensor:
    """Return the shares of z and b under which what was left out is most probable.

    Along one share the loss falls and rises again once, so that ever shorter strides find where.
    """

    @cache
    def loss(at: tuple[int, int]) -> float:
        return sum(part.loss(at[0] / _PARTS, at[1] / _PARTS) for part in parts)

    best = _PARTS, _PARTS
    for _ in range(_PASSES):
        for which in range(2):
            for stride in _STRIDES:
                while (found := min(_near(best, which, stride), key=loss)) != best:
                    best = found
    return torch.tensor(best) / _PARTS


def _near(at: tuple[int, int], which: int, stride: int) -> Iterator[tuple[int, int]]:
    """Places a stride of one share away, and this one between them."""
    for to in (at[which] - stride, at[which], at[which] + stride):
        if 0 <= to <= _PARTS:
            yield (to, at[1]) if which == 0 else (at[0], to)


def _left(model: POEMS, batch: Batch, z: Tensor, view: int) -> _Left:
    """Predict a view of some samples from their other views."""
    background, sizes, K = model.background, list(model.background.sizes), model.n_latent
    measured = batch.measured.clone()
    measured[:, view] = False
    found = infer(model, replace(batch, measured=measured), z, steps=_STEPS, covariance=True)
    assert found.covariance is not None
    width = sizes[view]
    some = torch.arange(0, width, -(-width // _MOST_FEATURES))
    G = torch.split(background.joint, sizes)[view][some]
    axes = model.decoder(view).packed_slopes(found.loc).of(some) + G[:, :K]
    B, covariance = G[:, K:], found.covariance
    z_part = (axes @ found.loc[:, :, None])[:, :, 0]
    b_part = found.background @ B.T
    own = torch.split(1.0 / background.precision, sizes)[view][some]
    y = torch.cat([found.loc, found.background], dim=1)
    squares = y[:, :, None] * y[:, None, :] + covariance
    weights = torch.split(model.feature_weights, sizes)[view]
    doubt = torch.einsum("nab,ab->n", squares, background.uncertainty[view]) / weights.sum()
    eta = model.linear_predictors(found.loc, found.background)[model.views[view]][:, some]
    there = torch.split(batch.entries(), sizes, dim=1)[view][:, some]
    x = batch.values[model.views[view]][:, some]
    of_z = ((axes @ covariance[:, :K, :K]) * axes).sum(dim=2)
    of_b = ((B @ covariance[:, K:, K:]) * B).sum(dim=2)
    free = (axes.square() @ background.moments[:, None])[:, :, 0]
    return _Left(
        error=(x - eta).masked_fill(~there, 0.0),
        parts=(z_part, b_part),
        known=(of_z, of_b),
        both=2.0 * ((axes @ covariance[:, :K, K:]) * B).sum(dim=2),
        prior=(free, B.square().sum(dim=1).expand_as(free)),
        noise=own * (1.0 + doubt[:, None]),
        weights=there * weights[some],
    )
