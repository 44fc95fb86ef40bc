"""Background factors: dense and linear, beside the sparse factors, for what these leave unsaid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Background(nn.Module):
    """What dense factors b ~ N(0, I) add to a prediction: offset_j + B_j . b.

    Features of all views stand one view's after the other. A background factor is shared or
    private by its loadings: those of a view that has no part in it are next to zero.

    Attributes
    ----------
    loadings
        B, of shape (n_features, n_background).
    offset
        Of shape (n_features,).
    precision
        One over the variance of each feature that neither the factors nor the background
        explain, (n_features,).
    uncertainty
        sum_j w_j precision_j Cov(B_j) over the features of each view, w_j how much they count, of
        shape
        (n_views, n_background, n_background): what is not known of the loadings counts
        against the scores that they would suggest.
    """

    loadings: Tensor
    offset: Tensor
    precision: Tensor
    uncertainty: Tensor

    def __init__(self, sizes: Sequence[int], n_background: int) -> None:
        super().__init__()
        n_features = sum(sizes)
        self.sizes = tuple(sizes)
        self.register_buffer("loadings", torch.zeros(n_features, n_background))
        self.register_buffer("offset", torch.zeros(n_features))
        self.register_buffer("precision", torch.ones(n_features))
        self.register_buffer("uncertainty", torch.zeros(len(sizes), n_background, n_background))

    @property
    def n_background(self) -> int:
        """Number of background factors."""
        return int(self.loadings.shape[1])

    def predict(self, scores: Tensor) -> Tensor:
        """Return what the background adds, (n_samples, n_features), given b."""
        return torch.addmm(self.offset, scores, self.loadings.T)

    def grams(self, weights: Tensor) -> Tensor:
        """Return B' diag(w precision) B of each view: (n_views, n_background, n_background).

        ``weights``, (n_features,): how much each feature counts.
        """
        said = weights * self.precision
        weighted, sizes = self.loadings * said[:, None], list(self.sizes)
        parts = zip(torch.split(weighted, sizes), torch.split(self.loadings, sizes), strict=True)
        return torch.stack([left.T @ right for left, right in parts])
