"""How much of each view's variance every factor explains: by leaving it out of the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from poems.data import MultiOmics
from poems.findings import Finding
from poems.fitting.projection import Inferred, inferred
from poems.nn.likelihoods.levels import fitted_level
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.nn.model import POEMS
from poems.notebook import Shown
from poems.scaling.batch import CHUNK_ROWS, Batch
from poems.scaling.disk.subset import random_rows

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

# In place of a factor's name: all of them together.
ALL: Final = "all"


@dataclass(frozen=True, eq=False, repr=False)
class VarianceExplained(Shown):
    """Shares of the variance of each view that factors explain on some samples.

    Parameters
    ----------
    table
        One row per factor and view, and a row per view in which ``factor`` is
        ``"all"``: columns ``factor``, ``view``, ``r2`` (``NaN`` where the view
        was not measured) and ``n_samples``, on which the view was measured.
    n_trained_on
        How many of the samples bear the name of a training sample.
    n_samples
        How many samples there are.
    findings
        What was absent or unknown in the cohort.
    """

    table: pd.DataFrame
    n_trained_on: int
    n_samples: int
    findings: tuple[Finding, ...] = ()

    @property
    def samples(self) -> str:
        """Which samples these are, in words."""
        if self.n_trained_on == 0:
            return "held-out samples"
        if self.n_trained_on == self.n_samples:
            return "training samples"
        return f"{self.n_samples} samples, {self.n_trained_on} of them trained on"

    def wide(self) -> pd.DataFrame:
        """Return R squared by factor (rows, ``"all"`` the last) and view (columns)."""
        wide = self.table.pivot(index="factor", columns="view", values="r2")
        return wide.reindex(
            index=self.table["factor"].unique(), columns=self.table["view"].unique()
        )


@torch.no_grad()
def variance_explained(
    model: FittedPoems,
    cohort: MultiOmics | Mapping[str, Any],
    *,
    samples: Inferred | None = None,
) -> VarianceExplained:
    """Compute how much of each view every factor explains, and all of them together.

    With eta the predictions from the posterior means of the samples, and
    eta_-k those with z_k set to its mean over the training samples,

        R²(k) = (sum (x - eta_-k)² - sum (x - eta)²) / sum (x - mean)²,
        R²(all) = 1 - sum (x - eta)² / sum (x - mean)²,

    sums over the measured entries of a view on the model's scale, means those
    of the training samples. It is what is lost without the factor: what two
    factors both tell is counted for neither, and an effect that needs both for both,
    so the R² of the factors need not add up to that of all. On samples that the
    model has not seen they may be negative.

    Of a view on its own scale it is the share of deviance, and the level of each feature
    without the factor is the likeliest one for these samples (for 2,048 of them, drawn at random,
    where there are more): a factor moves the mean of a count through its exponential, and the
    level that goes with it fits no model that lacks it.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        The training cohort, which a model does not keep, or other samples, in
        memory or on disk, as for :meth:`FittedPoems.transform`.
    samples
        The samples as inferred before, where they were; inferred anew by default.

    Raises
    ------
    DataError
        If no view or no feature is known, or a sample has nothing measured.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=80, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort.take(range(60)), seed=0, epochs=30, progress=False)
    >>> variance_explained(model, cohort.take(range(60))).samples
    'training samples'
    >>> found = variance_explained(model, cohort.take(range(60, 80)))
    >>> found.samples, found.wide().index[-1]
    ('held-out samples', 'all')
    """
    found = inferred(model, cohort) if samples is None else samples
    given = found.cohort
    names, dimensions = model.view_names, [int(k) for k in model.active]
    centre = model.sample_estimates.loc.mean(dim=0)
    sums = {name: _Sums(np.zeros(len(dimensions))) for name in names}
    levels = _levels(model, found, dimensions, centre)
    for chunk, estimates in found.parts():
        z = estimates.loc
        for i, name in enumerate(names):
            rows = chunk.measured[:, i]
            if rows.any():
                mask = chunk.observed[name]
                x = chunk.values[name][rows]
                observed = None if mask is None else mask[rows]
                if name in chunk.targets:
                    lost = _Deviance(model.module, i, chunk, rows)
                    sums[name].add_deviance(lost, observed, z[rows], levels[name])
                    continue
                fill = torch.tensor(model.preprocessing.views[name].fill, dtype=torch.float32)
                decoder = model.module.decoder(i)
                sums[name].add(x, observed, z[rows], fill, decoder, dimensions, centre)
    records = [
        {"factor": factor, "view": name, "r2": sums[name].lost(at), "n_samples": sums[name].n}
        for at, factor in enumerate(model.factor_names)
        for name in names
    ]
    records += [
        {"factor": ALL, "view": name, "r2": sums[name].share(), "n_samples": sums[name].n}
        for name in names
    ]
    return VarianceExplained(
        table=pd.DataFrame(records),
        n_trained_on=int(given.samples.isin(model.samples).sum()),
        n_samples=given.n_samples,
        findings=(*given.findings, *found.findings),
    )


@dataclass(frozen=True, eq=False)
class _Without:
    """A view's predictions without a factor: its latent at ``value``, features moved by ``level``.

    ``level``: (n_features,), 0 for features that the factor does not drive. ``None`` of a factor
    that drives none.
    """

    dimension: int
    value: Tensor
    level: Tensor | None

    def latents(self, z: Tensor) -> Tensor:
        """Latents (n_rows, n_latent) without the factor."""
        without = z.clone()
        without[:, self.dimension] = self.value
        return without


def _levels(
    model: FittedPoems, found: Inferred, dimensions: list[int], centre: Tensor
) -> dict[str, list[_Without]]:
    """Fit the levels of features without each factor, of every view on its own scale."""
    data, module = found.data, model.module
    names = [
        name
        for i, name in enumerate(model.view_names)
        if isinstance(module.likelihood(i), OwnScaleLikelihood)
    ]
    if not names:
        return {}
    some = random_rows(len(data), CHUNK_ROWS, model.seed)
    batch = data.take(some) if isinstance(data, Batch) else data.take(some).load()
    z = found.estimates.loc[some]
    levels = {}
    for name in names:
        view = model.view_names.index(name)
        rows = batch.measured[:, view]
        mask = batch.observed[name]
        lost = _Deviance(module, view, batch, rows)
        levels[name] = [
            lost.without(k, centre[k], z[rows], None if mask is None else mask[rows])
            for k in dimensions
        ]
    return levels


class _Deviance:
    """What some samples of a view lose against their best prediction, entry by entry."""

    def __init__(self, module: POEMS, view: int, chunk: Batch, rows: Tensor) -> None:
        likelihood = module.likelihood(view)
        assert isinstance(likelihood, OwnScaleLikelihood)
        self._decoder, self._likelihood = module.decoder(view), likelihood
        self._x = chunk.targets[module.views[view]][rows]
        none = self._x.new_zeros(self._x.shape)
        self._shift = chunk.shifted_view(module.views[view], none, rows)

    def of(self, z: Tensor, level: Tensor | float = 0.0) -> Tensor:
        """Return the deviance at latents (n_rows, n_latent), with eta moved by (n_features,)."""
        return self._likelihood.deviance(self._x, self._decoder(z) + self._shift + level)

    def without(
        self, dimension: int, value: Tensor, z: Tensor, observed: Tensor | None
    ) -> _Without:
        """Fit the levels of the features that a factor drives, at latents without it."""
        driven = self._decoder.driven_by(dimension)
        without = _Without(dimension, value, None)
        if not len(driven):
            return without
        eta = self._decoder(without.latents(z)) + self._shift
        level = torch.zeros_like(self._likelihood.null)
        level[driven] = fitted_level(self._likelihood, self._x, eta, observed)[driven]
        return replace(without, level=level)

    def without_factors(self) -> Tensor:
        """Return the deviance of a model without factors."""
        return self._likelihood.deviance(self._x, self._likelihood.null + self._shift)


@dataclass(eq=False)
class _Sums:
    """Running sums of squares of one view: without each factor (more), residual, in all."""

    more: np.ndarray[Any, np.dtype[np.float64]]
    residual: float = 0.0
    total: float = 0.0
    size: float = 0.0
    n: int = 0

    def add(
        self,
        x: Tensor,
        observed: Tensor | None,
        z: Tensor,
        mean: Tensor,
        decoder: Any,
        dimensions: list[int],
        centre: Tensor,
    ) -> None:
        """Count some samples in."""
        there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
        squares = torch.where(there, x - decoder(z), 0.0).double().square()
        self.residual += float(squares.sum())
        self.total += float(torch.where(there, x - mean, 0.0).double().square().sum())
        self.size += float(torch.where(there, x, 0.0).double().square().sum())
        self.n += len(x)
        by_feature = squares.sum(dim=0)
        for at, dimension in enumerate(dimensions):
            # Only the predictions of the features that the factor drives change.
            features = decoder.driven_by(dimension)
            if len(features):
                without = z.clone()
                without[:, dimension] = centre[dimension]
                rest = x[:, features] - decoder.some(without, features)
                left = torch.where(there[:, features], rest, 0.0).double().square().sum()
                self.more[at] += float(left - by_feature[features].sum())

    def add_deviance(
        self, lost: _Deviance, observed: Tensor | None, z: Tensor, without: list[_Without]
    ) -> None:
        """Count some samples in whose values are on their own scale: deviances for squares."""

        def total(deviance: Tensor) -> float:
            there = deviance if observed is None else deviance.where(observed, 0.0)
            return float(there.double().sum())

        own = total(lost.of(z))
        self.residual += own
        null = total(lost.without_factors())
        self.total, self.size, self.n = self.total + null, self.size + null, self.n + len(z)
        for at, each in enumerate(without):
            if each.level is not None:
                self.more[at] += total(lost.of(each.latents(z), each.level)) - own

    def lost(self, at: int) -> float:
        """Share of the variance that is not explained without a factor."""
        return float(self.more[at]) / self.total if self._varies else np.nan

    def share(self) -> float:
        """Share of the variance that all factors explain."""
        return 1.0 - self.residual / self.total if self._varies else np.nan

    @property
    def _varies(self) -> bool:
        # Values that are all alike have no variance to explain, but for rounding.
        return self.total > 1e-9 * self.size
