"""Exact posteriors: what the measured entries of a sample say of its latents through the decoders.

The encoder proposes, the decoders decide. From the encoder's answer

    log p(x, z, b) = log p(z) - |b|^2 / 2 + sum_j w_j log p(x_j | eta_j(z) + offset_j + B_j . b),

the sum over the measured entries, w_j how much a feature counts, is raised by Fisher scoring, which
is Gauss-Newton where noise is Gaussian: each view's expert is its likelihood linearised where the
sample is, of precision J' I J with J the slopes of eta and I the weighted information of an entry,
multiplied with the other experts and with the prior. To eta the logarithm of a sample's size is
added, where it has any. Steps are halved until nothing is lost. The
posterior's covariance is the inverse of the product's precision, in which the background factors b
(see :class:`poems.nn.background.Background`) are averaged over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.likelihoods import Likelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch

# Steps at most; a sample has arrived if a step promises less than the one gain, in nats, or if no
# length of it gains more than the other.
_STEPS = 20
_ENOUGH = 1e-5
_NOTHING = 1e-6
# A step is tried at full length and this many times at half the length before.
_HALVINGS = 10
# Numbers that slopes of some samples may take.
_MOST_SLOPES = 1 << 24
# Numbers that products of background loadings of some features may take.
_MOST_PRODUCTS = 1 << 24


@dataclass(frozen=True, eq=False)
class Inferred:
    """What is known of some samples.

    ``loc`` and ``variance`` of the latents: (n_samples, n_latent); ``background``, the
    posterior means of the background factors: (n_samples, n_background), and ``scatter``
    their covariances, of shape (n_samples, n_background, n_background); ``shares`` of each view
    in the precision of the latents: (n_samples, n_views), summing to 1 (0 where a view was
    not measured); ``settled``: booleans of shape (n_samples,), false where another step
    would still have gained.
    """

    loc: Tensor
    variance: Tensor
    background: Tensor
    scatter: Tensor
    shares: Tensor
    settled: Tensor

    def with_background(self, scores: Tensor) -> Inferred:
        """Return the same with other background scores, to begin from."""
        scatter = scores.new_zeros(*scores.shape, scores.shape[1])
        return replace(self, background=scores, scatter=scatter)


@torch.no_grad()
def infer(
    model: POEMS,
    batch: Batch,
    start: Tensor | Inferred | None = None,
    *,
    steps: int = _STEPS,
) -> Inferred:
    """Find the posterior of each sample.

    Parameters
    ----------
    model
        The trained model, in evaluation mode.
    batch
        Samples on the model's scale.
    start
        Where to begin: latents of shape (n_samples, n_latent), or what was inferred before;
        at the encoders' answer by default.
    steps
        Steps at most. Samples that have arrived by then rest.

    Examples
    --------
    >>> from poems.settings.schema import Settings
    >>> model = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2)).eval()
    >>> batch = Batch({"a": torch.randn(3, 5)}, {"a": None}, torch.ones(3, 1).bool())
    >>> infer(model, batch).loc.shape
    torch.Size([3, 2])
    """
    if not isinstance(start, Inferred):
        z = model.encode(batch).posterior.mean if start is None else start
        start = _beginning(model, z, len(batch.values))
    parts = [_infer(model, part, own, steps) for part, own in _blocks(model, batch, start)]
    return Inferred(*(torch.cat([getattr(p, name) for p in parts]) for name in _FIELDS))


_FIELDS = ("loc", "variance", "background", "scatter", "shares", "settled")


def _beginning(model: POEMS, z: Tensor, n_views: int) -> Inferred:
    b = z.new_zeros(len(z), model.background.n_background)
    shares, settled = z.new_zeros(len(z), n_views), torch.zeros(len(z), dtype=torch.bool)
    return Inferred(z, torch.ones_like(z), b, z.new_zeros(*b.shape, b.shape[1]), shares, settled)


def _blocks(model: POEMS, batch: Batch, start: Inferred) -> Iterator[tuple[Batch, Inferred]]:
    """Some samples at a time, as many as have slopes that fit into memory."""
    n_features = sum(batch.n_features.values())
    most = max(1, _MOST_SLOPES // (n_features * model.n_latent))
    if len(batch) <= most:
        yield batch, start
        return
    for rows in torch.split(torch.arange(len(batch)), most):
        yield batch.take(rows), Inferred(*(getattr(start, name)[rows] for name in _FIELDS))


def _infer(model: POEMS, batch: Batch, start: Inferred, steps: int) -> Inferred:
    problem = _Problem(model, batch)
    # Of latents that drive nothing the prior alone speaks.
    z = start.loc.where(model.driving(), model.prior.quadratic(start.loc)[0])
    point = torch.cat([z, start.background], dim=1)
    value, eta = problem.value(point)
    climbing = torch.ones(len(z), dtype=torch.bool)
    for _ in range(steps):
        direction, promised = problem.step(point, eta)
        gain = torch.zeros_like(value)
        waiting, length = climbing.clone(), 1.0
        for _ in range(_HALVINGS + 1):
            tried = torch.where(waiting[:, None], point + length * direction, point)
            reached, predicted = problem.value(tried)
            better = waiting & (reached >= value)
            gain = torch.where(better, reached - value, gain)
            point = torch.where(better[:, None], tried, point)
            eta = torch.where(better[:, None], predicted, eta)
            value = torch.where(better, reached, value)
            waiting &= ~better
            if not waiting.any():
                break
            length /= 2.0
        # A step that promises much and gains nothing, however short, stands at a kink of relu.
        climbing &= (promised > _ENOUGH) & (gain > _NOTHING)
        if not climbing.any():
            break
    return problem.posterior(point, eta, ~climbing)


@torch.no_grad()
def conditional_scores(
    background: Background, batch: Batch, residuals: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the background's scores of each sample where its latents are known.

    Parameters
    ----------
    background
        The background factors.
    batch
        Which entries were measured.
    residuals
        What the decoders and the offsets leave, zero where not measured, of shape (n_samples,
        n_features).
    weights
        How much each feature counts, (n_features,).

    Returns
    -------
    Means of shape (n_samples, n_background) and covariances, of shape (n_samples, n_background,
    n_background).
    """
    told = (residuals * (weights * background.precision)) @ background.loadings
    if batch.observed_jointly() is None:
        # Samples with the same views have the same precision.
        patterns, which = torch.unique(batch.measured, dim=0, return_inverse=True)
        precision, _ = _background_precision(background, weights, patterns, None)
        scatter = torch.linalg.inv(precision.double()).to(told.dtype)[which]
    else:
        there = batch.entries()
        precision, _ = _background_precision(background, weights, batch.measured, there)
        scatter = torch.linalg.inv(precision.double()).to(told.dtype)
    return (scatter @ told[..., None])[..., 0], scatter


def _background_precision(
    background: Background, weights: Tensor, measured: Tensor, there: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the precision of b given the latents, and what of it is doubt of the loadings.

    Both of shape (n_samples, n_background, n_background). ``there`` says which entries are, if
    measured samples lack some.
    """
    B, n_background = background.loadings, background.n_background
    if there is None:
        shares = measured.to(B.dtype)
        known = shares @ background.grams(weights).flatten(1)
    else:
        views = torch.split(there, list(background.sizes), dim=1)
        counts = torch.split(weights, list(background.sizes))
        of_views = [
            (part.to(B.dtype) * count).sum(dim=1) / count.sum()
            for part, count in zip(views, counts, strict=True)
        ]
        shares = torch.stack(of_views, dim=1)
        known = B.new_zeros(len(shares), n_background**2)
        weighted = B * (weights * background.precision)[:, None]
        most = max(1, _MOST_PRODUCTS // max(1, n_background**2))
        for rows in torch.split(torch.arange(len(B)), most):
            products = weighted[rows, :, None] * B[rows, None, :]
            known += there[:, rows].to(B.dtype) @ products.flatten(1)
    doubt = torch.einsum("nv,vab->nab", shares, background.uncertainty)
    unit = torch.eye(n_background, dtype=B.dtype, device=B.device)
    return known.view(doubt.shape) + doubt + unit, doubt


def _additive(model: POEMS) -> Tensor | None:
    """Which features, of all views, are of additive likelihoods; ``None`` if all are."""
    parts = [
        torch.full((size,), model.likelihood(i).additive)
        for i, size in enumerate(model.background.sizes)
    ]
    found = torch.cat(parts)
    return None if bool(found.all()) else found


class _Problem:
    """The samples' log density, its slope and its curvature."""

    def __init__(self, model: POEMS, batch: Batch) -> None:
        self.model, self.background = model, model.background
        self.sizes, self.there = list(batch.n_features.values()), batch.entries()
        # What was not measured may be no number at all.
        self.x = batch.joined_targets().masked_fill(~self.there, 0.0)
        self._shifted = batch.shifted
        # Which entries the background adds to; None for all.
        self._additive = _additive(model)
        self._weights = model.feature_weights
        # What an entry says of z and b; what it is predicted with stays its own.
        self._precision = self._weights * self.background.precision
        self._of_background, self._doubt = _background_precision(
            self.background,
            self._weights,
            batch.measured,
            None if batch.observed_jointly() is None else self.there,
        )

    def _parts(self, point: Tensor) -> tuple[Tensor, Tensor]:
        return point[:, : self.model.n_latent], point[:, self.model.n_latent :]

    def value(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log density of each sample, up to a constant, and the predictions.

        A point is z and b, of shape (n_samples, n_latent + n_background).
        """
        z, b = self._parts(point)
        eta = self._shifted(self.model.decode_jointly(z))
        log_prob = self.model.prior.log_prob(z)
        if not self.background.n_background:
            parts = self._by_view(lambda likelihood, x, own: likelihood.log_prob(x, own), eta)
            return log_prob + (parts * self._weights).sum(dim=1), eta
        eta = eta + self.background.predict(b)
        squares = (self.x - eta).square().mul_(self._precision) * self.there
        if self._additive is not None:
            parts = self._by_view(
                lambda likelihood, x, own: likelihood.log_prob(x, own), eta, others=True
            )
            log_prob = log_prob + (parts * self._weights).sum(dim=1)
            squares = squares.where(self._additive, 0.0)
        doubt = torch.einsum("na,nab,nb->n", b, self._doubt, b)
        return log_prob - 0.5 * (b.square().sum(dim=1) + doubt + squares.sum(dim=1)), eta

    def _by_view(
        self,
        compute: Callable[[Likelihood, Tensor, Tensor], Tensor],
        eta: Tensor,
        *,
        others: bool = False,
    ) -> Tensor:
        """Compute something of every entry by its view's likelihood, zero where not measured.

        ``others``: of views alone that a background does not add to, zero in the rest.
        """
        parts = [
            torch.zeros_like(x)
            if others and self.model.likelihood(i).additive
            else compute(self.model.likelihood(i), x, own)
            for i, (x, own) in enumerate(
                zip(
                    torch.split(self.x, self.sizes, dim=1),
                    torch.split(eta, self.sizes, dim=1),
                    strict=True,
                )
            )
        ]
        return torch.cat(parts, dim=1).masked_fill(~self.there, 0.0)

    def _score(self, eta: Tensor) -> Tensor:
        if self.background.n_background:
            slope = (self.x - eta).mul_(self._precision).masked_fill_(~self.there, 0.0)
            if self._additive is None:
                return slope
            own = self._by_view(lambda each, x, at: each.score(x, at), eta, others=True)
            return torch.where(self._additive, slope, own * self._weights)
        scores = self._by_view(lambda likelihood, x, own: likelihood.score(x, own), eta)
        return scores * self._weights

    def _information(self, eta: Tensor) -> Tensor:
        if self.background.n_background:
            known = self._precision * self.there
            if self._additive is None:
                return known
            own = self._by_view(lambda each, _, at: each.information(at), eta, others=True)
            return torch.where(self._additive, known, own * self._weights)
        told = self._by_view(lambda likelihood, _, own: likelihood.information(own), eta)
        return told * self._weights

    def step(self, point: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the step of Fisher scoring and by how much it promises to gain, in nats."""
        precision, slope, _ = self._normal_equations(*self._parts(point), eta)
        step = torch.linalg.solve(precision, slope)
        return step.to(point.dtype), 0.5 * (step * slope).sum(dim=1)

    def posterior(self, point: Tensor, eta: Tensor, settled: Tensor) -> Inferred:
        """Return the Gaussian about the mode."""
        z, b = self._parts(point)
        precision, _, told = self._normal_equations(z, b, eta)
        covariance = torch.linalg.inv(precision).to(z.dtype)
        n_latent = z.shape[1]
        return Inferred(
            loc=z,
            variance=covariance.diagonal(dim1=1, dim2=2)[:, :n_latent],
            background=b,
            scatter=covariance[:, n_latent:, n_latent:],
            # A sample of which no view tells anything has shares of 0.
            shares=told / told.sum(dim=1, keepdim=True).clamp_min(1e-12),
            settled=settled,
        )

    def _normal_equations(self, z: Tensor, b: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return precision, slope and what each view adds to the precision's trace.

        In double precision; of the latents first, then of the background.
        """
        n_samples, n_latent = z.shape
        width = n_latent + self.background.n_background
        score, information = self._score(eta), self._information(eta)
        precision = z.new_zeros(n_samples, width, width)
        slope = z.new_zeros(n_samples, width)
        told = []
        blocks = (torch.split(x, self.sizes, dim=1) for x in (score, information))
        dense = torch.split(self.background.loadings, self.sizes)
        for i, (of_view, known) in enumerate(zip(*blocks, strict=True)):
            driven, slopes = self.model.decoder(i).slopes(z)
            weighted = slopes * known[:, driven, None]
            own = slopes.mT @ weighted
            told.append(own.diagonal(dim1=1, dim2=2).sum(dim=1))
            precision[:, :n_latent, :n_latent] += own
            precision[:, :n_latent, n_latent:] += weighted.mT @ dense[i][driven]
            slope[:, :n_latent] += (of_view[:, None, driven] @ slopes)[:, 0]
        loc, of_prior = self.model.prior.quadratic(z)
        slope[:, :n_latent] += of_prior * (loc - z)
        precision.diagonal(dim1=1, dim2=2)[:, :n_latent] += of_prior
        precision[:, n_latent:, :n_latent] = precision[:, :n_latent, n_latent:].mT
        precision[:, n_latent:, n_latent:] = self._of_background
        slope[:, n_latent:] = score @ self.background.loadings - b
        slope[:, n_latent:] -= torch.einsum("nab,nb->na", self._doubt, b)
        return precision.double(), slope.double(), torch.stack(told, dim=1)
