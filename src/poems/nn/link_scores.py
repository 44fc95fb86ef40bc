"""Scores of background factors that are added on the scale of a link, where latents are known.

Views whose likelihood is not Gaussian may have background factors of their own
(:mod:`poems.training.link_background`): eta_j(z_n) + offset_j + B_j . b_n, b_n ~ N(0, I). These
have no say about z: latents are what the factors' own effects make of the view. Given z the scores
are raised from 0 by Fisher scoring. How much an entry tells is taken as what its feature's entries
do on average, times what its sample's do: that makes steps cheap and moves no mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.inferred import Inferred
from poems.nn.likelihoods import Likelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch

# As for the latents: steps at most, the gain in nats that a step has to promise, and how often a
# step is cut to a quarter.
_STEPS, _ENOUGH, _SHORTER = 20, 1e-4, 5


@dataclass(frozen=True, eq=False)
class Entries:
    """Entries of some views, one view's features after the other's, and what factors say of them.

    ``x``, ``eta`` and ``there``: (n_samples, n_features); ``weights``: how much features count,
    (n_features,).
    """

    likelihoods: Sequence[Likelihood]
    x: Tensor
    eta: Tensor
    there: Tensor
    weights: Tensor

    @classmethod
    def of(cls, model: POEMS, batch: Batch, z: Tensor, views: Sequence[int]) -> Entries:
        """Take those of some views, predicted from latents (n_samples, n_latent)."""
        sizes = list(batch.n_features.values())
        there, weights = torch.split(batch.entries(), sizes, dim=1), model.weights_of_views()
        values, eta = [], []
        for i in views:
            name = model.views[i]
            x = batch.targets.get(name, batch.values[name])
            # What was not measured may be no number at all.
            values.append(x.where(there[i], model.likelihood(i).placeholder))
            eta.append(batch.shifted_view(name, model.decoder(i)(z)))
        return cls(
            [model.likelihood(i) for i in views],
            torch.cat(values, dim=1),
            torch.cat(eta, dim=1),
            torch.cat([there[i] for i in views], dim=1),
            torch.cat([weights[model.views[i]] for i in views]),
        )

    @property
    def sizes(self) -> list[int]:
        """Features of each view."""
        return [likelihood.n_features for likelihood in self.likelihoods]

    def by_view(self, of_features: Tensor, dim: int = -1) -> Sequence[Tensor]:
        """Split something of all features by their views."""
        return torch.split(of_features, self.sizes, dim=dim)

    def gain(self, added: Tensor) -> Tensor:
        """Log probability of each entry, something added to eta, but for what is no matter of it.

        (n_samples, n_features), 0 where there is no entry.
        """
        return self._each(lambda likelihood, x, eta: -0.5 * likelihood.deviance(x, eta), added)

    def score(self, added: Tensor) -> Tensor:
        """Its derivative for eta."""
        return self._each(lambda likelihood, x, eta: likelihood.score(x, eta), added)

    def information(self, added: Tensor) -> Tensor:
        """Fisher information of each entry about eta."""
        return self._each(lambda likelihood, _, eta: likelihood.information(eta), added)

    def _each(
        self, compute: Callable[[Likelihood, Tensor, Tensor], Tensor], added: Tensor
    ) -> Tensor:
        x, eta = self.by_view(self.x), self.by_view(self.eta + added)
        parts = [compute(*each) for each in zip(self.likelihoods, x, eta, strict=True)]
        return torch.cat(parts, dim=1).masked_fill_(~self.there, 0.0)

    def take(self, rows: Tensor) -> Entries:
        """Return those of some samples."""
        return replace(self, x=self.x[rows], eta=self.eta[rows], there=self.there[rows])


def own_background(model: POEMS) -> Background:
    """Return the background that has a say about latents: of the views whose noise is additive."""
    whole = model.background
    theirs = whole.factors_of(_linked(model))
    return whole.part(range(len(whole.sizes)), ~theirs) if theirs.any() else whole


def _linked(model: POEMS) -> list[int]:
    return [i for i in range(len(model.views)) if not model.likelihood(i).additive]


def with_link_scores(model: POEMS, batch: Batch, found: Inferred) -> Inferred:
    """Add the scores of the factors that the model has on the scale of links, if any.

    ``found``: what is known of the samples without; its latents stay as they are.
    """
    whole = model.background
    views = [i for i in _linked(model) if whole.factors_of([i]).any()]
    if not views:
        return found
    background = whole.part(views, whole.factors_of(views))
    entries = Entries.of(model, batch, found.loc, views)
    b, own, settled = link_scores(entries, background)
    covariance = found.covariance
    if covariance is not None:
        none = b.new_zeros(len(b), covariance.shape[1], b.shape[1])
        rows = torch.cat([covariance, none], dim=2), torch.cat([none.mT, own], dim=2)
        covariance = torch.cat(rows, dim=1)
    return replace(
        found,
        background=torch.cat([found.background, b], dim=1),
        settled=found.settled & settled,
        covariance=covariance,
    )


def link_scores(
    entries: Entries, background: Background, b: Tensor | None = None, steps: int = _STEPS
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the scores of each sample.

    Parameters
    ----------
    entries
        What was measured, and what the factors say of it.
    background
        Of the same views; its ``precision`` is the mean information of a feature's entries.
    b
        Where to begin, (n_samples, n_background); 0 by default.
    steps
        Steps at most. Samples that have arrived by then rest.

    Returns
    -------
    Means (n_samples, n_background), covariances (n_samples, n_background, n_background), and
    which samples have arrived, (n_samples,).
    """
    at = entries.eta.new_zeros(len(entries.x), background.n_background) if b is None else b.clone()
    covariance = at.new_zeros(*at.shape, at.shape[1])
    settled = torch.zeros(len(at), dtype=torch.bool)
    for _ in range(steps):
        # Who has arrived stays, so that what is found of a sample is not up to its company.
        rows = (~settled).nonzero()[:, 0]
        if not len(rows):
            break
        own, start = entries.take(rows), at[rows]
        normal = _Normal.of(own, background, start)
        covariance[rows] = torch.cholesky_inverse(normal.root)
        direction = torch.cholesky_solve(normal.slope[:, :, None], normal.root)[:, :, 0]
        length = _length(own, background, normal, start, direction)
        at[rows] = start + length * direction
        promised = 0.5 * (direction * normal.slope).sum(dim=1)
        settled[rows] = ~((promised > _ENOUGH) & (length[:, 0] > 0))
    return at, covariance, settled


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal equations of scores: the ``root`` of their precision, and ``slope``.

    ``shares``, (n_samples, n_views): what a sample's entries tell, by what they do on average;
    ``uncertainty``: of B, by views, where they tell as much as that.
    """

    root: Tensor
    slope: Tensor
    shares: Tensor
    uncertainty: Tensor

    @classmethod
    def of(cls, entries: Entries, background: Background, b: Tensor) -> _Normal:
        """Make those where some samples are."""
        K, added = background.n_latent, background.predict(b)
        told = entries.by_view(entries.information(added) * entries.weights)
        usual = entries.by_view(background.precision * entries.weights)
        shares = torch.stack(
            [own.sum(dim=1) / mean.sum() for own, mean in zip(told, usual, strict=True)], dim=1
        )
        uncertainty = background.uncertainty[:, K:, K:]
        said = background.grams(entries.weights)[:, K:, K:] + uncertainty
        precision = (shares @ said.flatten(1)).view(*b.shape, b.shape[1])
        precision.diagonal(dim1=1, dim2=2).add_(1.0)
        slope = (entries.score(added) * entries.weights) @ background.loadings - b
        made = cls(torch.linalg.cholesky(precision), slope, shares, uncertainty)
        slope -= made.doubt(b)
        return made

    def doubt(self, b: Tensor) -> Tensor:
        """What is not known of B, times scores: (n_samples, n_background)."""
        parts = zip(self.shares.unbind(1), self.uncertainty, strict=True)
        return torch.stack([share[:, None] * (b @ own) for share, own in parts]).sum(dim=0)


def _length(
    entries: Entries, background: Background, normal: _Normal, start: Tensor, direction: Tensor
) -> Tensor:
    """Return as much of each step as loses nothing, 0 if none does: (n_samples, 1)."""

    def value(at: Tensor) -> Tensor:
        told = entries.gain(background.predict(at)) @ entries.weights[:, None]
        squares = ((at + normal.doubt(at)) * at).sum(dim=1)
        return told[:, 0].double() - 0.5 * squares.double()

    return longest(value, start, direction, _SHORTER)


def longest(
    value: Callable[[Tensor], Tensor], start: Tensor, direction: Tensor, shorter: int
) -> Tensor:
    """Return for each row how much of a step loses nothing, 0 if nothing does: (n_rows, 1).

    ``value`` of rows like ``start``, (n_rows,); steps are cut to a quarter as often as said.
    """
    before, length = value(start), start.new_ones(len(start), 1)
    for _ in range(shorter + 1):
        # What is no number is no gain.
        worse = ~(value(start + length * direction) >= before)
        if not worse.any():
            return length
        length[worse] *= 0.25
    length[worse] = 0.0
    return length
