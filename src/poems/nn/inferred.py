"""What inference finds of some samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from poems.nn.moments import Moments


@dataclass(frozen=True, eq=False)
class Inferred:
    """What is known of some samples.

    ``loc`` and ``variance`` of the latents: (n_samples, n_latent); ``background``, the
    posterior means of the background factors: (n_samples, n_background); ``shares`` of each view
    in the precision of the latents: (n_samples, n_views), summing to 1 (0 where a view was
    not measured); ``settled``: booleans of shape (n_samples,), false where another step
    would still have gained; ``measured``: which views are known. If asked for, ``covariance`` of
    latents and background factors together, (n_samples, n_latent + n_background, n_latent +
    n_background), and their ``moments``.
    """

    loc: Tensor
    variance: Tensor
    background: Tensor
    shares: Tensor
    settled: Tensor
    measured: Tensor
    covariance: Tensor | None = None
    moments: Moments | None = None

    @classmethod
    def together(cls, parts: Sequence[Inferred]) -> Inferred:
        """Return what was found of several blocks of samples."""
        if len(parts) == 1:
            return parts[0]
        covariances = [part.covariance for part in parts if part.covariance is not None]
        sums = [part.moments for part in parts if part.moments is not None]
        return cls(
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in _OF_SAMPLES},
            covariance=torch.cat(covariances) if covariances else None,
            moments=Moments.together(sums) if sums else None,
        )


_OF_SAMPLES = ("loc", "variance", "background", "shares", "settled", "measured")
