"""Dropout of rectified hidden units, in few passes over them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from poems.nn.compilers import compiled_for

# Values of a number of 16 bits, of which four are drawn at once: on processors that is several
# times as fast as drawing uniform numbers.
_VALUES = 1 << 16


class Dropout(nn.Module):
    """Dropout by numbers of 16 bits.

    Parameters
    ----------
    share
        Probability of dropping a unit, rounded to 1 / 65536; the others are divided by
        ``1 - share``.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.limit = min(round(share * _VALUES), _VALUES - 1)
        self.scale = _VALUES / (_VALUES - self.limit)

    def forward(self, x: Tensor) -> Tensor:
        """Drop units while training; return the input as it is otherwise."""
        if not self.training or self.limit == 0:
            return x
        values = _drawn(x).view(torch.int16)[: x.numel()].view(x.shape)
        kept = values.to(torch.int32).bitwise_and_(_VALUES - 1) >= self.limit
        return x * kept.to(x.dtype).mul_(self.scale)


def _drawn(x: Tensor) -> Tensor:
    """Draw 16 bits for every entry of a tensor, as integers of 64 bits."""
    drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
    return drawn.random_(-(1 << 63), None)


def rectified(h: Tensor, dropout: Dropout) -> Tensor:
    """Rectify hidden units and drop some of them; ``h`` may be overwritten.

    >>> rectified(torch.tensor([-1.0, 2.0]), Dropout(0.0))
    tensor([0., 2.])
    """
    compiled = h.dtype == torch.float32 and compiled_for(h.device)
    if not (compiled and dropout.training and dropout.limit > 0):
        return dropout(h.relu_())  # type: ignore[no-any-return]
    kept: Tensor = _Rectified.apply(h, dropout.limit, dropout.scale)  # type: ignore[no-untyped-call]
    return kept


class _Rectified(Function):
    """Both in one pass."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, limit: int, scale: float) -> Tensor:
        # Imported where it is needed: numba takes a moment.
        from poems.nn.kernels.dropout import rectify

        kept = torch.empty(h.shape)
        given, drawn = h.detach().reshape(-1).numpy(), _drawn(h).numpy()
        rectify(given, drawn, limit, scale, kept.view(-1).numpy())
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return kept

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        from poems.nn.kernels.dropout import rectify_backward

        (kept,) = ctx.saved_tensors
        result = torch.empty(kept.shape)
        given = grads[0].reshape(-1).numpy()
        rectify_backward(given, kept.view(-1).numpy(), ctx.scale, result.view(-1).numpy())
        return result, None, None
