"""Dropout by few random bits a unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        values = drawn.random_(-(1 << 63), None).view(torch.int16)[: x.numel()].view(x.shape)
        # PyTorch compares integers of 16 bits with a sign alone: flipping the highest bit takes
        # half the values from what the bits say without one.
        half = _VALUES // 2
        kept = values.bitwise_xor_(-half) >= self.limit - half
        return x * kept.to(x.dtype).mul_(self.scale)
