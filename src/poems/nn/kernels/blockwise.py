"""The sparse decoder's kernel: predictions over blocks of features.

    eta_j(z) = u_j . relu(A (w_j * z)) + b_j

Written out for all features at once, the hidden layer has n_samples x n_features
x n_hidden entries. Here it exists for one block of features at a time and is
computed anew in the backward pass, so memory does not grow with n_features x
n_hidden. Within a block, A (w_j * z) = (A * w_j) z makes one matrix product of
all features' hidden units.

The derivative of relu at zero. A feature whose loadings are all zero has a hidden
layer of exact zeros. With the usual convention relu'(0) = 0 its loadings would get
no gradient and could never come back; here relu'(0) = 1/2. Such features need no
hidden layer at all: they predict b_j, and their gradient has a closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

# Entries of a block's hidden layer: small enough to stay in a core's cache.
_BLOCK_ENTRIES = 1 << 18


def blockwise_decode(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor, *, dropout: float = 0.0
) -> Tensor:
    """Predict every feature from the latents, a block of features at a time.

    Parameters
    ----------
    z
        Latents, of shape (n_samples, n_latent).
    W
        Loadings, of shape (n_features, n_latent).
    A
        Hidden weights shared by the features, of shape (n_hidden, n_latent).
    u
        Output heads, of shape (n_features, n_hidden).
    b
        Offsets, of shape (n_features,).
    dropout
        Probability of dropping a hidden unit of a feature in a sample.

    Returns
    -------
    Tensor of shape (n_samples, n_features).

    Examples
    --------
    >>> eta = blockwise_decode(
    ...     torch.ones(2, 1), torch.tensor([[1.0], [0.0]]), torch.ones(1, 1), torch.ones(2, 1),
    ...     torch.tensor([0.0, 5.0]),
    ... )
    >>> eta.tolist()
    [[1.0, 5.0], [1.0, 5.0]]
    """
    # The seed of the dropout masks is drawn here, so that the backward pass can redraw them.
    seed = int(torch.randint(2**62, (1,)).item()) if dropout > 0 else 0
    eta: Tensor = _BlockwiseDecode.apply(  # type: ignore[no-untyped-call]
        z, W, A, u, b, dropout, seed
    )
    return eta


def hidden_blocks(n_features: int, n_samples: int, n_hidden: int) -> list[slice]:
    """Cut the features into blocks whose hidden layer stays in cache."""
    size = max(1, _BLOCK_ENTRIES // max(1, n_samples * n_hidden))
    return [slice(start, start + size) for start in range(0, n_features, size)]


def _dropout_mask(block: int, like: Tensor, dropout: float, seed: int) -> Tensor:
    """Scaled keep-mask of one block, the same whenever it is drawn."""
    generator = torch.Generator(device=like.device).manual_seed(seed + block)
    keep = torch.empty_like(like).bernoulli_(1.0 - dropout, generator=generator)
    return keep / (1.0 - dropout)


class _BlockwiseDecode(Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        W: Tensor,
        A: Tensor,
        u: Tensor,
        b: Tensor,
        dropout: float,
        seed: int,
    ) -> Tensor:
        alive = (W != 0).any(dim=1)
        rows = None if bool(alive.all()) else alive.nonzero().squeeze(1)
        ctx.save_for_backward(z, W, A, u)
        ctx.rows, ctx.dropout, ctx.seed = rows, dropout, seed

        w, heads = (W, u) if rows is None else (W[rows], u[rows])
        n, h = z.shape[0], A.shape[0]
        eta = z.new_empty(w.shape[0], n)
        zt = z.T.contiguous()
        for i, block in enumerate(hidden_blocks(w.shape[0], n, h)):
            hidden = _hidden(w[block], A, zt)
            if dropout > 0:
                hidden = hidden * _dropout_mask(i, hidden, dropout, seed)
            torch.bmm(heads[block].unsqueeze(1), hidden, out=eta[block].unsqueeze(1))
        if rows is None:
            return (eta + b[:, None]).T.contiguous()
        # A copy: what expand() gives for a single sample is b itself, also once contiguous.
        full = b.repeat(n, 1)
        full[:, rows] += eta.T
        return full

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        z, W, A, u = ctx.saved_tensors
        rows, dropout, seed = ctx.rows, ctx.dropout, ctx.seed
        g = grads[0]
        n, h = z.shape[0], A.shape[0]
        gt = (g if rows is None else g[:, rows]).T.contiguous()
        w, heads = (W, u) if rows is None else (W[rows], u[rows])

        zt = z.T.contiguous()
        grad_z = torch.zeros_like(z)
        grad_A = torch.zeros_like(A)
        grad_w = torch.empty_like(w)
        grad_heads = torch.empty_like(heads)
        for i, block in enumerate(hidden_blocks(w.shape[0], n, h)):
            size = w[block].shape[0]
            hidden = _hidden(w[block], A, zt)
            grad_hidden = heads[block].unsqueeze(2) * gt[block].unsqueeze(1)
            if dropout > 0:
                mask = _dropout_mask(i, hidden, dropout, seed)
                grad_hidden *= mask
                mask *= hidden
                grad_heads[block] = torch.bmm(mask, gt[block].unsqueeze(2)).squeeze(2)
            else:
                torch.bmm(hidden, gt[block].unsqueeze(2), out=grad_heads[block].unsqueeze(2))
            torch.ops.aten.threshold_backward.grad_input(
                grad_hidden, hidden, 0, grad_input=grad_hidden
            )
            flat = grad_hidden.view(size * h, n)
            mixed = (w[block].unsqueeze(1) * A).view(size * h, -1)
            grad_z.addmm_(flat.T, mixed)
            grad_mixed = (flat @ z).view(size, h, -1)
            torch.sum(grad_mixed * A, dim=1, out=grad_w[block])
            grad_A += grad_mixed.mul_(w[block].unsqueeze(1)).sum(dim=0)

        grad_b = g.sum(dim=0)
        if rows is None:
            return grad_z, grad_w, grad_A, grad_heads, grad_b, None, None
        # relu'(0) = 1/2 for the features whose hidden layer is exactly zero.
        grad_W = 0.5 * (g.T @ z) * (u @ A)
        grad_W[rows] = grad_w
        grad_u = torch.zeros_like(u)
        grad_u[rows] = grad_heads
        return grad_z, grad_W, grad_A, grad_u, grad_b, None, None


def _hidden(w: Tensor, A: Tensor, zt: Tensor) -> Tensor:
    """Hidden layer relu((A * w_j) z) of a block: (n_block, n_hidden, n_samples)."""
    mixed = (w.unsqueeze(1) * A).view(-1, A.shape[1])
    return (mixed @ zt).relu_().view(w.shape[0], A.shape[0], zt.shape[1])


def blockwise_jacobian(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Average the decoder's Jacobian over samples.

    With J_n = d eta / d z at sample n, of shape (n_features, n_latent):

    Returns
    -------
    mean
        mean_n J_n, of shape (n_features, n_latent).
    mean_abs
        mean_n |J_n|, of shape (n_features, n_latent).
    gram
        mean_n J_n^T J_n, of shape (n_latent, n_latent).
    """
    n = z.shape[0]
    mean = torch.zeros_like(W)
    mean_abs = torch.zeros_like(W)
    gram = z.new_zeros(W.shape[1], W.shape[1])
    for block, jacobian in _jacobians(z, W, A, u):
        mean[block] = jacobian.mean(dim=1)
        mean_abs[block] = jacobian.abs().mean(dim=1)
        flat = jacobian.reshape(-1, W.shape[1])
        gram += flat.T @ flat / n
    return mean, mean_abs, gram


def blockwise_slopes(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> Tensor:
    """Compute the decoder's Jacobian of each sample, (n_samples, n_features, n_latent)."""
    slopes = z.new_empty(len(z), *W.shape)
    for block, jacobian in _jacobians(z, W, A, u):
        slopes[:, block] = jacobian.transpose(0, 1)
    return slopes


def _jacobians(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of features with their derivatives, (n_block, n_samples, n_latent)."""
    zt = z.T.contiguous()
    for block in hidden_blocks(W.shape[0], z.shape[0], A.shape[0]):
        active = (_hidden(W[block], A, zt) > 0).to(z.dtype)
        slopes = (active * u[block].unsqueeze(2)).transpose(1, 2) @ A
        yield block, slopes * W[block].unsqueeze(1)
