"""Background factors of views whose likelihood is not Gaussian, on the scale of their links.

When the factors and the background of the Gaussian views stand, the others get

    eta_nj = eta_j(z_n) + offset_j + B_j . b_n,  b_n ~ N(0, I),  (offset_j, B_j) ~ N(0, 1 / alpha),

a factor analysis with the entries' own likelihoods, decoders and latents held as they are, so that
what is clustered is what it was. Loadings and scores take turns, each a step of Fisher scoring
that never loses. What is not known of either counts as in :mod:`poems.training.background`, normal
about the mode; alpha, a precision for each view and factor, leaves out what data do not support.

A factor may still be of a few odd counts alone. So a view has a background if that makes entries
likelier that were hidden while it was learned, and else it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.inference import infer
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.nn.link_scores import Entries, link_scores, longest
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.training.starts.linear import principal_scores

# Share of the entries that are hidden to see whether a background foretells them.
_HIDDEN = 0.1
# Rounds at most, and once more when nothing is hidden; they end when loadings move by less than
# this share of their squares.
_ROUNDS, _MORE, _SETTLED = 15, 3, 1e-2
# Steps of the latents without what is hidden.
_STEPS = 2
# How often a step of loadings is cut to a quarter.
_SHORTER = 4
# Mean square of a view's loadings of a factor, in variances of theirs, that is nothing.
_NOTHING = 0.1


@dataclass(frozen=True)
class Foretold:
    """By how much a background makes hidden entries of a view likelier: nats an entry."""

    gain: float
    error: float

    @property
    def pays(self) -> bool:
        """Whether that is more than its standard error over samples."""
        return self.gain > self.error


@torch.no_grad()
def fit_link_background(
    model: POEMS, batch: Batch, z: Tensor, most: int, seed: int
) -> Mapping[str, Foretold]:
    """Find the background of the views that are not Gaussian, and set it beside the model's.

    Parameters
    ----------
    model
        The trained model, in evaluation mode, with the background of its Gaussian views.
    batch
        The training samples, or as many of them as are to learn from.
    z
        Their latents, (n_samples, n_latent).
    most
        Factors at most.
    seed
        Of the entries that are hidden.

    Returns
    -------
    What a background foretells of each view that was tried. Those where it pays have it, if any
    factor is left.
    """
    views = [
        i
        for i in range(len(model.views))
        if isinstance(model.likelihood(i), OwnScaleLikelihood) and batch.measured[:, i].any()
    ]
    if not views or not most:
        return {}
    entries = Entries.of(model, batch, z, views)
    drawn = torch.rand(entries.there.shape, generator=torch.Generator().manual_seed(seed))
    hidden = (drawn < _HIDDEN) & entries.there
    rest = _without(model, batch, views, entries, hidden)
    # Hidden from the latents as well, so that these do not know of them what b is to say.
    blind = Entries.of(model, rest, infer(model, rest, z, steps=_STEPS).loc, views)
    state = _start(blind, most)
    _learn(blind, state, _ROUNDS)
    told = _foretold(replace(blind, x=entries.x, there=hidden), state.added())
    pays = [torch.full((n,), each.pays) for n, each in zip(entries.sizes, told, strict=True)]
    # Of a view without entries all effects are 0.
    _learn(replace(entries, there=entries.there & torch.cat(pays)), state, _MORE)
    if any(each.pays for each in told) and state.background.n_background:
        added = state.background.among(model.background.sizes, views)
        model.background = model.background.beside(added)
    return {model.views[i]: each for i, each in zip(views, told, strict=True)}


def _without(
    model: POEMS, batch: Batch, views: list[int], entries: Entries, hidden: Tensor
) -> Batch:
    """Return the samples without some entries of some views."""
    left = dict(zip(views, entries.by_view(entries.there & ~hidden), strict=True))
    names = {model.views[i]: own for i, own in left.items()}
    return replace(batch, observed={**batch.observed, **names})


def _foretold(hidden: Entries, added: Tensor) -> list[Foretold]:
    """Judge the entries of each view; the error is that of samples drawn anew."""
    gains = (hidden.gain(added) - hidden.gain(torch.zeros_like(added))).double()
    told = []
    for own, asked in zip(hidden.by_view(gains), hidden.by_view(hidden.there), strict=True):
        # Sums of no entry are 0, whatever they are divided by.
        n = asked.sum().clamp_min(1)
        gain = own.sum() / n
        away = own.sum(dim=1) - gain * asked.sum(dim=1)
        told.append(Foretold(float(gain), float(away.square().sum().sqrt() / n)))
    return told


@dataclass(eq=False)
class _State:
    """What is believed: background, scores (n_samples, n_background) and how they vary, alpha.

    ``covariance``: (n_samples, n_background, n_background); ``alpha`` of offsets and loadings,
    (n_views, 1 + n_background).
    """

    background: Background
    scores: Tensor
    covariance: Tensor
    alpha: Tensor

    @property
    def design(self) -> Tensor:
        """Ones and scores: (n_samples, 1 + n_background)."""
        return torch.cat([torch.ones(len(self.scores), 1), self.scores], dim=1)

    def added(self) -> Tensor:
        """Return what the background adds to eta, (n_samples, n_features)."""
        return self.background.predict(self.scores)

    def keep(self, factors: Tensor) -> None:
        """Leave out all factors but some (booleans of shape (n_background,))."""
        if factors.all():
            return
        self.background = self.background.part(range(len(self.background.sizes)), factors)
        self.scores, self.covariance = (
            self.scores[:, factors],
            self.covariance[:, factors][:, :, factors],
        )
        self.alpha = self.alpha[:, torch.cat([torch.ones(1, dtype=torch.bool), factors])]


def _learn(entries: Entries, state: _State, rounds: int) -> None:
    """Find loadings and scores in turns."""
    for _ in range(rounds):
        if not state.background.n_background:
            return
        moved = _update_loadings(entries, state)
        state.scores, state.covariance, _ = link_scores(entries, state.background, state.scores, 1)
        if moved < _SETTLED:
            return


def _start(entries: Entries, most: int) -> _State:
    """Begin at the principal components of deviance residuals, each feature by its deviation."""
    parts = zip(
        entries.likelihoods, entries.by_view(entries.x), entries.by_view(entries.eta), strict=True
    )
    residuals = [
        likelihood.residual(x, eta)
        for likelihood, x, eta in parts
        if isinstance(likelihood, OwnScaleLikelihood)
    ]
    # As above: a feature without entries has residuals of 0.
    there, counts = entries.there, entries.there.sum(dim=0).clamp_min(1)
    left = torch.cat(residuals, dim=1).masked_fill_(~there, 0.0)
    left = (left - left.sum(dim=0) / counts).masked_fill_(~there, 0.0)
    deviation = (left.square().sum(dim=0) / counts).sqrt()
    # A feature without residuals stays at 0.
    white = left * entries.weights.sqrt() / deviation.clamp_min(1e-6)
    scores = principal_scores([white], min(most, len(white) - 1, white.shape[1]))[0].float()
    q = scores.shape[1]
    state = _State(
        background=Background(entries.sizes, q, 0),
        scores=scores,
        covariance=scores.new_zeros(len(scores), q, q),
        alpha=scores.new_ones(len(entries.sizes), 1 + q),
    )
    # Effects of one step, were there no other factor, say how large those of a view are.
    none = torch.zeros_like(entries.eta)
    # A start alone: what tells less than one unit would be as large as its few entries have it.
    told = entries.information(none).sum(dim=0).clamp_min(1.0)
    alone = (entries.score(none).T @ state.design) / told[:, None]
    for view, (own, w) in enumerate(
        zip(entries.by_view(alone, 0), entries.by_view(entries.weights), strict=True)
    ):
        # Where all are 0 the precision is merely large.
        state.alpha[view] = 1.0 / _mean(own.square(), w).clamp_min(1e-9)
    return state


def _update_loadings(entries: Entries, state: _State) -> float:
    """Move offsets and loadings by a step, then alpha; leave out what is nobody's.

    Returns the share of the loadings' squares by which they moved.
    """
    before = torch.cat([state.background.offset[:, None], state.background.loadings], dim=1)
    design, added = state.design, state.added()
    information, pull = entries.information(added), entries.score(added).T @ design
    parts = [
        _View.of(state, view, own.any(dim=1), told)
        for view, (own, told) in enumerate(
            zip(entries.by_view(entries.there), entries.by_view(information), strict=True)
        )
    ]
    of_views = list(zip(parts, entries.by_view(before, 0), entries.by_view(pull, 0), strict=True))
    step = torch.cat([part.step(at, slope) for part, at, slope in of_views])

    def value(at: Tensor) -> Tensor:
        told = entries.gain(design @ at.T).double().sum(dim=0)
        owns = zip(parts, entries.by_view(at, 0), strict=True)
        return told - torch.cat([part.penalty(own) for part, own in owns])

    joint = before + longest(value, before, step, _SHORTER) * step
    weights = entries.by_view(entries.weights)
    told = torch.stack(
        [
            part.learn(state, view, own, w)
            for view, (part, own, w) in enumerate(
                zip(parts, entries.by_view(joint, 0), weights, strict=True)
            )
        ]
    )
    state.background.offset, state.background.loadings = joint[:, 0].clone(), joint[:, 1:].clone()
    # Of a feature that no sample has, whatever it is divided by.
    state.background.precision = (information.sum(dim=0) / len(information)).clamp_min(1e-9)
    state.keep((told[:, 1:] > _NOTHING).any(dim=0))
    # Where all are 0 nothing moved.
    return float((joint - before).square().sum() / joint.square().sum().clamp_min(1e-12))


@dataclass(eq=False)
class _View:
    """A view's least squares: entries of feature j all tell ``told``_j, of shape (n_features,).

    ``axes`` make the designs' moments and alpha diagonal, with ``values``; ``scatter`` is what of
    the moments is doubt of scores.
    """

    told: Tensor
    scatter: Tensor
    alpha: Tensor
    axes: Tensor
    values: Tensor
    n_samples: int

    @classmethod
    def of(cls, state: _State, view: int, rows: Tensor, information: Tensor) -> _View:
        """Make that of the samples that have the view; ``information`` of all entries."""
        design, alpha = state.design[rows].double(), state.alpha[view].double()
        scatter = torch.zeros(design.shape[1], design.shape[1], dtype=design.dtype)
        scatter[1:, 1:] = state.covariance[rows].sum(dim=0)
        root = alpha.rsqrt()
        moments = root[:, None] * (design.T @ design + scatter) * root
        values, vectors = torch.linalg.eigh(moments)
        # Of a view that no sample has all is 0.
        told = information.sum(dim=0).double() / rows.sum().clamp_min(1)
        # Of a matrix of squares: below 0 by rounding alone.
        values = values.clamp_min(0.0)
        return cls(told, scatter, alpha, root[:, None] * vectors, values, int(rows.sum()))

    @property
    def shrunk(self) -> Tensor:
        """Variances along the axes, (n_features, width)."""
        return 1.0 / (1.0 + self.told[:, None] * self.values)

    def step(self, at: Tensor, slope: Tensor) -> Tensor:
        """Return the step from effects (n_features, width), where the likelihood slopes so."""
        own = at.double()
        slope = slope.double() - self.told[:, None] * (own @ self.scatter) - self.alpha * own
        return (((slope @ self.axes) * self.shrunk) @ self.axes.T).to(at.dtype)

    def penalty(self, at: Tensor) -> Tensor:
        """Half of what the prior and the doubt of scores cost each feature, (n_features,)."""
        own = at.double()
        doubt = self.told * ((own @ self.scatter) * own).sum(dim=1)
        return 0.5 * (doubt + (self.alpha * own.square()).sum(dim=1))

    def learn(self, state: _State, view: int, at: Tensor, weights: Tensor) -> Tensor:
        """Set alpha and uncertainty; return the loadings' mean square in variances of theirs."""
        own, w = at.double().square(), weights.double()
        variance = _mean(own, w) + self.axes.square() @ _mean(self.shrunk, w)
        state.alpha[view] = 1.0 / variance
        of_axes = (w[:, None] * self.told[:, None] * self.shrunk).sum(dim=0)
        state.background.uncertainty[view] = ((self.axes * of_axes) @ self.axes.T)[1:, 1:]
        return _mean(self.n_samples * self.told[:, None] * own, w)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over features, each counting by its weight: (n_columns,)."""
    return (weights[:, None] * values).sum(dim=0) / weights.sum()
