"""Gates: how much each view counts for each sample.

A gate maps the experts' locations, zeroed where a view was not measured, and the
mask of measured views to weights that sum to one over the measured views and are
exactly zero for the others. To add one, write the class and register it in
:data:`poems.settings.parts.GATES`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


def masked_softmax(logits: Tensor, measured: Tensor) -> Tensor:
    """Softmax over the measured views; exactly zero elsewhere. Both (n_samples, n_views).

    >>> masked_softmax(torch.zeros(1, 3), torch.tensor([[True, False, True]]))
    tensor([[0.5000, 0.0000, 0.5000]])
    """
    return torch.softmax(logits + torch.log(measured.to(logits.dtype)), dim=1)


def partly_equal(weights: Tensor, measured: Tensor, share: float) -> Tensor:
    """Mix a gate's weights with equal ones, of which every measured view has the same.

        share * weights + (1 - share) / n_measured

    An expert's derivatives are multiplied by its weight, so that a gate which shuts a view out
    before its expert has learned anything keeps it from learning at all, and itself from
    opening again. While experts begin to learn each has its share of the weights, whatever the
    gate says.

    Parameters
    ----------
    weights
        What a gate returns, of shape (n_samples, n_views).
    measured
        Booleans of that shape.
    share
        Of the gate in the mixture, from 0 to 1.

    Examples
    --------
    >>> gate = torch.tensor([[1.0, 0.0, 0.0]])
    >>> partly_equal(gate, torch.tensor([[True, True, False]]), 0.5)
    tensor([[0.7500, 0.2500, 0.0000]])
    """
    equal = masked_softmax(torch.zeros_like(weights), measured)
    return torch.lerp(equal, weights, share)


class Gate(nn.Module):
    """What the model asks of a gate.

    Parameters
    ----------
    n_views, n_latent
        How many views there are, and latents.
    hidden
        Hidden units, for gates that have any.
    """

    def __init__(self, n_views: int, n_latent: int, hidden: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, loc: Tensor, measured: Tensor) -> Tensor:
        """Weigh the views of each sample.

        Parameters
        ----------
        loc
            The experts' locations, of shape (n_views, n_samples, n_latent), zero where a view
            was not measured.
        measured
            Booleans of shape (n_samples, n_views).

        Returns
        -------
        Weights of shape (n_samples, n_views): not negative, a sample's sum to one, exactly 0
        where a view was not measured.
        """


class _NetworkGate(Gate):
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
        super().__init__(n_views, n_latent, hidden)
        self.network = nn.Sequential(
            nn.Linear(n_views * (n_latent + 1), hidden), nn.ReLU(), nn.Linear(hidden, n_views)
        )


class LinearGate(_NetworkGate):
    """A linear map."""

    def __init__(self, n_views: int, n_latent: int, hidden: int) -> None:
        super().__init__(n_views, n_latent, hidden)
        self.network = nn.Linear(n_views * (n_latent + 1), n_views)


class EqualGate(Gate):
    """The same weight for every measured view."""

    def forward(self, loc: Tensor, measured: Tensor) -> Tensor:
        """Return weights (n_samples, n_views)."""
        return masked_softmax(torch.zeros_like(measured, dtype=loc.dtype), measured)


GateFactory = Callable[[int, int, int], Gate]
