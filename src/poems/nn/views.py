"""Features of several views, which lie one view's after the other's."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=16)
def view_of_features(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """View of each feature where the views' features lie one after the other: (n_features,).

    Parameters
    ----------
    sizes
        Number of features of each view.

    Examples
    --------
    >>> view_of_features((2, 1), torch.device("cpu")).tolist()
    [0, 0, 1]
    """
    return torch.repeat_interleave(torch.tensor(sizes)).to(device)
