"""Scores of the background factors where the latents are known: Gaussian, in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.scaling.batch import Batch

# Numbers that products of background loadings of some features may take.
_MOST_PRODUCTS = 1 << 24


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
    Means of shape (n_samples, n_background), and covariances summed over the samples that each
    view was measured on, of shape (n_views, n_background, n_background).
    """
    told = residuals @ (background.loadings * (weights * background.precision)[:, None])
    knowledge = Knowledge.of(background, weights, batch)
    return knowledge.solve(told[:, None])[:, 0], knowledge.scatter(batch.measured)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Covariances of b given the latents, and which of them is each sample's.

    Samples that have the same entries share theirs. ``covariances``: (n_patterns, n_background,
    n_background); ``which``: (n_samples,).
    """

    covariances: Tensor
    which: Tensor

    @classmethod
    def of(cls, background: Background, weights: Tensor, batch: Batch) -> Knowledge:
        """Find those of some samples by which entries were measured of them."""
        if batch.observed_jointly() is None:
            patterns, which = torch.unique(batch.measured, dim=0, return_inverse=True)
            precision = _background_precision(background, weights, patterns, None)
        else:
            which = torch.arange(len(batch))
            precision = _background_precision(background, weights, batch.measured, batch.entries())
        root = torch.linalg.cholesky(precision.double())
        return cls(torch.cholesky_inverse(root).to(background.loadings.dtype), which)

    def take(self, rows: Tensor) -> Knowledge:
        """Return that of some samples."""
        return replace(self, which=self.which[rows])

    def solve(self, x: Tensor) -> Tensor:
        """Multiply x (n_samples, any, n_background) with each sample's covariance."""
        if len(self.covariances) == 1:
            return x @ self.covariances[0]
        return x @ self.covariances[self.which]

    def scatter(self, measured: Tensor) -> Tensor:
        """Sum covariances over the samples that each view was measured on."""
        counts = measured.new_zeros(len(self.covariances), measured.shape[1], dtype=torch.float32)
        counts.index_add_(0, self.which, measured.float())
        return torch.einsum("pv,pab->vab", counts, self.covariances)


def _background_precision(
    background: Background, weights: Tensor, measured: Tensor, there: Tensor | None
) -> Tensor:
    """Return the precision of b given the latents, (n_samples, n_background, n_background).

    What is not known of the loadings counts in it. ``there`` says which entries are, if measured
    samples lack some.
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
        known = _products(background, weights, there)
    doubt = torch.einsum("nv,vab->nab", shares, background.uncertainty)
    unit = torch.eye(n_background, dtype=B.dtype, device=B.device)
    return known.view(doubt.shape) + doubt + unit


def _products(background: Background, weights: Tensor, there: Tensor) -> Tensor:
    """Sum w_j precision_j B_j B_j' over a sample's entries: (n_samples, n_background squared)."""
    B, n_background = background.loadings, background.n_background
    # Of a symmetric matrix a half is enough.
    a, b = torch.triu_indices(n_background, n_background)
    half = B.new_zeros(len(there), len(a))
    weighted = B * (weights * background.precision)[:, None]
    most = max(1, _MOST_PRODUCTS // max(1, len(a)))
    for rows in torch.split(torch.arange(len(B)), most):
        half += there[:, rows].to(B.dtype) @ (weighted[rows][:, a] * B[rows][:, b])
    known = B.new_zeros(len(there), n_background, n_background)
    known[:, a, b] = known[:, b, a] = half
    return known.flatten(1)
