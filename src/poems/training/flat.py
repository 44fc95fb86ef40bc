"""Parameters laid out in one run of memory, so that an optimiser sees one tensor, not fifty."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def flatten_parameters(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Move parameters into one tensor, of which they and their gradients become views.

    What is done to the tensor or its gradient is done to all of them: a step of an
    optimiser, setting gradients to zero, their norm. The parameters themselves are
    used as before; backward passes add to their gradients in place.

    Parameters
    ----------
    parameters
        Of one dtype and device.

    Returns
    -------
    Parameter of shape (total number of entries,), its gradient zero.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> flat = flatten_parameters(list(layer.parameters()))
    >>> _ = layer(torch.ones(1, 2)).backward()
    >>> flat.grad
    tensor([1., 1., 1.])
    """
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [p.numel() for p in parameters]
    places = zip(torch.split(flat.detach(), sizes), torch.split(flat.grad, sizes), strict=True)
    for parameter, (values, gradient) in zip(parameters, places, strict=True):
        parameter.data, parameter.grad = values.view_as(parameter), gradient.view_as(parameter)
    return flat
