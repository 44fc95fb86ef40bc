"""Terms of views whose kernel computes derivatives along with the likelihood, on the processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from poems.nn.compilers import compiled_for

Kernel = Callable[..., None]


def goes_by_hand(x: Tensor, weight: Tensor | None) -> bool:
    """Whether kernels serve: on a processor, and for samples that count alike.

    >>> goes_by_hand(torch.zeros(2, 3), torch.ones(2))
    False
    """
    return weight is None and compiled_for(x.device)


def terms_by_hand(
    kernel: Callable[[], Kernel],
    parameters: Sequence[Tensor],
    x: Tensor,
    eta: Tensor,
    observed: Tensor | None,
) -> Tensor:
    """Compute what ``Likelihood.of_features`` does in one pass of a kernel.

    Parameters
    ----------
    kernel
        Imports the kernel: compilers take a moment. It is called with x, eta, each of the
        parameters, booleans that say which values are there (of shape (1, 1) for all), and what
        it writes into: the derivative for eta, then, zeros in double precision, sums over samples
        of those for each parameter, and of the negative log-likelihood.
    parameters
        Of the features, (n_features, …); their derivatives from here on are autograd's.
    x, eta, observed
        As ``Likelihood.of_features`` takes them.
    """
    found: Tensor = _Terms.apply(kernel, observed, x, eta, *parameters)  # type: ignore[no-untyped-call]
    return found


class _Terms(Function):
    """Negative log-likelihood of each feature, (n_features,)."""

    @staticmethod
    def forward(
        ctx: Any,
        kernel: Callable[[], Kernel],
        there: Tensor | None,
        x: Tensor,
        eta: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        mask = np.ones((1, 1), dtype=bool) if there is None else there.contiguous().numpy()
        given = [each.detach().contiguous().numpy() for each in (x, eta, *parameters)]
        slope = np.empty_like(given[1])
        sums = [np.zeros(each.shape) for each in parameters]
        nll = np.zeros(x.shape[1])
        kernel()(*given, mask, slope, *sums, nll)
        ctx.save_for_backward(*(torch.from_numpy(each).to(eta.dtype) for each in (slope, *sums)))
        return torch.from_numpy(nll).to(eta.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        slope, *sums = ctx.saved_tensors
        (g,) = grads
        of_parameters = (
            each * g.view(-1, *[1] * (each.ndim - 1)) if each.numel() else each for each in sums
        )
        return None, None, None, slope * g, *of_parameters
