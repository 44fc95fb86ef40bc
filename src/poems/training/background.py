"""The background of a trained model: what its sparse factors leave unsaid, dense and linear.

Variational Bayes for a group factor analysis of the residuals (Virtanen et al. 2012; Klami et al.
2015), the decoders held as they are:

    x_nj - eta_j(z_n) = offset_j + G_j . y_n + noise,   y_n = (z_n, b_n), b_n ~ N(0, I),
    G_jk ~ N(0, 1 / alpha_vk),   noise_nj ~ N(0, sigma_j^2).

So a feature has a few large effects of the factors and a small one of each, as in sparse linear
mixed models (Zhou, Carbonetto & Stephens 2013), and background factors b beside them. alpha_vk, the
precision of a view's effects of a factor, is that of the most evidence, by MacKay's (1992) updates.
It grows without end where the view has no part in the factor, so that background factors become
shared, private or nobody's by themselves; the last are left out. What is not known of z and b counts:
residuals about their means alone would be too small. How much a feature counts (:mod:`poems.scaling.redundancy`) bears
on what features share, the scores and alpha; its own loadings and noise are what they would be
without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.background_scores import Knowledge, conditional_scores
from poems.nn.inference import Inferred, infer
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.training.starts.linear import principal_scores

# Background factors at most, and samples that each takes at the least.
_MOST = 64
_SAMPLES_EACH = 2
# Turns of background and latents; rounds of a turn, at most.
_TURNS, _ROUNDS = 2, 20
# Steps of the latents in a turn: they are inferred to the end when the background stands.
_STEPS = 2
# Rounds of a turn end when a feature's log noise variance changes by less than this on average.
_SETTLED = 2e-3
# Mean square of a view's loadings of a factor, in posterior variances of theirs, that is nothing.
_NOTHING = 0.1
# Share of what the factors leave that all their weak effects explain at the start.
_WEAK_SHARE = 0.1
# Precision of loadings beyond which nothing is left of them.
_MOST_PRECISION = 1e8
# Steps for loadings of a view with missing entries in each round; one is exact without.
_STEPS_WITH_GAPS = 3
# The noise's prior: degrees of freedom, and its scale as a share of the feature's variance.
_NOISE_DF, _NOISE_SHARE = 3.0, 0.5


@torch.no_grad()
def fit_background(model: POEMS, batch: Batch, most: int | None = None) -> Inferred:
    """Find the background of a trained model, set it, and return what is known of the samples.

    Latents and background take turns, for what a background factor says of a sample may be what
    a sparse factor would say, and the latents are inferred with it.

    Parameters
    ----------
    model
        The trained model, in evaluation mode; its background is replaced.
    batch
        The training samples, or as many of them as are to learn from.
    most
        Background factors at most, by default one for three samples and 64 in all, of which
        those stay that the data support; 0 for none. They are of the views alone whose noise
        is additive (:attr:`poems.nn.likelihoods.Likelihood.additive`).
    """
    sizes = tuple(batch.n_features.values())
    model.background = Background(sizes, 0, model.n_latent)
    limit = min(_MOST, len(batch) // _SAMPLES_EACH) if most is None else most
    additive = [i for i in range(len(model.views)) if model.likelihood(i).additive]
    own = _views_of(batch, additive)
    learns = bool(limit and additive and own.measured.any())
    found = infer(model, batch, steps=_STEPS, moments=learns)
    if not learns:
        return found

    def left() -> _Residuals:
        eta = torch.split(model.decode_jointly(found.loc), list(sizes), dim=1)
        weights = torch.split(model.feature_weights, list(sizes))
        parts = [eta[i] for i in additive], [weights[i] for i in additive]
        return _Residuals(own, torch.cat(parts[0], dim=1), torch.cat(parts[1]))

    used = model.driving().nonzero()[:, 0]
    rows = torch.cat([part for i, part in enumerate(_positions(sizes)) if i in additive])
    state = _start(left(), found.loc, used, limit)
    for _ in range(_TURNS):
        residuals = left()
        known = Knowledge.of(model.background, model.feature_weights, batch)
        state.learn_of(found, known.scatter(batch.measured), additive, rows)
        for _ in range(_ROUNDS):
            if not state.n_background or _round(residuals, state) < _SETTLED:
                break
        model.background = _among(state.background(residuals), sizes, additive)
        found = infer(model, batch, found.loc, steps=_STEPS, moments=True)
    return found


def _positions(sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return where the features of each view are among those of all."""
    return torch.split(torch.arange(sum(sizes)), list(sizes))


def _views_of(batch: Batch, views: list[int]) -> Batch:
    """Return some of the views."""
    if len(views) == len(batch.values):
        return batch
    names = [name for i, name in enumerate(batch.values) if i in views]
    return Batch(
        {name: batch.values[name] for name in names},
        {name: batch.observed[name] for name in names},
        batch.measured[:, views],
    )


def _among(background: Background, sizes: tuple[int, ...], views: list[int]) -> Background:
    """Return the background of some views as that of all: it adds nothing to the others."""
    if len(views) == len(sizes):
        return background
    made = Background(sizes, background.n_background, background.n_latent)
    for name in ("loadings", "weak", "offset", "precision"):
        parts = dict(
            zip(views, torch.split(getattr(background, name), list(background.sizes)), strict=True)
        )
        whole = torch.split(getattr(made, name), list(sizes))
        setattr(made, name, torch.cat([parts.get(i, own) for i, own in enumerate(whole)]))
    made.uncertainty[views] = background.uncertainty
    return made


class _Residuals:
    """What the factors leave, zero where nothing was measured, and how much there is of it."""

    def __init__(self, batch: Batch, eta: Tensor, weights: Tensor) -> None:
        self.batch, self.weights = batch, weights
        self.sizes = tuple(batch.n_features.values())
        self.there = batch.entries()
        self.values = (batch.joined() - eta).masked_fill(~self.there, 0.0)
        # A feature that no sample has has sums of 0, and means of 0 whatever they are divided by.
        self.counts = self.there.to(eta.dtype).sum(dim=0).clamp_min(1.0)
        x = batch.joined().masked_fill(~self.there, 0.0)
        mean = x.sum(dim=0) / self.counts
        # Not below 0 but by rounding; a constant feature has residuals of next to nothing.
        self.variance = (x.square().sum(dim=0) / self.counts - mean.square()).clamp_min(1e-6)

    def views(self) -> Iterator[tuple[int, slice, bool]]:
        """Each view's number, its features, and whether a measured sample lacks some of them."""
        first = 0
        for i, size in enumerate(self.sizes):
            there = slice(first, first + size)
            yield i, there, self.batch.observed[list(self.batch.values)[i]] is not None
            first += size

    def centred(
        self, offset: Tensor, features: slice = slice(None), samples: Tensor | None = None
    ) -> Tensor:
        """Residuals about offsets of shape (n_features,), of some features and samples."""
        values, there = self.values[:, features], self.there[:, features]
        if samples is not None:
            values, there = values[samples], there[samples]
        left = values - offset[features]
        return left if self.complete else left.masked_fill_(~there, 0.0)

    @cached_property
    def means(self) -> Tensor:
        """Mean of each feature's residuals, (n_features,)."""
        return self.values.sum(dim=0) / self.counts

    @cached_property
    def complete(self) -> bool:
        """Whether no entry of any sample is missing."""
        return bool(self.there.all())


@dataclass(eq=False)
class _State:
    """What is believed of the background: means, and what varies about them.

    Columns are the latents that drive anything, ``used`` of all ``n_latent``, and then the
    background factors. ``scores``: y, (n_samples, width); ``loadings``: G, (n_features, width);
    ``scatter``: covariances of y, summed over the samples that each view was measured on,
    (n_views, width, width), of which ``inherited`` is what doubt of z adds; ``slopes`` and
    ``spread``: see :class:`poems.nn.moments.Moments`.
    """

    used: Tensor
    n_latent: int
    scores: Tensor
    scatter: Tensor
    inherited: Tensor
    slopes: Tensor
    spread: Tensor
    loadings: Tensor
    offset: Tensor
    noise: Tensor
    alpha: Tensor
    uncertainty: Tensor

    @property
    def n_used(self) -> int:
        return len(self.used)

    @property
    def n_background(self) -> int:
        return self.loadings.shape[1] - self.n_used

    def learn_of(self, found: Inferred, given: Tensor, views: list[int], rows: Tensor) -> None:
        """Take in what was inferred; at first, without background factors, what it says of z.

        ``given``: covariances of b where z is known, summed as ``scatter``; ``views`` and ``rows``:
        the views that have a background, and their features.
        """
        assert found.moments is not None
        z, sums = found.loc[:, self.used], found.moments
        there = torch.cat([self.used, self.n_latent + torch.arange(found.background.shape[1])])
        self.slopes = _padded(sums.slopes[rows][:, there], self.slopes.shape)
        self.spread = sums.spread[rows]
        scatter = sums.scatter[views][:, there][:, :, there]
        self.scatter = _padded(scatter, self.scatter.shape)
        self.inherited = self.scatter.clone()
        if found.background.shape[1]:
            self.scores = torch.cat([z, found.background], dim=1)
            self.inherited[:, self.n_used :, self.n_used :] -= given[views]

    def background(self, residuals: _Residuals) -> Background:
        """Return it for a model."""
        made = Background(residuals.sizes, self.n_background, self.n_latent)
        if not self.n_background:
            return made
        weak, made.loadings = self.loadings.split([self.n_used, self.n_background], dim=1)
        made.weak[:, self.used] = weak
        made.loadings = made.loadings.clone()
        made.offset, made.precision = self.offset.clone(), 1.0 / self.noise
        there = torch.cat([self.used, self.n_latent + torch.arange(self.n_background)])
        made.uncertainty[:, there[:, None], there] = self.uncertainty
        return made

    def keep(self, factors: Tensor) -> None:
        """Leave out all background factors but some (booleans of shape (n_background,))."""
        if factors.all():
            return
        kept = torch.cat([torch.ones(self.n_used, dtype=torch.bool), factors])
        for name in ("scores", "loadings", "alpha", "slopes"):
            setattr(self, name, getattr(self, name)[:, kept])
        for name in ("scatter", "inherited", "uncertainty"):
            setattr(self, name, getattr(self, name)[:, kept][:, :, kept])


def _padded(values: Tensor, shape: torch.Size) -> Tensor:
    """Return values with zeros after the last of each axis, in some shape."""
    made = values.new_zeros(shape)
    made[tuple(slice(0, n) for n in values.shape)] = values
    return made


def _start(residuals: _Residuals, z: Tensor, used: Tensor, most: int) -> _State:
    """Begin at the principal components of the residuals, each feature divided by its deviation."""
    offset = residuals.means
    centred = residuals.centred(offset)
    left = centred.square().sum(dim=0) / residuals.counts
    # A feature without residuals stays at 0.
    white = centred * residuals.weights.sqrt() / left.sqrt().clamp_min(1e-6)
    n_samples, n_features = white.shape
    kept = min(most, n_samples - 1, n_features)
    blocks = [white[:, rows] for _, rows, _ in residuals.views()]
    scores = principal_scores(blocks, kept)[0].to(white.dtype)
    loadings = centred.T @ scores / residuals.counts[:, None]
    # A start alone, as in the start of loadings: the first round updates it.
    noise = (left - loadings.square().sum(dim=1)).clamp_min(0.05 * left).clamp_min(1e-6)
    loadings = torch.cat([loadings.new_zeros(n_features, len(used)), loadings], dim=1)
    width, views = loadings.shape[1], list(residuals.views())
    alpha = loadings.new_empty(len(views), width)
    for view, rows, _ in views:
        weights = residuals.weights[rows]
        explained = _mean(loadings[rows].square(), weights)
        explained[: len(used)] = _WEAK_SHARE * _mean(left[rows, None], weights) / max(1, len(used))
        # Where all loadings are 0 the precision is merely large.
        alpha[view] = 1.0 / explained.clamp_min(1.0 / _MOST_PRECISION)
    return _State(
        used=used,
        n_latent=z.shape[1],
        scores=torch.cat([z[:, used], scores], dim=1),
        scatter=scores.new_zeros(len(views), width, width),
        inherited=scores.new_zeros(len(views), width, width),
        slopes=scores.new_zeros(n_features, width),
        spread=scores.new_zeros(n_features),
        loadings=loadings,
        offset=offset,
        noise=noise,
        alpha=alpha,
        uncertainty=scores.new_zeros(len(views), width, width),
    )


def _round(residuals: _Residuals, state: _State) -> float:
    """Update effects, precisions and noise, then the scores; return by how much noise changed."""
    before = state.noise.log()
    told = torch.stack([_update_view(residuals, state, *each) for each in residuals.views()])
    # A factor that its precision has shrunk to nothing in every view is nobody's. Weak loadings of
    # many features say much together: those within a standard error each are no reason to leave.
    state.keep((told[:, state.n_used :] > _NOTHING).any(dim=0))
    state.offset = residuals.means - _mean_prediction(residuals, state)
    _update_scores(residuals, state)
    return float((state.noise.log() - before).abs().mean())


def _update_scores(residuals: _Residuals, state: _State) -> None:
    """Find the background's scores, the latents where they are.

    What doubt of the latents added to the covariances when they were inferred is added still.
    """
    z = state.scores.new_zeros(len(state.scores), state.n_latent)
    z[:, state.used] = state.scores[:, : state.n_used]
    scores, scatter = conditional_scores(
        state.background(residuals),
        residuals.batch,
        residuals.centred(state.offset),
        z,
        residuals.weights,
    )
    state.scores = torch.cat([z[:, state.used], scores], dim=1)
    state.scatter = state.inherited.clone()
    state.scatter[:, state.n_used :, state.n_used :] += scatter


def _mean_prediction(residuals: _Residuals, state: _State) -> Tensor:
    """Mean of what scores and loadings predict of each feature's entries, (n_features,)."""
    if residuals.complete:
        return state.loadings @ state.scores.mean(dim=0)
    means = residuals.there.to(state.scores.dtype).T @ state.scores / residuals.counts[:, None]
    return (state.loadings * means).sum(dim=1)


def _update_view(
    residuals: _Residuals, state: _State, view: int, rows: slice, gaps: bool
) -> Tensor:
    """Update what concerns one view; return its loadings' mean square in standard errors.

    With M = sum_n E[y_n y_n'] over the samples that have it, the effects on feature j have the
    posterior covariance (M / sigma_j^2 + diag(alpha))^-1, for all features at once from the
    eigenvectors of alpha^-1/2 M alpha^-1/2. What the decoders predict varies with z, and so
    with y. Where entries are missing these covariances are those
    of complete data, and the means move by steps that never lose (minorise-maximise).
    """
    measured = residuals.batch.measured[:, view]
    every = bool(measured.all())
    scores = state.scores if every else state.scores[measured]
    root, of_scores = state.alpha[view].double().rsqrt(), state.scatter[view].double()
    moments = scores.double().T @ scores.double()
    values, vectors = torch.linalg.eigh(root[:, None] * (moments + of_scores) * root)
    # Of a matrix of squares: below 0 by rounding alone.
    values, axes = values.clamp_min(0.0), root[:, None] * vectors
    tau, counts = (1.0 / state.noise[rows]).double()[:, None], residuals.counts[rows].double()
    slopes = state.slopes[rows].double()
    shrunk = 1.0 / (1.0 + tau * values)
    target = residuals.centred(state.offset, rows, None if every else measured)
    if gaps:
        share = (counts / int(measured.sum()))[:, None]
        there = residuals.there[measured][:, rows]
        loadings = state.loadings[rows].double()
        for _ in range(_STEPS_WITH_GAPS):
            error = (target - scores @ loadings.float().T).masked_fill_(~there, 0.0)
            moved = share * (loadings @ of_scores) + slopes
            slope = tau * ((error.T @ scores).double() - moved)
            slope -= state.alpha[view].double() * loadings
            loadings = loadings + (slope @ axes) * shrunk @ axes.T
        error = (target - scores @ loadings.float().T).masked_fill_(~there, 0.0)
        squares = error.square().sum(dim=0).double()
    else:
        share = torch.ones_like(counts)[:, None]
        products = (target.T @ scores).double()
        loadings = (tau * (products - slopes) @ axes) * shrunk @ axes.T
        # Of the errors, without another pass over the entries.
        squares = target.square().sum(dim=0).double()
        squares += ((loadings @ moments - 2.0 * products) * loadings).sum(dim=1)
    squares += ((share * (loadings @ of_scores) + 2.0 * slopes) * loadings).sum(dim=1)
    squares += state.spread[rows].double()
    squares += share[:, 0] * (shrunk @ values)
    prior = _NOISE_DF * _NOISE_SHARE * residuals.variance[rows].double()
    noise = (squares + prior) / (counts + _NOISE_DF + 2.0)
    dtype = state.noise.dtype
    state.loadings[rows] = loadings.to(dtype)
    weights = residuals.weights[rows].double()
    # How many of a factor's effects the data decide, and how large they are.
    decided = _mean((1.0 - shrunk) @ vectors.square().T, weights)
    variance = _mean(loadings.square(), weights) / decided.clamp_min(1e-12)
    state.alpha[view] = (1.0 / variance.clamp_min(1.0 / _MOST_PRECISION)).to(dtype)
    state.noise[rows] = noise.to(dtype)
    of_axes = (weights[:, None] * shrunk / noise[:, None]).sum(dim=0)
    state.uncertainty[view] = ((axes * of_axes) @ axes.T).to(dtype)
    return _mean(tau * counts[:, None] * loadings.square(), weights).to(dtype)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over features, each counting by its weight: (n_columns,)."""
    return (weights[:, None] * values).sum(dim=0) / weights.sum()
