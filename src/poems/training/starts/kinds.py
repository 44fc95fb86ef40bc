"""Starts: effects and noise from which training begins, found before it.

A start is a function of the training samples, the number of latents and, by view, how much each
feature counts, that returns, for the views of which it says anything, a :class:`LinearStart`;
decoders without loadings pass it over. To add one, write the function and register it in
:data:`poems.settings.parts.STARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from poems.scaling.batch import Batch, SampleSource
from poems.scaling.disk.batches import BackedBatches
from poems.training.starts.linear import sparse_linear_start
from poems.training.starts.on_disk import backed_linear_start


class LinearStart(NamedTuple):
    """A view's effects, (n_features, n_latent), and what they leave: standard deviations.

    ``residual``: (n_features,), on the model's scale; 0 where nothing is known.
    """

    effects: Tensor
    residual: Tensor


Weights = Mapping[str, Tensor]
Start = Callable[[SampleSource, int, Weights], Mapping[str, LinearStart]]


def sparse_linear(data: SampleSource, n_latent: int, weights: Weights) -> Mapping[str, LinearStart]:
    """Start from thresholded, varimax-rotated principal components."""
    if isinstance(data, BackedBatches):
        found = backed_linear_start(data, n_latent, weights)
    else:
        assert isinstance(data, Batch)
        found = sparse_linear_start(data, n_latent, weights)
    return {name: LinearStart(*parts) for name, parts in found.items()}


def drawn(data: SampleSource, n_latent: int, weights: Weights) -> Mapping[str, LinearStart]:
    """Start where parameters were drawn: nothing is said of any view."""
    return {}
