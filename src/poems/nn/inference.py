"""Exact posteriors: what the measured entries of a sample say of its latents through the decoders.

The encoder proposes, the decoders decide. From the encoder's answer

    log p(z) - |b|^2 / 2 + sum_j w_j log p(x_j | eta_j(z) + offset_j + C_j . z + B_j . b),

the sum over the measured entries, w_j how much a feature counts, is raised by Fisher scoring, which
is Gauss-Newton where noise is Gaussian: each view's expert is its likelihood linearised where the
sample is, of precision J' I J with J the slopes of eta and I the weighted information of an entry,
multiplied with the other experts and with the prior. To eta the logarithm of a sample's size is
added, where it has any. Steps are shortened until nothing is lost. Weak effects C of the factors
and background factors b (see :class:`poems.nn.background.Background`) are linear: given z the
posterior of b is a Gaussian in closed form, so that steps are of z alone, with b at its best or
averaged over, which is the same. Background factors of views that are not Gaussian have no say
(:mod:`poems.nn.link_scores`). The covariance is the inverse of the product's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background_scores import Knowledge
from poems.nn.inferred import Inferred
from poems.nn.likelihoods import Likelihood
from poems.nn.link_scores import own_background, with_link_scores
from poems.nn.model import POEMS
from poems.nn.moments import Moments
from poems.nn.slopes import Pairs, Slopes
from poems.scaling.batch import Batch

# Steps at most; a sample has arrived if a step promises less than the one gain, in nats, or if no
# length of it gains more than the other.
_STEPS, _ENOUGH, _NOTHING = 20, 1e-4, 1e-5
# Samples that have arrived are put aside once they are this share of those at work.
_ASIDE = 0.25
# A step is tried at full length and this many times at a quarter of the length before.
_SHORTER = 5
# Numbers that slopes of some samples may take. Of so many features that samples would be few, the
# loadings that are not zero are counted, for vectors of the decoders' kernel are to be whole.
_MOST_SLOPES = 1 << 24
_FEWEST = 32
# Features of which a log density's last digit is more than what is enough.
_WIDE = 1 << 15


@torch.no_grad()
def infer(
    model: POEMS,
    batch: Batch,
    start: Tensor | None = None,
    *,
    steps: int = _STEPS,
    covariance: bool = False,
    moments: bool = False,
) -> Inferred:
    """Find the posterior of each sample.

    Parameters
    ----------
    model
        The trained model, in evaluation mode.
    batch
        Samples on the model's scale.
    start
        Latents to begin at, of shape (n_samples, n_latent); the encoders' answer by default.
    steps
        Steps at most. Samples that have arrived by then rest.
    covariance
        Whether the covariances of each sample are wanted.
    moments
        Whether their sums over the samples are.

    Examples
    --------
    >>> from poems.settings.schema import Settings
    >>> model = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2)).eval()
    >>> batch = Batch({"a": torch.randn(3, 5)}, {"a": None}, torch.ones(3, 1).bool())
    >>> infer(model, batch).loc.shape
    torch.Size([3, 2])
    """
    wanted = covariance, moments
    z = model.encode(batch).posterior.mean if start is None else start
    return Inferred.together(
        with_link_scores(model, part, _infer(_Problem(model, part), own, steps, wanted))
        for part, own in _blocks(model, batch, z)
    )


def _blocks(model: POEMS, batch: Batch, z: Tensor) -> Iterator[tuple[Batch, Tensor]]:
    """Some samples at a time, as many as have slopes that fit into memory."""
    n_features = sum(batch.n_features.values())
    most = max(1, _MOST_SLOPES // (n_features * model.n_latent))
    sparse = model.sparse_decoders()
    if most < _FEWEST and len(sparse) == len(model.views):
        there = sum(int(torch.count_nonzero(decoder.loadings)) for _, decoder in sparse)
        most = max(most, min(_FEWEST, _MOST_SLOPES // max(n_features, there)))
    if len(batch) <= most:
        yield batch, z
        return
    for rows in torch.split(torch.arange(len(batch)), most):
        yield batch.take(rows), z[rows]


@dataclass(frozen=True, eq=False)
class _Point:
    """Where samples are, z, and what follows: log density, b, and what is ``left``.

    That is the entries of views that the background adds to, less all but the background factors'
    part, and zero in the others. ``eta``: what the decoders predict, with the logarithm of samples'
    sizes; ``pull`` of what is dense on z, (n_samples, n_latent).
    """

    z: Tensor
    value: Tensor
    b: Tensor
    left: Tensor
    eta: Tensor
    pull: Tensor

    def take(self, rows: Tensor) -> _Point:
        return _Point(*(part[rows] for part in self._parts()))

    def put(self, rows: Tensor, other: _Point) -> None:
        for mine, theirs in zip(self._parts(), other._parts(), strict=True):
            mine[rows] = theirs

    def copy(self) -> _Point:
        return _Point(*(part.clone() for part in self._parts()))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.z, self.value, self.b, self.left, self.eta, self.pull


def _infer(problem: _Problem, start: Tensor, steps: int, wanted: tuple[bool, bool]) -> Inferred:
    model = problem.model
    # Of latents that drive nothing the prior alone speaks.
    z = start.where(model.driving(), model.prior.quadratic(start)[0])
    settled = torch.zeros(len(z), dtype=torch.bool)
    # Of the samples at work: who they are, what of the problem is theirs, and where they are.
    rows, own, at = torch.arange(len(z)), problem, problem.at(z)
    final = at.copy()
    for _ in range(steps):
        direction, promised = own.step(at)
        if at.eta.shape[1] > _WIDE:
            # What the digits of the log density do not show is not sought.
            settled[rows] |= promised <= torch.finfo(at.value.dtype).eps * at.value.abs()
        # Who has arrived stays, so that what is found of a sample is not up to its company.
        direction[settled[rows]] = 0.0
        at, gain = _search(own, at, direction)
        # A step that promises much and gains nothing, however short, stands at a kink of relu.
        arrived = ~((promised > _ENOUGH) & (gain > _NOTHING))
        settled[rows] = arrived
        if arrived.all():
            break
        if arrived.float().mean() >= _ASIDE:
            final.put(rows, at)
            left = (~arrived).nonzero()[:, 0]
            rows, own, at = rows[left], own.take(left), at.take(left)
    final.put(rows, at)
    return problem.posterior(final, settled, *wanted)


def _search(problem: _Problem, start: _Point, direction: Tensor) -> tuple[_Point, Tensor]:
    """Go as far as pays; return where that is, and by how much it gained."""
    # Most often all samples gain by the whole step, and nothing is copied.
    found = problem.at(start.z + direction)
    # What is no number is no gain.
    worse = ~(found.value >= start.value)
    if not worse.any():
        return found, found.value - start.value
    waiting, length = worse.nonzero()[:, 0], 0.25
    found.put(waiting, start.take(waiting))
    for _ in range(_SHORTER):
        tried = problem.take(waiting).at(start.z[waiting] + length * direction[waiting])
        better = tried.value >= start.value[waiting]
        found.put(waiting[better], tried.take(better.nonzero()[:, 0]))
        waiting = waiting[~better]
        if not len(waiting):
            break
        length /= 4.0
    return found, found.value - start.value


class _Problem:
    """The samples' log density, its slope and its curvature."""

    def __init__(self, model: POEMS, batch: Batch) -> None:
        self.model = model
        self.used = model.solved_for()
        self.background = own_background(model).of_latents(self.used)
        self.sizes = list(batch.n_features.values())
        self.measured = batch.measured
        self.there = batch.entries()
        # What was not measured may be no number at all.
        self._complete = bool(self.there.all())
        self.x = batch.joined_targets()
        if not self._complete:
            self.x = self.x.masked_fill(~self.there, 0.0)
        self._shifts = batch.shifts
        # Which views the background adds to, and which of their features; the others' likelihoods
        # speak for themselves.
        self._with_dense = [
            bool(self.background.n_background) and model.likelihood(i).additive
            for i in range(len(self.sizes))
        ]
        self._dense = torch.tensor(self._with_dense).repeat_interleave(torch.tensor(self.sizes))
        self._weights = model.feature_weights
        # What an entry says of z and b; what it is predicted with stays its own.
        self._precision = self._weights * self.background.precision.where(self._dense, 0.0)
        self.knowledge = Knowledge.of(self.background, self._weights, batch)
        self.pairs: dict[int, Pairs] = {}
        self._told = self.background.joint * self._precision[:, None]

    def take(self, rows: Tensor) -> _Problem:
        """Return the same of some samples."""
        if len(rows) == len(self.x):
            return self
        taken = object.__new__(_Problem)
        taken.__dict__.update(self.__dict__)
        taken.x, taken.there, taken.measured = self.x[rows], self.there[rows], self.measured[rows]
        taken.knowledge = self.knowledge.take(rows)
        taken._shifts = None if self._shifts is None else self._shifts[rows]
        return taken

    def _of_used(self, of_latents: Tensor) -> Tensor:
        """Return the columns of latents that drive anything."""
        every = len(self.used) == of_latents.shape[1]
        return of_latents if every else of_latents[:, self.used]

    def at(self, z: Tensor) -> _Point:
        """Return what follows from z, (n_samples, n_latent); log densities up to a constant."""
        eta = self.model.decode_jointly(z)
        if self._shifts is not None:
            eta = eta + self._shifts
        value = self.model.prior.log_prob(z)
        own = self._by_view(lambda likelihood, x, own: likelihood.log_prob(x, own), eta)
        if own is not None:
            value = value + own.sum(dim=1)
        if not self.background.n_background:
            nothing = torch.zeros_like(eta)
            pull = z.new_zeros(len(z), len(self.used))
            return _Point(z, value, z.new_zeros(len(z), 0), nothing, eta, pull)
        own_z, background = self._of_used(z), self.background
        left = (self.x - eta).sub_(background.offset).addmm_(own_z, background.weak.T, alpha=-1.0)
        if not self._complete:
            left.masked_fill_(~self.there, 0.0)
        if own is not None:
            left = left.where(self._dense, 0.0)
        doubt = self.knowledge.along(self.knowledge.doubt, own_z)
        told = left @ self._told - doubt
        pull, told = torch.split(told, [len(self.used), self.background.n_background], dim=1)
        b = self.knowledge.solve(told[:, None])[:, 0]
        # Differences of large sums decide whether a step gains.
        squares = (left.square() @ self._precision[:, None])[:, 0].double()
        squares += (doubt[:, : len(self.used)].double() * own_z.double()).sum(dim=1)
        explained = (told.double() * b.double()).sum(dim=1)
        return _Point(z, value - 0.5 * (squares - explained).to(z.dtype), b, left, eta, pull)

    def _by_view(
        self, compute: Callable[[Likelihood, Tensor, Tensor], Tensor], eta: Tensor
    ) -> Tensor | None:
        """Compute something of every entry by its view's likelihood, as much as it counts.

        Zero where not measured, and in views that the background adds to; ``None`` if it adds to
        all.
        """
        if all(self._with_dense):
            return None
        of_views = torch.split(self.x, self.sizes, dim=1), torch.split(eta, self.sizes, dim=1)
        likelihoods = [self.model.likelihood(i) for i in range(len(self.sizes))]
        parts = [
            torch.zeros_like(own) if dense else compute(likelihood, values, own)
            for dense, likelihood, values, own in zip(
                self._with_dense, likelihoods, *of_views, strict=True
            )
        ]
        return torch.cat(parts, dim=1).masked_fill(~self.there, 0.0) * self._weights

    def _score(self, at: _Point) -> Tensor:
        slope = at.left * self._precision
        own = self._by_view(lambda likelihood, x, own: likelihood.score(x, own), at.eta)
        return slope if own is None else slope + own

    def _information(self, at: _Point) -> Tensor:
        known = self._precision * self.there
        own = self._by_view(lambda likelihood, _, own: likelihood.information(own), at.eta)
        return known if own is None else known + own

    def step(self, at: _Point) -> tuple[Tensor, Tensor]:
        """Return the step of Fisher scoring and by how much it promises to gain, in nats."""
        normal = self._normal_equations(at, slope=True, moments=False)
        step = torch.linalg.solve(normal.precision, normal.slope)
        promised = 0.5 * (step * normal.slope).sum(dim=1).to(at.z.dtype)
        if len(self.used) == at.z.shape[1]:
            return step.to(at.z.dtype), promised
        loc, of_prior = self.model.prior.quadratic(at.z)
        whole = (loc - at.z).index_fill(1, self.used, 0.0)
        promised += 0.5 * (of_prior * whole.square()).sum(dim=1)
        return whole.index_copy(1, self.used, step.to(at.z.dtype)), promised

    def posterior(self, at: _Point, settled: Tensor, covariance: bool, moments: bool) -> Inferred:
        """Return the Gaussian about the mode."""
        normal = self._normal_equations(at, slope=False, moments=moments)
        own = torch.linalg.inv(normal.precision).to(at.z.dtype)
        # How b moves with z, and what doubt of z adds to that of b.
        moves = self.knowledge.solve(normal.coupling)
        added = moves.mT @ own
        whole = None
        if covariance or moments:
            of_b = self.knowledge.each(self.knowledge.covariances) + added @ moves
            whole = torch.cat(
                [torch.cat([own, -added.mT], dim=2), torch.cat([-added, of_b], dim=2)], dim=1
            )
        told, sums = normal.told, None
        K, n_background = at.z.shape[1], self.background.n_background
        places = torch.cat([self.used, K + torch.arange(n_background)])
        if whole is not None and moments:
            sums = Moments.of(normal.slopes, whole, self.measured, self.there, self.sizes)
            sums = sums.wider(places, K + n_background)
        variance = self.model.prior.quadratic(at.z)[1].reciprocal()
        variance[:, self.used] = own.diagonal(dim1=1, dim2=2)
        if covariance and whole is not None and len(self.used) < K:
            wide = torch.diag_embed(torch.cat([variance, at.b], dim=1))
            wide[:, places[:, None], places] = whole
            whole = wide
        return Inferred(
            loc=at.z,
            variance=variance,
            background=at.b,
            # A sample of which no view tells anything has shares of 0.
            shares=told / told.sum(dim=1, keepdim=True).clamp_min(1e-12),
            settled=settled,
            measured=self.measured,
            covariance=whole if covariance else None,
            moments=sums,
        )

    def _normal_equations(self, at: _Point, *, slope: bool, moments: bool) -> _Normal:
        """Linearise the decoders where the samples are; all of them if moments are wanted."""
        z, G, K = at.z, self.background.joint, len(self.used)
        information = torch.split(self._information(at), self.sizes, dim=1)
        score = torch.split(self._score(at), self.sizes, dim=1) if slope else None
        # J' D J of the decoders' slopes, and J' D G, G the dense effects of z and b.
        sparse = z.new_zeros(len(z), K, K)
        mixed = z.new_zeros(len(z), K, G.shape[1])
        gain, told, linear = at.pull.clone(), [], []
        for i, (known, dense) in enumerate(
            zip(information, torch.split(G, self.sizes), strict=True)
        ):
            if not (moments or self.measured[:, i].any()):
                # What nobody has tells nothing.
                told.append(z.new_zeros(len(z)))
                continue
            slopes = self.model.decoder(i).packed_slopes(z)
            # Which loadings are not zero is asked once.
            if i not in self.pairs:
                self.pairs[i] = slopes.pairs.among(self.used)
            slopes = replace(slopes, pairs=self.pairs[i])
            weighted = slopes.weighted(known)
            own = slopes.gram(weighted)
            told.append(own.diagonal(dim1=1, dim2=2).sum(dim=1))
            sparse += own
            if self.background.n_background:
                both = slopes.with_loadings(weighted, dense)
                told[-1] = told[-1] + 2.0 * both.diagonal(dim1=1, dim2=2).sum(dim=1)
                mixed += both
            linear.append(slopes)
            if score is not None:
                gain += slopes.times(score[i])
        of_latents = mixed + self.knowledge.each(self.knowledge.of_latents)
        coupling = of_latents[:, :, K:]
        loc, of_prior = self.model.prior.quadratic(z)
        gain += self._of_used(of_prior * (loc - z)) - (coupling @ at.b[:, :, None])[:, :, 0]
        precision = (sparse + mixed[:, :, :K].mT + of_latents[:, :, :K]).double()
        # What the background may explain as well tells nothing of z.
        precision -= self.knowledge.solve(coupling).double() @ coupling.mT.double()
        precision.diagonal(dim1=1, dim2=2).add_(self._of_used(of_prior))
        by_views = torch.stack(told, dim=1)
        by_views = by_views + self.knowledge.each(self.knowledge.by_views).sum(dim=2)
        return _Normal(precision, gain.double(), coupling, by_views, linear)


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal equations of z, the background averaged over.

    ``precision`` (n_samples, n_used, n_used) and ``slope`` (n_samples, n_used), double;
    ``coupling`` with the background, (n_samples, n_used, n_background); what each view adds to
    the precision's trace, ``told``: (n_samples, n_views); the decoders' ``slopes``.
    """

    precision: Tensor
    slope: Tensor
    coupling: Tensor
    told: Tensor
    slopes: list[Slopes]
