"""What is not known of samples, summed as learning of the background needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from poems.nn.slopes import Slopes


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over samples of posterior covariances of y = (z, b), of what was measured alone.

    ``scatter``: Cov(y), over the samples that each view was measured on, (n_views, width,
    width); J the decoders' slopes, ``slopes``: J Cov(z, y), (n_features, width), and ``spread``:
    the diagonal of J Cov(z) J', (n_features,), both over the entries of each feature.
    """

    scatter: Tensor
    slopes: Tensor
    spread: Tensor

    @classmethod
    def of(
        cls, slopes: Sequence[Slopes], covariance: Tensor, measured: Tensor, there: Tensor,
        sizes: Sequence[int],
    ) -> Moments:  # fmt: skip
        """Sum those of some samples.

        Parameters
        ----------
        slopes
            Of each view's decoder, where the samples are.
        covariance
            Of z and b, (n_samples, width, width).
        measured
            (n_samples, n_views).
        there
            Which entries there are, (n_samples, n_features).
        sizes
            Features of each view.
        """
        flat = covariance.flatten(1)
        scatter = (measured.to(flat.dtype).T @ flat).view(-1, *covariance.shape[1:])
        along, spread = [], []
        parts = zip(slopes, torch.split(there, list(sizes), dim=1), strict=True)
        for own, entries in parts:
            seen = own if bool(entries.all()) else own.only(entries)
            n_latent, width = own.pairs.n_latent, entries.shape[1]
            along.append(seen.with_covariance(covariance[:, :n_latent], width))
            spread.append(seen.spread(covariance[:, :n_latent, :n_latent], width))
        return cls(scatter, torch.cat(along), torch.cat(spread))

    def wider(self, places: Tensor, width: int) -> Moments:
        """Return them for more y, (width,), of which these are at some places; zero elsewhere."""
        if len(places) == width:
            return self
        scatter = self.scatter.new_zeros(len(self.scatter), width, width)
        scatter[:, places[:, None], places] = self.scatter
        slopes = self.slopes.new_zeros(len(self.slopes), width)
        slopes[:, places] = self.slopes
        return Moments(scatter, slopes, self.spread)

    def add(self, others: Moments) -> Moments:
        """Count in the sums over other samples, in place."""
        self.scatter.add_(others.scatter)
        self.slopes.add_(others.slopes)
        self.spread.add_(others.spread)
        return self
