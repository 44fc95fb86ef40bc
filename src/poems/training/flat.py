"""Parameters laid out in one run of memory, so that an optimiser sees one tensor, not fifty."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from poems.nn.joint import lay_jointly


def flatten_parameters(groups: Sequence[Sequence[nn.Parameter]]) -> nn.Parameter:
    """Move parameters into one tensor, of which they and their gradients become views.

    What is done to the tensor or its gradient is done to all of them: a step of an
    optimiser, setting gradients to zero, their norm. The parameters themselves are
    used as before; backward passes add to their gradients in place.

    Parameters
    ----------
    groups
        Parameters of one dtype and device. Those of a group are used as one tensor
        (:func:`poems.nn.joint.joint`), so they differ in the first dimension alone.

    Returns
    -------
    Parameter of shape (total number of entries,), its gradient zero.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> flat = flatten_parameters([[p] for p in layer.parameters()])
    >>> _ = layer(torch.ones(1, 2)).backward()
    >>> flat.grad
    tensor([1., 1., 1.])
    """
    values = torch.cat([p.detach().reshape(-1) for group in groups for p in group])
    flat = nn.Parameter(values)
    flat.grad = torch.zeros_like(values)
    start = 0
    for group in groups:
        part = slice(start, start + sum(p.numel() for p in group))
        lay_jointly(group, values[part], flat.grad[part])
        start = part.stop
    return flat
