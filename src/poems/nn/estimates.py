"""Estimates: the arrays that a trained model yields for a batch of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from poems.nn.compared import ValueSums, compare_view, compared, shares_of_values
from poems.nn.inference import infer
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch, SampleSource
from poems.scaling.disk.subset import MOST_SAMPLES, random_rows


@dataclass(frozen=True, eq=False)
class SampleEstimates:
    """What the model says of each sample.

    ``loc`` and ``variance``: (n_samples, n_latent); ``gates``: (n_samples,
    n_views); ``components``: (n_samples, n_components) or ``None``. Of exact posteriors
    also ``background``, the scores of the background factors: (n_samples, n_background);
    ``shares`` of the views in the precision of the latents: (n_samples, n_views); and
    ``unsettled``, the number of samples whose posterior was still moving. ``log_sizes`` of the
    samples in each view: (n_samples, n_views), or ``None`` where no view has any.
    """

    loc: Tensor
    variance: Tensor
    gates: Tensor
    components: Tensor | None
    background: Tensor | None = None
    shares: Tensor | None = None
    unsettled: int = 0
    log_sizes: Tensor | None = None

    def rows(self, rows: slice | Tensor) -> SampleEstimates:
        """Return the estimates of some samples; how many are unsettled is known of all alone."""
        own: dict[str, Any] = {
            each.name: value[rows]
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), Tensor)
        }
        return replace(self, **own)


@dataclass(frozen=True, eq=False)
class FeatureEstimates:
    """What the model says of each feature, averaged over the training samples.

    ``slope``: E d eta_j / d z_k and ``size``: E |d eta_j / d z_k|, view name to
    (n_features, n_latent); ``gram``: sum over views of E J^T J / n_features,
    of shape (n_latent, n_latent); ``r2``: view name to the share of the
    measured entries' variance that the decoder explains; ``total``: the same with
    the background, empty where there is none; ``values``: of views on their own scale, whose
    ``r2`` is a share of deviance, that of the values' variance; ``score``: what
    :func:`poems.nn.loading_scores.score_loadings` computes, empty where it was not asked.
    """

    slope: Mapping[str, Tensor]
    size: Mapping[str, Tensor]
    gram: Tensor
    r2: Mapping[str, float]
    total: Mapping[str, float] = field(default_factory=dict)
    score: Mapping[str, Tensor] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def driven(self) -> Tensor:
        """Which latent dimensions drive a feature of any view: booleans of shape (n_latent,)."""
        return torch.stack([(size != 0).any(dim=0) for size in self.size.values()]).any(dim=0)


@torch.no_grad()
def estimate_samples(model: POEMS, data: SampleSource) -> SampleEstimates:
    """Compute latents, gates and component probabilities, dropout off.

    Latents by the model's way of inference; gates are what the encoders' answers get.
    """
    model.eval()
    parts = [_estimate(model, part) for part in data.chunks()]

    def together(name: str) -> Tensor | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else torch.cat(found)

    loc, variance, gates = (torch.cat([getattr(p, n) for p in parts]) for n in _ALWAYS)
    return SampleEstimates(
        loc,
        variance,
        gates,
        components=together("components"),
        background=together("background"),
        shares=together("shares"),
        unsettled=sum(part.unsettled for part in parts),
        log_sizes=together("log_sizes"),
    )


_ALWAYS = ("loc", "variance", "gates")


def _estimate(model: POEMS, part: Batch) -> SampleEstimates:
    encoded = model.encode(part)
    loc, variance = encoded.posterior.mean, encoded.posterior.variance
    if model.inference == "amortised":
        components = model.prior.component_probabilities(loc)
        return SampleEstimates(loc, variance, encoded.gates, components, log_sizes=_log_sizes(part))
    found = infer(model, part, start=loc)
    return SampleEstimates(
        found.loc,
        found.variance,
        encoded.gates,
        model.prior.component_probabilities(found.loc),
        background=found.background,
        shares=found.shares,
        unsettled=int((~found.settled).sum()),
        log_sizes=_log_sizes(part),
    )


def _log_sizes(part: Batch) -> Tensor | None:
    if not part.log_sizes:
        return None
    none = part.measured.new_zeros(len(part), dtype=torch.float32)
    return torch.stack([part.log_sizes.get(name, none) for name in part.values], dim=1)


@torch.no_grad()
def estimate_features(model: POEMS, batch: Batch, loc: Tensor) -> FeatureEstimates:
    """Compute slopes, their Gram matrix, and R squared at the posterior means ``loc``."""
    model.eval()
    slope, size, r2 = {}, {}, {}
    gram = loc.new_zeros(loc.shape[1], loc.shape[1])
    for i, name in enumerate(model.views):
        rows = batch.measured[:, i]
        slope[name], size[name], view_gram = model.decoder(i).jacobian(loc)
        gram += view_gram * _in_common_units(model, i) / slope[name].shape[0]
        observed = batch.observed[name]
        x, predicted, about = compare_view(model, i, batch, rows, model.decoder(i)(loc[rows]))
        r2[name] = explained_share(
            x, predicted, None if observed is None else observed[rows], about
        )
    values = shares_of_values(model, batch, loc)
    return FeatureEstimates(slope, size, gram, r2, values=values)


@torch.no_grad()
def estimate_backed_features(
    model: POEMS, data: SampleSource, loc: Tensor, seed: int
) -> FeatureEstimates:
    """Compute what :func:`estimate_features` does, in one pass over samples on disk.

    Derivatives are averaged over a random subset of at most 10,000 samples; R
    squared is over all of them.

    Parameters
    ----------
    model
        The trained model.
    data
        All samples.
    loc
        Their posterior means, of shape (n_samples, n_latent).
    seed
        Of the subset.
    """
    model.eval()
    slope, size = {}, {}
    gram = loc.new_zeros(loc.shape[1], loc.shape[1])
    some = loc[random_rows(len(loc), MOST_SAMPLES, seed)]
    for i, name in enumerate(model.views):
        slope[name], size[name], view_gram = model.decoder(i).jacobian(some)
        gram += view_gram * _in_common_units(model, i) / slope[name].shape[0]
    values = ValueSums()
    shares = backed_shares(model, data, loc, values=values)
    return FeatureEstimates(slope, size, gram, shares, values=values.shares())


def _in_common_units(model: POEMS, view: int) -> float:
    """What squares of effects on eta are multiplied by, to be those on standardised values.

    1 for continuous views; for others the mean information of a value about eta.
    """
    likelihood = model.likelihood(view)
    if not isinstance(likelihood, OwnScaleLikelihood):
        return 1.0
    return float(likelihood.effect_of_residuals().square().reciprocal().mean())


@torch.no_grad()
def explained_in_all(
    model: POEMS, data: SampleSource, samples: SampleEstimates
) -> dict[str, float]:
    """Compute R squared of each view by factors and background; empty without a background."""
    if samples.background is None or not samples.background.shape[1]:
        return {}
    sums = {name: _Sums.zero(width) for name, width in data.n_features.items()}
    about: Mapping[str, Tensor] = {}
    first = 0
    for chunk in data.chunks():
        rows = slice(first, first + len(chunk))
        first += len(chunk)
        found = compared(model, chunk, samples.loc[rows], samples.background[rows])
        for i, (name, eta) in enumerate(found.predicted.items()):
            there = chunk.measured[:, i]
            if there.any():
                observed = chunk.observed[name]
                mask = None if observed is None else observed[there]
                sums[name].add(found.batch.values[name][there], eta[there], mask)
        about = found.means
    return {name: each.share(about.get(name)) for name, each in sums.items()}


@torch.no_grad()
def backed_shares(
    model: POEMS,
    data: SampleSource,
    loc: Tensor,
    means: Mapping[str, Tensor] | None = None,
    values: ValueSums | None = None,
) -> dict[str, float]:
    """Compute R squared of each view in one pass; about ``means``, if given (n_features,) each.

    Of views on their own scale the share of deviance; ``values`` is told of them.
    """
    sums = {name: _Sums.zero(width) for name, width in data.n_features.items()}
    about = dict(means or {})
    first = 0
    for chunk in data.chunks():
        z = loc[first : first + len(chunk)]
        first += len(chunk)
        for i, name in enumerate(model.views):
            rows = chunk.measured[:, i]
            if rows.any():
                observed = chunk.observed[name]
                mask = None if observed is None else observed[rows]
                eta = model.decoder(i)(z[rows])
                if values is not None:
                    values.add(model, i, chunk, rows, eta)
                x, predicted, zero = compare_view(model, i, chunk, rows, eta)
                sums[name].add(x, predicted, mask)
                if zero is not None:
                    about[name] = zero
    return {name: each.share(about.get(name)) for name, each in sums.items()}


@dataclass(eq=False)
class _Sums:
    """Running sums from which :func:`explained_share` follows; double precision."""

    n: Tensor
    total: Tensor
    squares: Tensor
    residual: float

    @classmethod
    def zero(cls, n_features: int) -> _Sums:
        zeros = torch.zeros(3, n_features, dtype=torch.float64)
        return cls(zeros[0], zeros[1], zeros[2], 0.0)

    def add(self, x: Tensor, predicted: Tensor, observed: Tensor | None) -> None:
        """Count some samples in."""
        if observed is None:
            self.n += len(x)
        else:
            self.n += observed.sum(dim=0)
            x, predicted = torch.where(observed, x, 0.0), torch.where(observed, predicted, 0.0)
        # Sums over some thousand samples lose nothing that matters in single precision.
        self.total += x.sum(dim=0).double()
        self.squares += x.square().sum(dim=0).double()
        self.residual += float((x - predicted).square().sum(dim=1).double().sum())

    def share(self, mean: Tensor | None) -> float:
        """The share of the variance about each feature's mean, or a given one."""
        # Of a feature never seen all sums are 0, whatever they are divided by.
        about = self.total / self.n.clamp_min(1) if mean is None else mean.double()
        total = float((self.squares - 2 * about * self.total + self.n * about.square()).sum())
        return 1.0 - self.residual / total if total > 1e-9 * float(self.squares.sum()) else 0.0


def explained_share(
    x: Tensor, predicted: Tensor, observed: Tensor | None, mean: Tensor | None = None
) -> float:
    """Compute 1 - (residual sum of squares) / (sum of squares about each feature's mean).

    Sums run over the observed entries of all features together; x and
    predicted: (n_samples, n_features). The means are those of x, or the given
    ones, of shape (n_features,): for held-out samples those of the training samples.

    >>> explained_share(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]), None)
    1.0
    """
    there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
    if mean is None:
        # Of a feature never seen nothing enters the sums below.
        mean = torch.where(there, x, 0.0).sum(dim=0) / there.sum(dim=0).clamp_min(1)
    residual = torch.where(there, x - predicted, 0.0).double().square().sum()
    total = torch.where(there, x - mean, 0.0).double().square().sum()
    # Values that are all alike have no variance to explain, but for rounding.
    least = 1e-9 * float(torch.where(there, x, 0.0).double().square().sum())
    return float(1.0 - residual / total) if total > least else 0.0
