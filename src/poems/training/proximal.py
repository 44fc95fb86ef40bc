"""Proximal Adam: the optimiser of the loadings, which makes exact zeros.

Adam, and after it the proximal operator of the penalty sum_jk rate_jk |w_jk| in
Adam's own diagonal metric, a soft threshold:

    w <- soft(w - lr m / (sqrt(v) + eps),  lr rate / (sqrt(v) + eps))

with m and v Adam's bias-corrected moments. Loadings take part when they have a
derivative: always if they are not zero, in their turn if they are (see
:mod:`poems.nn.decode`). One that does not take part keeps its moments as they
are, so that they are those of its own gradients, however long ago; a zero comes
back when the mean of its gradients outweighs the penalty.
"""

from __future__ import annotations

import torch
from torch import Tensor

from poems.nn.compilers import compiled_for
from poems.nn.decode import ALL, Turns
from poems.nn.distributions.spike_slab import soft_threshold
from poems.training.adam import BETAS, EPS


class ProximalAdam:
    """Adam with a soft threshold for loadings of which many are exactly zero.

    Parameters
    ----------
    loadings
        The loadings of all views, of shape (n_features, n_latent), to be changed in place.

    Examples
    --------
    >>> w = torch.tensor([[1.0, 0.001]])
    >>> optimizer = ProximalAdam(w)
    >>> optimizer.step(-torch.ones(1, 2), torch.tensor([[0.0, 3.0]]), learning_rate=0.01)
    >>> w
    tensor([[1.0100, 0.0000]])
    """

    def __init__(self, loadings: Tensor) -> None:
        self._loadings = loadings
        # Adam's moments, and 1 - beta^steps, by which they are divided: the number of steps
        # differs from loading to loading.
        self._first, self._second, self._weight1, self._weight2 = torch.zeros(
            4, *loadings.shape, dtype=loadings.dtype, device=loadings.device
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the moments and what they are divided by, to be stored."""
        return {
            "first": self._first,
            "second": self._second,
            "weight1": self._weight1,
            "weight2": self._weight2,
        }

    @torch.no_grad()
    def step(
        self,
        gradient: Tensor,
        rate: Tensor,
        *,
        learning_rate: float,
        turns: Turns = ALL,
        present: Tensor | None = None,
    ) -> None:
        """Take a step.

        Parameters
        ----------
        gradient
            Derivative of the objective without the penalty, of the loadings' shape.
        rate
            L1 rate of each loading as it stands in the objective, of the same shape.
        learning_rate
            Adam's step size.
        turns
            Whose zero loadings have their derivative in the gradient.
        present
            Which features were measured on a sample of the batch, booleans of shape
            (n_features,), or ``None`` for all: the others do not take part.
        """
        w = self._loadings
        if compiled_for(w.device):
            self._compiled_step(gradient, rate, learning_rate, turns, present)
            return
        taking_part = turns.visited(w)
        if present is not None:
            taking_part &= present[:, None]
        share1 = taking_part.to(w.dtype)
        share2 = share1 * (1.0 - BETAS[1])
        share1 *= 1.0 - BETAS[0]
        self._first.lerp_(gradient, share1)
        self._weight1.lerp_(torch.ones_like(w), share1)
        self._second.lerp_(gradient.square(), share2)
        self._weight2.lerp_(torch.ones_like(w), share2)
        # Of a parameter that never took part both are 0, and it is not moved below.
        spread = (self._second / self._weight2.clamp_min(EPS)).sqrt_().add_(EPS)
        step = spread.reciprocal_().mul_(learning_rate)
        # As above.
        slope = self._first / self._weight1.clamp_min(EPS)
        moved = soft_threshold(w - step * slope, step * rate)
        w.copy_(torch.where(taking_part, moved, w))

    def _compiled_step(
        self,
        gradient: Tensor,
        rate: Tensor,
        learning_rate: float,
        turns: Turns,
        present: Tensor | None,
    ) -> None:
        """Take the same step in one pass over the loadings."""
        # Imported where it is needed: numba takes a moment.
        from poems.nn.kernels.adam import proximal_step

        if present is None:
            present = torch.ones(len(self._loadings), dtype=torch.bool)
        proximal_step(
            self._loadings.numpy(),
            self._first.numpy(),
            self._second.numpy(),
            self._weight1.numpy(),
            self._weight2.numpy(),
            gradient.contiguous().numpy(),
            rate.contiguous().numpy(),
            present.numpy(),
            learning_rate,
            BETAS,
            EPS,
            turns.every,
            turns.phase,
        )
