"""Rounds of variational Bayes for the background; see :mod:`poems.training.background`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.background_scores import conditional_scores
from poems.nn.inferred import Inferred
from poems.scaling.batch import Batch
from poems.training.starts.linear import principal_scores

# Mean square of a view's loadings of a factor, in posterior variances of theirs, that is nothing.
_NOTHING = 0.1
# Share of what the factors leave that all their weak effects explain at the start.
_WEAK_SHARE = 0.1
# Steps for loadings of a view with missing entries in each round; one is exact without.
_STEPS_WITH_GAPS = 3
# The noise's prior: degrees of freedom, and its scale as a share of the feature's variance.
_NOISE_DF, _NOISE_SHARE = 3.0, 0.5


class Residuals:
    """What the factors leave, zero where nothing was measured, and how much there is of it."""

    def __init__(self, batch: Batch, eta: Tensor, weights: Tensor) -> None:
        self.batch, self.eta, self.weights = batch, eta, weights
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

    def of_some(self, rows: Tensor) -> Residuals:
        """Return those of some samples."""
        return Residuals(self.batch.take(rows), self.eta[rows], self.weights)

    def centred(self, offset: Tensor) -> Tensor:
        """Residuals about offsets of shape (n_features,), zero where nothing was measured."""
        left = self.values - offset
        return left if self.complete else left.masked_fill_(~self.there, 0.0)

    def centred_view(self, view: int, offset: Tensor) -> tuple[Tensor, Tensor | None]:
        """Those of one view, of the samples that have it, and which entries these lack, if any."""
        values, lacking = self._of_views[view]
        left = values - offset[self._features[view]]
        return left if lacking is None else left.masked_fill_(lacking, 0.0), lacking

    def rows(self, view: int) -> Tensor | None:
        """Which samples a view was measured on, booleans of shape (n_samples,); None for all."""
        measured = self.batch.measured[:, view]
        return None if bool(measured.all()) else measured

    @cached_property
    def _features(self) -> list[slice]:
        return [there for _, there, _ in self.views()]

    @cached_property
    def _of_views(self) -> list[tuple[Tensor, Tensor | None]]:
        """Values of the samples that each view was measured on, and what these lack."""
        found: list[tuple[Tensor, Tensor | None]] = []
        for view, features, gaps in self.views():
            rows = self.rows(view)
            chosen = slice(None) if rows is None else rows
            lacking = ~self.there[:, features][chosen] if gaps else None
            found.append((self.values[:, features][chosen], lacking))
        return found

    @cached_property
    def means(self) -> Tensor:
        """Mean of each feature's residuals, (n_features,)."""
        return self.values.sum(dim=0) / self.counts

    @cached_property
    def complete(self) -> bool:
        """Whether no entry of any sample is missing."""
        return bool(self.there.all())


@dataclass(eq=False)
class State:
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
        """Number of latents that drive anything."""
        return len(self.used)

    @property
    def n_background(self) -> int:
        """Number of background factors that are left."""
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

    def background(self, residuals: Residuals) -> Background:
        """Return it for a model."""
        made = Background(residuals.sizes, self.n_background, self.n_latent)
        if not self.n_background:
            return made
        weak, made.loadings = torch.split(self.loadings, [self.n_used, self.n_background], dim=1)
        made.weak[:, self.used] = weak
        made.loadings = made.loadings.clone()
        made.offset, made.precision = self.offset.clone(), 1.0 / self.noise
        there = torch.cat([self.used, self.n_latent + torch.arange(self.n_background)])
        made.uncertainty[:, there[:, None], there] = self.uncertainty
        return made

    def of_some(self, rows: Tensor) -> State:
        """Return what is believed where only some samples are there, before they are asked."""
        share = len(rows) / len(self.scores)
        changed = ("loadings", "noise", "alpha", "uncertainty")
        return replace(
            self,
            scores=self.scores[rows],
            **{name: share * getattr(self, name) for name in ("scatter", "slopes", "spread")},
            **{name: getattr(self, name).clone() for name in changed},
        )

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


def start(residuals: Residuals, z: Tensor, used: Tensor, most: int) -> State:
    """Begin at the principal components of the residuals, each feature divided by its deviation."""
    offset = residuals.means
    centred = residuals.centred(offset)
    left = centred.square().sum(dim=0) / residuals.counts
    # A feature without residuals stays at 0.
    white = centred * residuals.weights.sqrt() / left.sqrt().clamp_min(1e-6)
    n_samples, n_features = white.shape
    kept = min(most, n_samples - 1, n_features)
    scores = principal_scores([white], kept)[0].to(white.dtype)
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
        alpha[view] = 1.0 / explained.clamp_min(1e-9)
    return State(
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


def one_round(residuals: Residuals, state: State) -> float:
    """Update effects, precisions and noise, then the scores; return by how much noise changed."""
    before = state.noise.log()
    views = residuals.views()
    told = torch.stack([update_view(residuals, state, view, rows) for view, rows, _ in views])
    # A factor that its precision has shrunk to nothing in every view is nobody's. Weak loadings of
    # many features say much together: those within a standard error each are no reason to leave.
    state.keep((told[:, state.n_used :] > _NOTHING).any(dim=0))
    state.offset = residuals.means - mean_prediction(residuals, state)
    _update_scores(residuals, state)
    return float((state.noise.log() - before).abs().mean())


def _update_scores(residuals: Residuals, state: State) -> None:
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


def relearn(residuals: Residuals, state: State) -> None:
    """Find the effects anew, the scores and the precisions as they are."""
    alpha = state.alpha.clone()
    state.offset = residuals.means - mean_prediction(residuals, state)
    for view, rows, _ in residuals.views():
        update_view(residuals, state, view, rows)
    state.alpha = alpha


def mean_prediction(residuals: Residuals, state: State) -> Tensor:
    """Mean of what scores and loadings predict of each feature's entries, (n_features,)."""
    if residuals.complete:
        return state.loadings @ state.scores.mean(dim=0)
    parts = []
    for view, features, gaps in residuals.views():
        scores, loadings = state.scores, state.loadings[features]
        if gaps:
            there = residuals.there[:, features].to(scores.dtype)
            means = there.T @ scores / residuals.counts[features, None]
            parts.append((loadings * means).sum(dim=1))
        else:
            rows = residuals.rows(view)
            some = scores if rows is None else scores[rows]
            # A view that no sample has predicts nothing.
            parts.append(loadings @ (some.sum(dim=0) / max(1, len(some))))
    return torch.cat(parts)


def update_view(residuals: Residuals, state: State, view: int, rows: slice) -> Tensor:
    """Update what concerns one view; return its loadings' mean square in standard errors.

    With M = sum_n E[y_n y_n'] over the samples that have it, the effects on feature j have the
    posterior covariance (M / sigma_j^2 + diag(alpha))^-1, for all features at once from the
    eigenvectors of alpha^-1/2 M alpha^-1/2. What the decoders predict varies with z, and so
    with y. Where entries are missing these covariances are those of complete data, and the means
    move by steps that never lose (minorise-maximise).
    """
    measured = residuals.rows(view)
    scores = state.scores if measured is None else state.scores[measured]
    root, of_scores = state.alpha[view].double().rsqrt(), state.scatter[view].double()
    moments = scores.double().T @ scores.double()
    values, vectors = torch.linalg.eigh(root[:, None] * (moments + of_scores) * root)
    # Of a matrix of squares: below 0 by rounding alone.
    values, axes = values.clamp_min(0.0), root[:, None] * vectors
    tau, counts = (1.0 / state.noise[rows]).double()[:, None], residuals.counts[rows].double()
    slopes = state.slopes[rows].double()
    shrunk = 1.0 / (1.0 + tau * values)
    target, lacking = residuals.centred_view(view, state.offset)
    if lacking is not None:
        share = (counts / len(scores))[:, None]
        loadings = state.loadings[rows].double()
        for _ in range(_STEPS_WITH_GAPS):
            error = (target - scores @ loadings.float().T).masked_fill_(lacking, 0.0)
            moved = share * (loadings @ of_scores) + slopes
            slope = tau * ((error.T @ scores).double() - moved)
            slope -= state.alpha[view].double() * loadings
            loadings = loadings + (slope @ axes) * shrunk @ axes.T
        error = (target - scores @ loadings.float().T).masked_fill_(lacking, 0.0)
        squares = error.square().sum(dim=0).double()
        squares += ((share * (loadings @ of_scores) + 2.0 * slopes) * loadings).sum(dim=1)
        squares += share[:, 0] * (shrunk @ values)
    else:
        along = ((target.T @ scores).double() - slopes) @ axes
        coefficients = tau * along * shrunk
        loadings = coefficients @ axes.T
        # Of the errors, without another pass over the entries: the axes make moments diagonal.
        squares = target.square().sum(dim=0).double()
        squares += ((coefficients * values - 2.0 * along) * coefficients).sum(dim=1)
        squares += shrunk @ values
    squares += state.spread[rows].double()
    prior = _NOISE_DF * _NOISE_SHARE * residuals.variance[rows].double()
    noise = (squares + prior) / (counts + _NOISE_DF + 2.0)
    dtype = state.noise.dtype
    state.loadings[rows] = loadings.to(dtype)
    weights = residuals.weights[rows].double()
    variance = _mean(loadings.square(), weights) + axes.square() @ _mean(shrunk, weights)
    state.alpha[view] = (1.0 / variance).to(dtype)
    state.noise[rows] = noise.to(dtype)
    of_axes = (weights[:, None] * shrunk / noise[:, None]).sum(dim=0)
    state.uncertainty[view] = ((axes * of_axes) @ axes.T).to(dtype)
    return _mean(tau * counts[:, None] * loadings.square(), weights).to(dtype)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over features, each counting by its weight: (n_columns,)."""
    return (weights[:, None] * values).sum(dim=0) / weights.sum()
