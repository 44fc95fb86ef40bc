"""Scores of the background factors where the latents are known: Gaussian, in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.scaling.batch import Batch

# Numbers that products of background loadings of some features may take.
_MOST_PRODUCTS = 1 << 24
# Samples alike, on average, of which products with their common matrix are made together.
_FEWEST_ALIKE = 8


@torch.no_grad()
def conditional_scores(
    background: Background, batch: Batch, residuals: Tensor, z: Tensor, weights: Tensor
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
    z
        The latents, (n_samples, n_latent).
    weights
        How much each feature counts, (n_features,).

    Returns
    -------
    Means of shape (n_samples, n_background), and covariances summed over the samples that each
    view was measured on, of shape (n_views, n_background, n_background).
    """
    told = residuals @ (background.loadings * (weights * background.precision)[:, None])
    knowledge = Knowledge.of(background, weights, batch)
    told -= knowledge.along(knowledge.of_latents, z)[:, background.n_latent :]
    return knowledge.solve(told[:, None])[:, 0], knowledge.scatter(batch.measured)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What does not hang on the latents, and which of it is each sample's.

    Samples that have the same entries share theirs. With G = (C, B), D what entries tell and U
    the doubt of G, both over the sample's entries: ``covariances`` of b given the latents, (1 +
    B' D B + U_bb)^-1: (n_patterns, n_background, n_background); the latents' rows of G' D G + U,
    ``of_latents``, and of U, ``doubt``: (n_patterns, n_latent, n_latent + n_background); the
    diagonal of C' D C by views, ``by_views``: (n_patterns, n_views, n_latent); ``which``:
    (n_samples,).
    """

    covariances: Tensor
    of_latents: Tensor
    doubt: Tensor
    by_views: Tensor
    which: Tensor

    @classmethod
    def of(cls, background: Background, weights: Tensor, batch: Batch) -> Knowledge:
        """Find those of some samples by which entries were measured of them."""
        if not background.n_background:
            return cls._of_none(background, batch)
        if batch.observed_jointly() is None:
            patterns, which = torch.unique(batch.measured, dim=0, return_inverse=True)
            there = None
        else:
            patterns, which = batch.measured, torch.arange(len(batch))
            there = batch.entries()
        known, doubt = _precision(background, weights, patterns, there)
        n_latent, q = background.n_latent, background.n_background
        total = known + doubt
        own = total[:, n_latent:, n_latent:] + torch.eye(q, dtype=total.dtype)
        root = torch.linalg.cholesky(own.double())
        return cls(
            covariances=torch.cholesky_inverse(root).to(total.dtype),
            of_latents=total[:, :n_latent],
            doubt=doubt[:, :n_latent],
            by_views=_weak_by_views(background, weights, patterns, there),
            which=which,
        )

    @classmethod
    def _of_none(cls, background: Background, batch: Batch) -> Knowledge:
        """Without a background nothing is known but by the decoders."""
        n_latent, n_views = background.n_latent, len(background.sizes)
        nothing = torch.zeros(1, n_latent, n_latent)
        return cls(
            covariances=torch.zeros(1, 0, 0),
            of_latents=nothing,
            doubt=nothing,
            by_views=torch.zeros(1, n_views, n_latent),
            which=torch.zeros(len(batch), dtype=torch.long),
        )

    def take(self, rows: Tensor) -> Knowledge:
        """Return that of some samples."""
        return replace(self, which=self.which[rows])

    def each(self, of_patterns: Tensor) -> Tensor:
        """Return something of the patterns for each sample, or what broadcasts to it."""
        return of_patterns if len(of_patterns) == 1 else of_patterns[self.which]

    def along(self, rows: Tensor, z: Tensor) -> Tensor:
        """Sum the latents' rows of some matrices, each times its latent: (n_samples, width)."""
        return self._times(z[:, None], rows)[:, 0]

    def solve(self, x: Tensor) -> Tensor:
        """Multiply x (n_samples, any, n_background) with each sample's covariance."""
        return self._times(x, self.covariances)

    def _times(self, x: Tensor, of_patterns: Tensor) -> Tensor:
        """Multiply x (n_samples, any, left) with matrices (n_patterns, left, right)."""
        if len(of_patterns) == 1:
            return x @ of_patterns[0]
        if len(of_patterns) * _FEWEST_ALIKE > len(x):
            return x @ of_patterns[self.which]
        # A copy of a matrix for each sample would take longer than the product.
        made = x.new_empty(*x.shape[:2], of_patterns.shape[2])
        for i, matrix in enumerate(of_patterns):
            rows = (self.which == i).nonzero()[:, 0]
            made[rows] = x[rows] @ matrix
        return made

    def scatter(self, measured: Tensor) -> Tensor:
        """Sum covariances over the samples that each view was measured on."""
        counts = measured.new_zeros(len(self.covariances), measured.shape[1], dtype=torch.float32)
        counts.index_add_(0, self.which, measured.float())
        return torch.einsum("pv,pab->vab", counts, self.covariances)


def _precision(
    background: Background, weights: Tensor, measured: Tensor, there: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return G' D G and U of each sample, (n_samples, width, width) each.

    ``there`` says which entries are, if measured samples lack some.
    """
    G = background.joint
    if there is None:
        shares = measured.to(G.dtype)
        known = shares @ background.grams(weights).flatten(1)
    else:
        views = torch.split(there, list(background.sizes), dim=1)
        counts = torch.split(weights, list(background.sizes))
        of_views = [
            (part.to(G.dtype) * count).sum(dim=1) / count.sum()
            for part, count in zip(views, counts, strict=True)
        ]
        shares = torch.stack(of_views, dim=1)
        known = _products(G, weights * background.precision, there)
    doubt = torch.einsum("nv,vab->nab", shares, background.uncertainty)
    return known.view(doubt.shape), doubt


def _weak_by_views(
    background: Background, weights: Tensor, measured: Tensor, there: Tensor | None
) -> Tensor:
    """Return the diagonal of C' D C of each sample and view, (n_samples, n_views, n_latent)."""
    squares = background.weak.square() * (weights * background.precision)[:, None]
    parts = torch.split(squares, list(background.sizes))
    if there is None:
        sums = torch.stack([part.sum(dim=0) for part in parts])
        return measured.to(sums.dtype)[:, :, None] * sums
    views = torch.split(there.to(squares.dtype), list(background.sizes), dim=1)
    return torch.stack([own @ part for own, part in zip(views, parts, strict=True)], dim=1)


def _products(G: Tensor, told: Tensor, there: Tensor) -> Tensor:
    """Sum told_j G_j G_j' over a sample's entries: (n_samples, width squared)."""
    width = G.shape[1]
    # Of a symmetric matrix a half is enough.
    a, b = torch.triu_indices(width, width)
    half = G.new_zeros(len(there), len(a))
    weighted = G * told[:, None]
    most = max(1, _MOST_PRODUCTS // max(1, len(a)))
    for rows in torch.split(torch.arange(len(G)), most):
        half += there[:, rows].to(G.dtype) @ (weighted[rows][:, a] * G[rows][:, b])
    known = G.new_zeros(len(there), width, width)
    known[:, a, b] = known[:, b, a] = half
    return known.flatten(1)
