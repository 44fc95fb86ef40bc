"""The background of a trained model: dense factors of what its sparse factors leave unsaid.

Variational Bayes for a group factor analysis of the residuals (Virtanen et al. 2012; Klami et al.
2015), the decoders held as they are:

    x_nj - eta_j(z_n) = offset_j + B_j . b_n + noise,   b_n ~ N(0, I),
    B_jk ~ N(0, 1 / alpha_vk),   noise_nj ~ N(0, sigma_j^2).

alpha_vk, the precision of a view's loadings of a factor, is learned. It grows without end where
the view has no part in the factor, so that factors become shared, private or nobody's by
themselves; the last are left out. How much a feature counts (:mod:`poems.scaling.redundancy`) bears
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
from poems.nn.background_scores import conditional_scores
from poems.nn.inference import Inferred, infer
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.training.starts.linear import principal_scores

# Background factors at most, and samples that each takes at the least.
_MOST = 64
_SAMPLES_EACH = 3
# Turns of background and latents; rounds of a turn, at most.
_TURNS, _ROUNDS = 2, 20
# Steps of the latents in a turn: they are inferred to the end when the background stands.
_STEPS = 2
# Rounds of a turn end when a feature's log noise variance changes by less than this on average.
_SETTLED = 2e-3
# Mean square of a view's loadings of a factor, in posterior variances of theirs, that is nothing.
_NOTHING = 0.1
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
    model.background = Background(tuple(batch.n_features.values()), 0)
    found = infer(model, batch, steps=_STEPS)
    limit = min(_MOST, len(batch) // _SAMPLES_EACH) if most is None else most
    additive = [i for i in range(len(model.views)) if model.likelihood(i).additive]
    if not limit or not additive:
        return found
    own = _views_of(batch, additive)
    if not own.measured.any():
        return found

    def left() -> _Residuals:
        eta = torch.split(model.decode_jointly(found.loc), list(model.background.sizes), dim=1)
        weights = torch.split(model.feature_weights, list(model.background.sizes))
        parts = [eta[i] for i in additive], [weights[i] for i in additive]
        return _Residuals(own, torch.cat(parts[0], dim=1), torch.cat(parts[1]))

    state = _start(left(), limit)
    for _ in range(_TURNS):
        residuals = left()
        for _ in range(_ROUNDS):
            if not state.scores.shape[1] or _round(residuals, state) < _SETTLED:
                break
        model.background = _among(
            state.background(residuals), tuple(batch.n_features.values()), additive
        )
        found = infer(model, batch, found.loc, steps=_STEPS)
        state.scores, state.scatter = found.background, found.scatter[additive]
    return found


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
    made = Background(sizes, background.n_background)
    for name in ("loadings", "offset", "precision"):
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

    ``scatter``: covariances of the scores, summed over the samples that each view was measured on,
    of shape (n_views, n_background, n_background).
    """

    scores: Tensor
    scatter: Tensor
    loadings: Tensor
    offset: Tensor
    noise: Tensor
    alpha: Tensor
    uncertainty: Tensor

    def background(self, residuals: _Residuals) -> Background:
        """Return it for a model."""
        made = Background(residuals.sizes, self.loadings.shape[1])
        made.loadings, made.offset = self.loadings.clone(), self.offset.clone()
        made.precision, made.uncertainty = 1.0 / self.noise, self.uncertainty.clone()
        return made

    def keep(self, factors: Tensor) -> None:
        """Leave out all background factors but some (booleans of shape (n_background,))."""
        if factors.all():
            return
        self.scores, self.loadings = self.scores[:, factors], self.loadings[:, factors]
        self.alpha = self.alpha[:, factors]
        self.scatter = self.scatter[:, factors][:, :, factors]
        self.uncertainty = self.uncertainty[:, factors][:, :, factors]


def _start(residuals: _Residuals, most: int) -> _State:
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
    # Where all loadings are 0 the precision is merely large.
    alpha = torch.stack(
        [
            1.0 / _mean(loadings[rows].square(), residuals.weights[rows]).clamp_min(1e-9)
            for _, rows, _ in residuals.views()
        ]
    )
    return _State(
        scores=scores,
        scatter=scores.new_zeros(len(alpha), kept, kept),
        loadings=loadings,
        offset=offset,
        noise=noise,
        alpha=alpha,
        uncertainty=scores.new_zeros(len(alpha), kept, kept),
    )


def _round(residuals: _Residuals, state: _State) -> float:
    """Update loadings, precisions and noise, then the scores; return by how much noise changed."""
    before = state.noise.log()
    told = [_update_view(residuals, state, *each) for each in residuals.views()]
    # A factor that its precision has shrunk to nothing in every view is nobody's. Weak loadings of
    # many features say much together: those within a standard error each are no reason to leave.
    state.keep((torch.stack(told) > _NOTHING).any(dim=0))
    state.offset = residuals.means - _mean_prediction(residuals, state)
    state.scores, state.scatter = conditional_scores(
        state.background(residuals),
        residuals.batch,
        residuals.centred(state.offset),
        residuals.weights,
    )
    return float((state.noise.log() - before).abs().mean())


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

    With M = sum_n E[b_n b_n'] over the samples that have it, the loadings of feature j have the
    posterior covariance (M / sigma_j^2 + diag(alpha))^-1, for all features at once from the
    eigenvectors of alpha^-1/2 M alpha^-1/2. Where entries are missing these covariances are those
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
    shrunk = 1.0 / (1.0 + tau * values)
    target = residuals.centred(state.offset, rows, None if every else measured)
    if gaps:
        share = (counts / int(measured.sum()))[:, None]
        there = residuals.there[measured][:, rows]
        loadings = state.loadings[rows].double()
        for _ in range(_STEPS_WITH_GAPS):
            error = (target - scores @ loadings.float().T).masked_fill_(~there, 0.0)
            slope = tau * ((error.T @ scores).double() - share * (loadings @ of_scores))
            slope -= state.alpha[view].double() * loadings
            loadings = loadings + (slope @ axes) * shrunk @ axes.T
        error = (target - scores @ loadings.float().T).masked_fill_(~there, 0.0)
        squares = error.square().sum(dim=0).double()
    else:
        share = torch.ones_like(counts)[:, None]
        products = (target.T @ scores).double()
        loadings = (tau * products @ axes) * shrunk @ axes.T
        # Of the errors, without another pass over the entries.
        squares = target.square().sum(dim=0).double()
        squares += ((loadings @ moments - 2.0 * products) * loadings).sum(dim=1)
    doubt = shrunk @ axes.square().T
    squares += share[:, 0] * ((loadings @ of_scores) * loadings).sum(dim=1)
    squares += share[:, 0] * (shrunk @ values)
    prior = _NOISE_DF * _NOISE_SHARE * residuals.variance[rows].double()
    noise = (squares + prior) / (counts + _NOISE_DF + 2.0)
    dtype = state.noise.dtype
    state.loadings[rows] = loadings.to(dtype)
    weights = residuals.weights[rows].double()
    state.alpha[view] = (1.0 / _mean(loadings.square() + doubt, weights)).to(dtype)
    state.noise[rows] = noise.to(dtype)
    of_axes = (weights[:, None] * shrunk / noise[:, None]).sum(dim=0)
    state.uncertainty[view] = ((axes * of_axes) @ axes.T).to(dtype)
    return _mean(tau * counts[:, None] * loadings.square(), weights).to(dtype)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over features, each counting by its weight: (n_columns,)."""
    return (weights[:, None] * values).sum(dim=0) / weights.sum()
