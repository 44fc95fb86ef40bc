"""Weights of the decoder held at norms: their size would say what the loadings say."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def held(A: Tensor, u: Tensor, norms: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Bring the columns of A (..., n_hidden, n_latent) and the rows of u to their norms.

    >>> A, u = held(torch.ones(1, 4, 1), torch.tensor([[3.0, 4.0]]), norms=(2.0, 10.0))
    >>> A.flatten().tolist(), u.tolist()
    ([1.0, 1.0, 1.0, 1.0], [[6.0, 8.0]])
    """
    return (
        _OfNorm.apply(A, -2, norms[0]),  # type: ignore[no-untyped-call]
        _OfNorm.apply(u, -1, norms[1]),  # type: ignore[no-untyped-call]
    )


class _OfNorm(Function):
    """y = c x / |x|, with dx = c / |x| (dy - y (y . dy) / c^2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int, norm: float) -> Tensor:
        scale = norm / torch.linalg.vector_norm(x, dim=dim, keepdim=True)
        y: Tensor = x * scale
        ctx.save_for_backward(y, scale)
        ctx.dim, ctx.norm = dim, norm
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        y, scale = ctx.saved_tensors
        (g,) = grads
        along = (g * y).sum(dim=ctx.dim, keepdim=True)
        return torch.addcmul(g, y, along, value=-1.0 / ctx.norm**2).mul_(scale), None, None
