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

    @classmethod
    def together(cls, parts: Sequence[Moments]) -> Moments:
        """Return the sums over several blocks of samples."""
        return cls(
            *(
                torch.stack([getattr(part, name) for part in parts]).sum(dim=0)
                for name in ("scatter", "slopes", "spread")
            )
        )
