"""Slopes of one view's predictions, of the loadings that are not zero alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from poems.nn.compilers import compiled_for

# Density of a view's loadings beyond which the products of all factors are made at once.
_DENSE = 0.25


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which features depend on which factors: (n_pairs,) each, one factor's after the other's."""

    features: Tensor
    factors: Tensor
    n_latent: int

    def among(self, factors: Tensor) -> Pairs:
        """Return them by the place of each factor among some, (n_some,), which hold all of them."""
        return Pairs(self.features, torch.searchsorted(factors, self.factors), len(factors))

    @cached_property
    def driven(self) -> tuple[Tensor, Tensor]:
        """The features that depend on any factor, and which of these each pair's is."""
        driven, place = torch.unique(self.features, return_inverse=True)
        return driven, place

    @cached_property
    def by_factor(self) -> list[tuple[int, slice]]:
        """The pairs of each factor that has any."""
        ends = torch.bincount(self.factors, minlength=self.n_latent).cumsum(dim=0).tolist()
        starts = [0, *ends[:-1]]
        return [(k, slice(*x)) for k, x in enumerate(zip(starts, ends, strict=True)) if x[0] < x[1]]

    @cached_property
    def by_feature(self) -> tuple[Tensor, Tensor]:
        """The pairs, one driven feature's after the other's, and where each feature's end."""
        driven, place = self.driven
        ends = torch.zeros(len(driven) + 1, dtype=torch.long)
        ends[1:] = torch.bincount(place, minlength=len(driven)).cumsum(dim=0)
        return torch.argsort(place, stable=True), ends


@dataclass(frozen=True, eq=False)
class Slopes:
    """d eta_j / d z_k of some samples, for the pairs of feature and factor that are not zero.

    ``values``: (n_pairs, n_samples).

    Examples
    --------
    >>> pairs = Pairs(torch.tensor([0, 1]), torch.tensor([0, 0]), n_latent=2)
    >>> slopes = Slopes(pairs, torch.tensor([[1.0], [2.0]]))
    >>> slopes.times(torch.tensor([[3.0, 5.0]])).tolist()
    [[13.0, 0.0]]
    >>> slopes.gram(slopes.weighted(torch.ones(1, 2))).tolist()
    [[[5.0, 0.0], [0.0, 0.0]]]
    """

    pairs: Pairs
    values: Tensor

    @classmethod
    def dense(cls, features: Tensor, slopes: Tensor) -> Slopes:
        """Make them from (n_samples, n_chosen, n_latent), for features at some positions."""
        n_samples, n_features, n_latent = slopes.shape
        factors = torch.arange(n_latent).repeat_interleave(n_features)
        pairs = Pairs(features.repeat(n_latent), factors, n_latent)
        return cls(pairs, slopes.permute(2, 1, 0).reshape(-1, n_samples))

    def weighted(self, information: Tensor) -> Tensor:
        """Return slopes times what each entry tells, (n_samples, n_features), of each pair."""
        return self.values * information.T[self.pairs.features]

    def times(self, scores: Tensor) -> Tensor:
        """Compute J' s of each sample from (n_samples, n_features): (n_samples, n_latent)."""
        products = self.values * scores.T[self.pairs.features]
        found = products.new_zeros(self.pairs.n_latent, products.shape[1])
        for k, rows in self.pairs.by_factor:
            found[k] = products[rows].sum(dim=0)
        return found.T

    def with_loadings(self, weighted: Tensor, loadings: Tensor) -> Tensor:
        """Compute J' D B of each sample, (n_samples, n_latent, n_background).

        ``weighted`` is J' D, ``loadings`` B, (n_features, n_background).
        """
        n_latent, n_samples = self.pairs.n_latent, weighted.shape[1]
        found = weighted.new_zeros(n_samples, n_latent, loadings.shape[1])
        for k, rows in self.pairs.by_factor:
            found[:, k] = weighted[rows].T @ loadings[self.pairs.features[rows]]
        return found

    def of(self, features: Tensor) -> Tensor:
        """Return those of some features, (n_samples, n_chosen, n_latent)."""
        pairs, n_samples = self.pairs, self.values.shape[1]
        last = max([int(x.max()) for x in (features, pairs.features) if len(x)], default=-1)
        place = torch.full((last + 1,), -1)
        place[features] = torch.arange(len(features))
        at = place[pairs.features]
        made = self.values.new_zeros(len(features), pairs.n_latent, n_samples)
        made[at[at >= 0], pairs.factors[at >= 0]] = self.values[at >= 0]
        return made.permute(2, 0, 1)

    def only(self, there: Tensor) -> Slopes:
        """Return them with zeros for entries that are not there, (n_samples, n_features)."""
        return replace(self, values=self.values * there.T[self.pairs.features])

    def with_covariance(self, covariance: Tensor, n_features: int) -> Tensor:
        """Sum J Cov over the samples: (n_features, width).

        ``covariance``: (n_samples, n_latent, width), of z with anything.
        """
        found = self.values.new_zeros(n_features, covariance.shape[2])
        for k, rows in self.pairs.by_factor:
            found.index_add_(0, self.pairs.features[rows], self.values[rows] @ covariance[:, k])
        return found

    def spread(self, covariance: Tensor, n_features: int) -> Tensor:
        """Sum the diagonal of J Cov J' over the samples, (n_features,).

        ``covariance``: (n_samples, n_latent, n_latent), of z.
        """
        found = self.values.new_zeros(n_features)
        if self._dense:
            (driven, _), J = self.pairs.driven, self._at_once(self.values)
            for k, own in enumerate(J):
                turned = torch.einsum("ldn,nl->dn", J, covariance[:, k])
                found[driven] += (own * turned).sum(dim=1)
            return found
        of_driven = found.new_zeros(len(self.pairs.driven[0]))
        turned = covariance.permute(1, 2, 0).contiguous()
        self._visit(self._kernels().spread_rows, turned, of_driven)
        found[self.pairs.driven[0]] = of_driven
        return found

    @property
    def _dense(self) -> bool:
        (driven, place), n_latent = self.pairs.driven, self.pairs.n_latent
        few = len(place) <= _DENSE * n_latent * len(driven)
        return not few or not compiled_for(self.values.device)

    @staticmethod
    def _kernels() -> Any:
        """Import what is compiled, which takes a moment, where it is needed."""
        from poems.nn.kernels import pairs

        return pairs

    def _visit(self, rows: Callable[..., None], other: Tensor, found: Tensor) -> None:
        """Add what a kernel makes of the slopes and of something else."""
        order, ends = self.pairs.by_feature
        given = (self.values.contiguous(), other, order, ends, self.pairs.factors, found)
        rows(*(x.numpy() for x in given))

    def _at_once(self, values: Tensor) -> Tensor:
        """Return values of the pairs with zeros for the others, (n_latent, n_driven, n_samples)."""
        driven, place = self.pairs.driven
        made = values.new_zeros(self.pairs.n_latent, len(driven), values.shape[1])
        made[self.pairs.factors, place] = values
        return made

    def gram(self, weighted: Tensor) -> Tensor:
        """Compute J' D J of each sample, (n_samples, n_latent, n_latent); ``weighted`` is J' D."""
        K, n_samples = self.pairs.n_latent, weighted.shape[1]
        if self._dense:
            left, right = (self._at_once(x).permute(2, 0, 1) for x in (self.values, weighted))
            at_once: Tensor = left @ right.mT
            return at_once
        lower = weighted.new_zeros(K, K, n_samples)
        self._visit(self._kernels().gram_rows, weighted.contiguous(), lower)
        found = lower.permute(2, 0, 1)
        return found + found.tril(-1).mT
