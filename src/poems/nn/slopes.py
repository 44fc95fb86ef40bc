"""Slopes of one view's predictions, of the loadings that are not zero alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

# Density of a view's loadings beyond which the products of all factors are made at once.
_DENSE = 0.4


@dataclass(frozen=True, eq=False)
class Slopes:
    """d eta_j / d z_k of some samples, for the pairs of feature and factor that are not zero.

    Attributes
    ----------
    features, factors
        Of each pair, (n_pairs,), one factor's pairs after the other's.
    values
        Of shape (n_pairs, n_samples).
    n_latent
        Number of factors, those without a pair counted.

    Examples
    --------
    >>> pairs = torch.tensor([0, 1]), torch.tensor([0, 0])
    >>> slopes = Slopes(*pairs, torch.tensor([[1.0], [2.0]]), n_latent=2)
    >>> slopes.times(torch.tensor([[3.0, 5.0]])).tolist()
    [[13.0, 0.0]]
    >>> slopes.gram(slopes.weighted(torch.ones(1, 2))).tolist()
    [[[5.0, 0.0], [0.0, 0.0]]]
    """

    features: Tensor
    factors: Tensor
    values: Tensor
    n_latent: int

    @classmethod
    def dense(cls, features: Tensor, slopes: Tensor) -> Slopes:
        """Make them from (n_samples, n_chosen, n_latent), for features at some positions."""
        n_samples, n_features, n_latent = slopes.shape
        return cls(
            features.repeat(n_latent),
            torch.arange(n_latent).repeat_interleave(n_features),
            slopes.permute(2, 1, 0).reshape(-1, n_samples),
            n_latent,
        )

    @cached_property
    def _rows(self) -> list[slice]:
        """The pairs of each factor."""
        ends = torch.bincount(self.factors, minlength=self.n_latent).cumsum(dim=0).tolist()
        return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    def _by_factor(self) -> Iterator[tuple[int, slice]]:
        return ((k, rows) for k, rows in enumerate(self._rows) if rows.stop > rows.start)

    def weighted(self, information: Tensor) -> Tensor:
        """Return slopes times what each entry tells, (n_samples, n_features), of each pair."""
        return self.values * information.T[self.features]

    def times(self, scores: Tensor) -> Tensor:
        """Compute J' s of each sample from (n_samples, n_features): (n_samples, n_latent)."""
        products = self.values * scores.T[self.features]
        found = products.new_zeros(self.n_latent, products.shape[1])
        for k, rows in self._by_factor():
            found[k] = products[rows].sum(dim=0)
        return found.T

    def with_loadings(self, weighted: Tensor, loadings: Tensor) -> Tensor:
        """Compute J' D B of each sample, (n_samples, n_latent, n_background).

        ``weighted`` is J' D, ``loadings`` B, (n_features, n_background).
        """
        found = weighted.new_zeros(weighted.shape[1], self.n_latent, loadings.shape[1])
        for k, rows in self._by_factor():
            found[:, k] = weighted[rows].T @ loadings[self.features[rows]]
        return found

    def gram(self, weighted: Tensor) -> Tensor:
        """Compute J' D J of each sample, (n_samples, n_latent, n_latent); ``weighted`` is J' D."""
        driven, place = torch.unique(self.features, return_inverse=True)
        n_samples, K = weighted.shape[1], self.n_latent
        if len(self.features) > _DENSE * K * len(driven):
            both = weighted.new_zeros(2, K, len(driven), n_samples)
            both[0, self.factors, place] = self.values
            both[1, self.factors, place] = weighted
            left, right = both.permute(0, 3, 1, 2)
            return left @ right.mT
        found = weighted.new_zeros(K, K, n_samples)
        at = torch.full((K, len(driven)), -1)
        at[self.factors, place] = torch.arange(len(place))
        used = list(self._by_factor())
        for i, (k, rows) in enumerate(used):
            found[k, k] = (self.values[rows] * weighted[rows]).sum(dim=0)
            for other, _ in used[:i]:
                theirs = at[other, place[rows]]
                shared = (theirs >= 0).nonzero()[:, 0]
                if len(shared):
                    mine = self.values[rows][shared]
                    products = (mine * weighted[theirs[shared]]).sum(dim=0)
                    found[k, other] = found[other, k] = products
        return found.permute(2, 0, 1)
