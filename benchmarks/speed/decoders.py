"""Published decoders, written as in their codes, to time the sparse decoder against.

All compute eta_j(z) = u_j . relu(A (w_j * z)) + b_j for one view: z of shape (n_samples,
n_latent), W (n_features, n_latent), A (n_hidden, n_latent), u (n_features, n_hidden) and
b (n_features,) give (n_samples, n_features).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

Decoder = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class Weights(NamedTuple):
    """Weights of a decoder."""

    W: Tensor  # loadings, (n_features, n_latent)
    A: Tensor  # shared hidden layer, (n_hidden, n_latent)
    u: Tensor  # output heads, (n_features, n_hidden)
    b: Tensor  # intercepts, (n_features,)


def random_weights(
    n_features: int,
    n_latent: int,
    n_hidden: int,
    *,
    density: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Weights:
    """Draw weights; each loading is kept with probability ``density``, the others are zero."""
    rng = torch.Generator().manual_seed(seed)
    W = torch.randn(n_features, n_latent, generator=rng, dtype=dtype)
    W.masked_fill_(torch.rand(n_features, n_latent, generator=rng) >= density, 0.0)
    A = torch.randn(n_hidden, n_latent, generator=rng, dtype=dtype) / n_latent**0.5
    u = torch.randn(n_features, n_hidden, generator=rng, dtype=dtype) / n_hidden**0.5
    b = torch.randn(n_features, generator=rng, dtype=dtype)
    return Weights(W, A, u, b)


def loop_decode(z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor) -> Tensor:
    """One feature after another, as in the Sparse VAE's code (arXiv 2110.10804)."""
    columns = []
    for j in range(len(W)):
        hidden = torch.relu(nn.functional.linear(W[j] * z, A))
        columns.append(hidden @ u[j] + b[j])
    return torch.stack(columns, dim=1)


def vectorised_decode(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor, *, dropout: float = 0.2
) -> Tensor:
    """All features at once, as in the POEMS paper's code (arXiv 2511.03464).

    Holds the masked inputs, (n_samples, n_features, n_latent), and the hidden units,
    (n_samples, n_features, n_hidden), in memory. The published dropout on the hidden
    units is 0.2; with 0 there is no dropout at all.
    """
    masked = z[:, None, :] * W[None]
    hidden = torch.relu(nn.functional.linear(masked, A))
    if dropout > 0:
        hidden = nn.functional.dropout(hidden, dropout)
    return torch.einsum("bdh,dh->bd", hidden, u) + b


def by_view(
    decoder: Decoder, z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor, sizes: Sequence[int]
) -> Tensor:
    """Decode one view after another; A is of shape (n_views, n_hidden, n_latent)."""
    views = zip(*(torch.split(x, list(sizes)) for x in (W, u, b)), A, strict=True)
    return torch.cat([decoder(z, w, a, heads, bias) for w, heads, bias, a in views], dim=1)
