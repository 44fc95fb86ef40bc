"""AdamW of parameters that lie in one tensor: compiled on processors, PyTorch's own elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from poems.nn.compilers import compiled_for
from poems.training.state import set_tensors

# Decay of the moments, and what keeps a step finite: Adam's usual constants.
BETAS = (0.9, 0.999)
EPS = 1e-8


class FlatAdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) whose weight decay reaches a part.

    Parameters
    ----------
    flat
        Parameter of shape (n_entries,), with its gradient.
    n_decayed
        Entries, from the first on, that weight decay reaches.
    weight_decay
        Its rate.

    Examples
    --------
    >>> flat = nn.Parameter(torch.tensor([1.0, 1.0]))
    >>> flat.grad = torch.tensor([2.0, 0.0])
    >>> FlatAdamW(flat, n_decayed=2, weight_decay=1.0).step(learning_rate=0.1)
    >>> [round(x, 3) for x in flat.tolist()]
    [0.8, 0.9]
    """

    def __init__(self, flat: nn.Parameter, n_decayed: int, weight_decay: float) -> None:
        self._flat = flat
        self._decayed = flat.detach()[:n_decayed]
        self._weight_decay = weight_decay
        self._compiled = compiled_for(flat.device)
        if self._compiled:
            self._first, self._second = torch.zeros(2, len(flat), dtype=flat.dtype)
            self._n_steps = 0
        else:
            self._adam = torch.optim.AdamW(
                [flat], betas=BETAS, eps=EPS, weight_decay=0.0, fused=True
            )

    def step(self, learning_rate: float) -> None:
        """Take a step of this size by the parameter's gradient."""
        with torch.no_grad():
            self._decayed.mul_(1.0 - learning_rate * self._weight_decay)
        if self._compiled:
            self._compiled_step(learning_rate)
            return
        self._adam.param_groups[0]["lr"] = learning_rate
        self._adam.step()

    def tensors(self) -> dict[str, Tensor]:
        """Return the moments and the number of steps, to be stored."""
        if self._compiled:
            steps = torch.tensor(float(self._n_steps))
            return {"first": self._first, "second": self._second, "steps": steps}
        kept = self._adam.state[self._flat]
        if not kept:
            # As the optimiser makes them at its first step.
            zeros = torch.zeros_like(self._flat, requires_grad=False)
            steps = torch.zeros((), device=self._flat.device)
            kept.update(step=steps, exp_avg=zeros, exp_avg_sq=zeros.clone())
        return {"first": kept["exp_avg"], "second": kept["exp_avg_sq"], "steps": kept["step"]}

    def set_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Bring back what :meth:`tensors` returned."""
        set_tensors(self.tensors(), tensors)
        if self._compiled:
            self._n_steps = int(tensors["steps"])

    def _compiled_step(self, learning_rate: float) -> None:
        # Imported where it is needed: numba takes a moment.
        from poems.nn.kernels.adam import adam_step

        assert isinstance(self._flat.grad, Tensor)
        self._n_steps += 1
        adam_step(
            self._flat.detach().numpy(),
            self._first.numpy(),
            self._second.numpy(),
            self._flat.grad.numpy(),
            learning_rate,
            BETAS,
            EPS,
            self._n_steps,
        )
