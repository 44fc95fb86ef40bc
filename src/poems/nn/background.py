"""What is dense and linear beside the sparse effects of the factors: what these leave unsaid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Background(nn.Module):
    """What is added to the decoders' prediction: offset_j + C_j . z + B_j . b, b ~ N(0, I).

    Features of all views stand one view's after the other. A background factor is shared or
    private by its loadings: those of a view that has no part in it are next to zero. A factor
    may move the features that it does not drive a little, each by less than a loading that is
    kept: together they say much, and these effects are C.

    Attributes
    ----------
    loadings
        B, of shape (n_features, n_background).
    weak
        C, the small, dense effects of the factors themselves, (n_features, n_latent).
    offset
        Of shape (n_features,).
    precision
        One over the variance of each feature that neither the factors nor the background
        explain, (n_features,).
    uncertainty
        sum_j w_j precision_j Cov(C_j, B_j) over the features of each view, w_j how much they
        count, of shape (n_views, n_latent + n_background, n_latent + n_background): what is
        not known of the effects counts against the scores that they would suggest.
    carried
        Correlation of z, and of b, as the other views tell them with what a view has of them,
        (n_views, 2): 1 where nothing is lost. Used where a sample lacks the view.
    moments
        Mean squares of the latents, (n_latent,): their variance where nothing is known.
    """

    loadings: Tensor
    weak: Tensor
    offset: Tensor
    precision: Tensor
    uncertainty: Tensor
    carried: Tensor
    moments: Tensor

    def __init__(self, sizes: Sequence[int], n_background: int, n_latent: int) -> None:
        super().__init__()
        n_features, width = sum(sizes), n_latent + n_background
        self.sizes = tuple(sizes)
        self.register_buffer("loadings", torch.zeros(n_features, n_background))
        self.register_buffer("weak", torch.zeros(n_features, n_latent))
        self.register_buffer("offset", torch.zeros(n_features))
        self.register_buffer("precision", torch.ones(n_features))
        self.register_buffer("uncertainty", torch.zeros(len(sizes), width, width))
        self.register_buffer("carried", torch.ones(len(sizes), 2))
        self.register_buffer("moments", torch.ones(n_latent))

    @property
    def n_background(self) -> int:
        """Number of background factors."""
        return int(self.loadings.shape[1])

    @property
    def n_latent(self) -> int:
        """Width of z."""
        return int(self.weak.shape[1])

    @property
    def joint(self) -> Tensor:
        """C and B side by side: (n_features, n_latent + n_background)."""
        return torch.cat([self.weak, self.loadings], dim=1)

    def predict(self, scores: Tensor, z: Tensor | None = None) -> Tensor:
        """Return what is added, (n_samples, n_features), given b.

        With the weak effects of the factors, where latents (n_samples, n_latent) are given.
        """
        added = torch.addmm(self.offset, scores, self.loadings.T)
        return added if z is None else added.addmm_(z, self.weak.T)

    def moved_by(self) -> Tensor:
        """Which latents have effects here, or doubt of any: booleans of shape (n_latent,)."""
        doubt = self.uncertainty[:, : self.n_latent].flatten(2)
        return (self.weak != 0).any(dim=0) | (doubt != 0).any(dim=2).any(dim=0)

    def of_latents(self, latents: Tensor) -> Background:
        """Return the same for some of the latents, at these positions; the others drop out."""
        if len(latents) == self.n_latent:
            return self
        made = Background(self.sizes, self.n_background, len(latents))
        for name in ("loadings", "offset", "precision", "carried"):
            setattr(made, name, getattr(self, name))
        there = torch.cat([latents, self.n_latent + torch.arange(self.n_background)])
        made.weak, made.moments = self.weak[:, latents], self.moments[latents]
        made.uncertainty = self.uncertainty[:, there[:, None], there]
        return made

    def shares(self, view: int) -> Tensor:
        """Return what a view has of each of (z, b) that others tell, (n_latent + n_background,)."""
        counts = torch.tensor([self.n_latent, self.n_background])
        return torch.repeat_interleave(self.carried[view], counts)

    def among(self, sizes: Sequence[int], views: Sequence[int]) -> Background:
        """Return that of some views as one of all, of which it adds nothing to the others.

        ``sizes``: features of every view; ``views``: which of them these are.
        """
        if len(views) == len(sizes):
            return self
        made = Background(sizes, self.n_background, self.n_latent)
        for name in ("loadings", "weak", "offset", "precision"):
            parts = torch.split(getattr(self, name), list(self.sizes))
            own = dict(zip(views, parts, strict=True))
            whole = torch.split(getattr(made, name), list(sizes))
            setattr(made, name, torch.cat([own.get(i, part) for i, part in enumerate(whole)]))
        made.uncertainty[list(views)] = self.uncertainty
        return made

    def factors_of(self, views: Sequence[int]) -> Tensor:
        """Tell which background factors have loadings in some views: (n_background,)."""
        parts = torch.split(self.loadings, list(self.sizes))
        found = torch.zeros(self.n_background, dtype=torch.bool)
        for i in views:
            found |= (parts[i] != 0).any(dim=0)
        return found

    def part(self, views: Sequence[int], factors: Tensor) -> Background:
        """Return some background factors, and the features of some views alone.

        ``factors``: which, booleans of shape (n_background,).
        """
        made = Background([self.sizes[i] for i in views], int(factors.sum()), self.n_latent)
        rows = torch.split(torch.arange(sum(self.sizes)), list(self.sizes))
        own = torch.cat([rows[i] for i in views])
        made.loadings = self.loadings[own][:, factors]
        for name in ("weak", "offset", "precision"):
            setattr(made, name, getattr(self, name)[own])
        kept = torch.cat([torch.ones(self.n_latent, dtype=torch.bool), factors])
        made.uncertainty = self.uncertainty[list(views)][:, kept][:, :, kept]
        made.carried, made.moments = self.carried[list(views)], self.moments
        return made

    def beside(self, other: Background) -> Background:
        """Return these factors and another background's, whose views these have no part in."""
        ours, width = self.n_background, self.n_latent + self.n_background
        made = Background(self.sizes, ours + other.n_background, self.n_latent)
        made.loadings = torch.cat([self.loadings, other.loadings], dim=1)
        theirs = (other.loadings != 0).any(dim=1)
        for name in ("offset", "precision"):
            setattr(made, name, getattr(other, name).where(theirs, getattr(self, name)))
        made.weak, made.carried, made.moments = self.weak, self.carried, self.moments
        made.uncertainty[:, :width, :width] = self.uncertainty
        made.uncertainty[:, width:, width:] = other.uncertainty[
            :, other.n_latent :, other.n_latent :
        ]
        return made

    def grams(self, weights: Tensor) -> Tensor:
        """Return G' diag(w precision) G of each view, G = (C, B): (n_views, width, width).

        ``weights``, (n_features,): how much each feature counts.
        """
        said, both = weights * self.precision, self.joint
        parts = zip(
            torch.split(both * said[:, None], list(self.sizes)),
            torch.split(both, list(self.sizes)),
            strict=True,
        )
        return torch.stack([left.T @ right for left, right in parts])
