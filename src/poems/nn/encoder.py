"""Encoder: one view's values to a Gaussian expert over the latents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

# Log precisions are bounded smoothly to +- this, so that exp() cannot overflow.
_LOG_PRECISION_BOUND = 12.0


class Dropout(nn.Module):
    """Dropout by comparing uniform numbers, which on processors is several times faster.

    Parameters
    ----------
    share
        Probability of dropping a unit; the others are divided by ``1 - share``.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Drop units while training; return the input as it is otherwise."""
        if not self.training or self.share == 0.0:
            return x
        return x * (torch.rand_like(x) >= self.share).to(x.dtype).div_(1.0 - self.share)


class Encoder(nn.Module):
    """A multilayer perceptron that returns a Gaussian's location and log precision.

    Parameters
    ----------
    n_features
        Width of the input.
    n_latent
        Width of each output.
    layers
        Hidden units of each layer.
    dropout
        Dropout after each hidden layer.
    """

    def __init__(
        self, n_features: int, n_latent: int, layers: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        sizes = [n_features, *layers]
        hidden: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            hidden += [nn.Linear(n_in, n_out), nn.ReLU(), Dropout(dropout)]
        self.hidden = nn.Sequential(*hidden)
        self.loc = nn.Linear(sizes[-1], n_latent)
        self.log_precision = nn.Linear(sizes[-1], n_latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``loc`` and ``log_precision``, each (n_samples, n_latent)."""
        h = self.hidden(x)
        raw = self.log_precision(h)
        bounded = _LOG_PRECISION_BOUND * torch.tanh(raw / _LOG_PRECISION_BOUND)
        return self.loc(h), bounded
