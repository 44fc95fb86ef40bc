"""Gates: how much each view counts for each sample.

A gate maps the experts' locations, zeroed where a view was not measured, and the
mask of measured views to weights that sum to one over the measured views and are
exactly zero for the others. To add one, write the class and register it in ``GATES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


def masked_softmax(logits: Tensor, measured: Tensor) -> Tensor:
    """Softmax over the measured views; exactly zero elsewhere. Both (n_samples, n_views).

    >>> masked_softmax(torch.zeros(1, 3), torch.tensor([[True, False, True]]))
    tensor([[0.5000, 0.0000, 0.5000]])
    """
    return torch.softmax(logits + torch.log(measured.to(logits.dtype)), dim=1)


class _NetworkGate(nn.Module):
    """Logits from a network on the layer-normalised locations and the mask."""

    network: nn.Module

    def forward(self, loc: Tensor, measured: Tensor) -> Tensor:
        """Return weights (n_samples, n_views) for ``loc`` (n_views, n_samples, n_latent)."""
        # A layer norm of a single number is always zero, so a lone latent stays as it is.
        normalised = functional.layer_norm(loc, loc.shape[-1:]) if loc.shape[-1] > 1 else loc
        # The layer norm of zeros is zeros, so an unmeasured view enters as zeros.
        logits = self.network(torch.cat([*normalised, measured.to(loc.dtype)], dim=1))
        return masked_softmax(logits, measured)


class LearnedGate(_NetworkGate):
    """A network with one hidden layer."""

    def __init__(self, n_views: int, n_latent: int, hidden: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(n_views * (n_latent + 1), hidden), nn.ReLU(), nn.Linear(hidden, n_views)
        )


class LinearGate(_NetworkGate):
    """A linear map."""

    def __init__(self, n_views: int, n_latent: int, hidden: int) -> None:
        super().__init__()
        self.network = nn.Linear(n_views * (n_latent + 1), n_views)


class EqualGate(nn.Module):
    """The same weight for every measured view."""

    def __init__(self, n_views: int, n_latent: int, hidden: int) -> None:
        super().__init__()

    def forward(self, loc: Tensor, measured: Tensor) -> Tensor:
        """Return weights (n_samples, n_views)."""
        return masked_softmax(torch.zeros_like(measured, dtype=loc.dtype), measured)


GATES: Mapping[str, Callable[[int, int, int], nn.Module]] = {
    "learned": LearnedGate,
    "linear": LinearGate,
    "equal": EqualGate,
}
