"""Published decoders, written as in their codes, to time the sparse decoder against.

All compute eta_j(z) = u_j . relu(A (w_j * z)) + b_j and share one interface:
``forward(z)`` takes (batch, n_latent) and returns (batch, n_features).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


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
    non_zeros: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Weights:
    """Draw weights; with ``non_zeros`` each feature keeps that many loadings."""
    rng = torch.Generator().manual_seed(seed)
    W = torch.randn(n_features, n_latent, generator=rng, dtype=dtype)
    if non_zeros is not None:
        order = torch.rand(n_features, n_latent, generator=rng).argsort(dim=1)
        W = W.masked_fill(order >= non_zeros, 0.0)
    A = torch.randn(n_hidden, n_latent, generator=rng, dtype=dtype) / n_latent**0.5
    u = torch.randn(n_features, n_hidden, generator=rng, dtype=dtype) / n_hidden**0.5
    b = torch.randn(n_features, generator=rng, dtype=dtype)
    return Weights(W, A, u, b)


class _Decoder(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.W = nn.Parameter(weights.W.clone())
        self.A = nn.Parameter(weights.A.clone())
        self.u = nn.Parameter(weights.u.clone())
        self.b = nn.Parameter(weights.b.clone())


class LoopDecoder(_Decoder):
    """One feature after another, as in the Sparse VAE's code (arXiv 2110.10804)."""

    def forward(self, z: Tensor) -> Tensor:
        columns = []
        for j in range(len(self.W)):
            hidden = torch.relu(nn.functional.linear(self.W[j] * z, self.A))
            columns.append(hidden @ self.u[j] + self.b[j])
        return torch.stack(columns, dim=1)


class VectorisedDecoder(_Decoder):
    """All features at once, as in the POEMS paper's code (arXiv 2511.03464).

    Holds the masked inputs, (batch, n_features, n_latent), and the hidden
    units, (batch, n_features, n_hidden), in memory. The published dropout on
    the hidden units is 0.2; with 0 there is no dropout layer at all.
    """

    def __init__(self, weights: Weights, dropout: float = 0.2) -> None:
        super().__init__(weights)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        masked = z[:, None, :] * self.W[None]
        hidden = self.dropout(torch.relu(nn.functional.linear(masked, self.A)))
        return torch.einsum("bdh,dh->bd", hidden, self.u) + self.b


def agree(first: _Decoder, second: _Decoder) -> bool:
    """Tell whether two decoders of the same weights have the same output and gradients."""
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(11, first.W.shape[1], generator=rng, dtype=first.W.dtype)
    target = torch.randn(11, len(first.W), generator=rng, dtype=first.W.dtype)
    results = []
    for decoder in (first, second):
        inputs = z.clone().requires_grad_()
        parameters = [decoder.W, decoder.A, decoder.u, decoder.b, inputs]
        eta = decoder(inputs)
        gradients = torch.autograd.grad(((eta - target) ** 2).sum(), parameters)
        results.append([eta.detach(), *gradients])
    return all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(*results, strict=True))
