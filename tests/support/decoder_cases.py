"""Inputs of the sparse decoder, and all that a kernel computes of them."""

from __future__ import annotations

import torch
from torch import Tensor

from poems.nn.decode import ALL, Kernel, Turns, decode

Parts = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def parts(
    n: int,
    sizes: list[int],
    k: int,
    h: int,
    density: float,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Parts:
    """z, W, A, u and b, with about that share of the loadings not zero."""
    rng = torch.Generator().manual_seed(seed)
    shapes = [(n, k), (sum(sizes), k), (len(sizes), h, k), (sum(sizes), h), (sum(sizes),)]
    z, W, A, u, b = (torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in shapes)
    W *= torch.rand(W.shape, generator=rng) < density
    return tuple(x.to(dtype).requires_grad_() for x in (z, W, A, u, b))  # type: ignore[return-value]


def results(
    inputs: Parts,
    sizes: list[int],
    kernel: Kernel,
    turns: Turns = ALL,
    norms: tuple[float, float] | None = None,
) -> tuple[Tensor, ...]:
    """Predictions, and the gradients of a function of them that weighs every entry otherwise."""
    eta = decode(*inputs, sizes, kernel=kernel, turns=turns, norms=norms)
    weights = torch.linspace(-1.0, 2.0, eta.numel(), dtype=eta.dtype).view_as(eta)
    return (eta.detach(), *torch.autograd.grad((weights * eta).sum(), inputs))


def assert_same(got: tuple[Tensor, ...], expected: tuple[Tensor, ...], **tolerance: float) -> None:
    for name, x, y in zip(("eta", "z", "W", "A", "u", "b"), got, expected, strict=True):
        torch.testing.assert_close(x, y, msg=lambda text, name=name: f"{name}: {text}", **tolerance)
