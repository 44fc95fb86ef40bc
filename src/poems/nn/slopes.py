"""Slopes of one view's predictions, of the loadings that are not zero alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

# Density of a view's loadings beyond which the products of all factors are made at once.
_DENSE = 0.25


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which features depend on which factors: (n_pairs,) each, one factor's after the other's."""

    features: Tensor
    factors: Tensor
    n_latent: int

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
    def products(self) -> tuple[Tensor, Tensor, list[tuple[int, int]], list[int]]:
        """Pairs of one feature with two factors: both, by factors, and how many these share."""
        driven, place = self.driven
        at = torch.full((self.n_latent, len(driven)), -1)
        at[self.factors, place] = torch.arange(len(place))
        left, right, which = [], [], []
        for i, (k, _) in enumerate(self.by_factor):
            for other, _ in self.by_factor[: i + 1]:
                shared = (at[k] >= 0) & (at[other] >= 0)
                if shared.any():
                    left.append(at[k, shared])
                    right.append(at[other, shared])
                    which.append((k, other))
        if not which:
            return place, place, [], []
        return torch.cat(left), torch.cat(right), which, [len(x) for x in left]


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
        first, second, which, sizes = self.pairs.products
        parts = torch.split(self.values[first] * self.values[second], sizes) if which else ()
        features = torch.split(self.pairs.features[first], sizes) if which else ()
        for (k, other), part, rows in zip(which, parts, features, strict=True):
            # Both halves of what is symmetric.
            times = 1.0 if k == other else 2.0
            found.index_add_(0, rows, times * (part @ covariance[:, k, other]))
        return found

    @property
    def _dense(self) -> bool:
        (driven, place), n_latent = self.pairs.driven, self.pairs.n_latent
        return len(place) > _DENSE * n_latent * len(driven)

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
        first, second, which, sizes = self.pairs.products
        found = weighted.new_zeros(K, K, n_samples)
        products = self.values[first] * weighted[second]
        parts = torch.split(products, sizes) if which else ()
        for (k, other), part in zip(which, parts, strict=True):
            found[k, other] = found[other, k] = part.sum(dim=0)
        return found.permute(2, 0, 1)
