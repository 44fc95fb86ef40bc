"""Parameters of several views as one tensor, without a copy once they lie in one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

# Where the first of the parameters holds the one tensor, and where in memory each of them lay.
_MARK = "_joint_with"


def joint(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate along the first dimension: by a copy, unless :func:`lay_jointly` was called.

    Parameters
    ----------
    parts
        Of the same shape but for the first dimension.

    Examples
    --------
    >>> joint([torch.ones(1, 2), torch.zeros(2, 2)]).shape
    torch.Size([3, 2])
    """
    if len(parts) == 1:
        return parts[0]
    whole, places = getattr(parts[0], _MARK, (None, []))
    # Parameters that were moved elsewhere since have left the tensor behind.
    if isinstance(whole, Tensor) and places == [part.data_ptr() for part in parts]:
        return whole
    return torch.cat(list(parts))


@lru_cache(maxsize=16)
def view_of_features(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """View of each feature where the views' features lie one after the other: (n_features,).

    >>> view_of_features((2, 1), torch.device("cpu")).tolist()
    [0, 0, 1]
    """
    return torch.repeat_interleave(torch.tensor(sizes)).to(device)


def spread(whole: Tensor, parts: Sequence[Tensor]) -> None:
    """Write what :func:`joint` returned, and was changed since, where it came from."""
    if whole.data_ptr() == parts[0].data_ptr():
        return
    for part, value in zip(parts, torch.split(whole, [len(part) for part in parts]), strict=True):
        part.copy_(value)


def lay_buffers_jointly(parts: Sequence[Tensor]) -> None:
    """Let tensors without gradients lie in one, in which :func:`joint` finds them.

    Parameters
    ----------
    parts
        Of the same shape but for the first dimension.
    """
    whole = torch.cat(list(parts))
    for part, value in zip(parts, torch.split(whole, [len(part) for part in parts]), strict=True):
        part.data = value
    setattr(parts[0], _MARK, (whole, [part.data_ptr() for part in parts]))


def lay_jointly(parts: Sequence[nn.Parameter], values: Tensor, gradient: Tensor) -> None:
    """Let parameters lie in one tensor, in which :func:`joint` finds them and their gradients.

    Parameters
    ----------
    parts
        Parameters of the same shape but for the first dimension.
    values, gradient
        Memory for them and for their gradients, of shape (total number of entries,).
    """
    start = 0
    for part in parts:
        there = slice(start, start + part.numel())
        part.data, part.grad = values[there].view_as(part), gradient[there].view_as(part)
        start = there.stop
    if len(parts) > 1:
        shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
        whole = nn.Parameter(values.view(shape))
        whole.grad = gradient.view(shape)
        setattr(parts[0], _MARK, (whole, [part.data_ptr() for part in parts]))
