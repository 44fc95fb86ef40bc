"""Encoder: one view's values to a Gaussian expert over the latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

from poems.nn.dropout import Dropout

# Log precisions are bounded smoothly to +- this, so that exp() cannot overflow.
_LOG_PRECISION_BOUND = 12.0


class Encoder(nn.Module):
    """A multilayer perceptron that returns a Gaussian's location and log precision.

    Parameters
    ----------
    n_features
        Width of the input.
    n_latent
        Width of each output.
    layers
        Hidden units of each layer.
    dropout
        Dropout after each hidden layer.
    """

    def __init__(
        self, n_features: int, n_latent: int, layers: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        sizes = [n_features, *layers]
        self.dropout = Dropout(dropout)
        # The hidden layers' linear maps, from the input on.
        self.linear_layers = tuple(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))
        hidden = ([layer, nn.ReLU(), self.dropout] for layer in self.linear_layers)
        self.hidden = nn.Sequential(*chain.from_iterable(hidden))
        self.loc = nn.Linear(sizes[-1], n_latent)
        self.log_precision = nn.Linear(sizes[-1], n_latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``loc`` and ``log_precision``, each (n_samples, n_latent)."""
        measured = torch.ones(len(x), 1, dtype=torch.bool, device=x.device)
        loc, log_precision = encode_views([self], [x], [None], measured)
        return loc[0], log_precision[0]


def encode_views(
    encoders: Sequence[Encoder],
    inputs: Sequence[Tensor],
    rows: Sequence[Tensor | None],
    measured: Tensor,
) -> tuple[Tensor, Tensor]:
    """Encode several views of some samples, their equal layers in one product each.

    Parameters
    ----------
    encoders
        One per view, with the same layers but for the first one's width.
    inputs
        Values of the samples that have the view, (n_rows, n_features) each.
    rows
        Which samples these are, positions of shape (n_rows,), or ``None`` for all.
    measured
        The same as booleans of shape (n_samples, n_views).

    Returns
    -------
    ``loc`` and ``log_precision`` of shape (n_views, n_samples, n_latent); both
    are zero for samples without the view.
    """
    # Units by samples, so that the derivatives of the weights lie as the weights do.
    pairs = list(zip(encoders, inputs, strict=True))
    if encoders[0].linear_layers:
        first = [_by_samples(encoder.linear_layers[0], x) for encoder, x in pairs]
        h = _in_place(first, rows, len(measured))
        for weight, bias in _stacked_layers(encoders):
            h = torch.baddbmm(bias[..., None], weight, encoders[0].dropout(h.relu_()))
    else:
        heads = [
            torch.cat([_by_samples(encoder.loc, x), _by_samples(encoder.log_precision, x)])
            for encoder, x in pairs
        ]
        h = _in_place(heads, rows, len(measured))
    # Products may be in bfloat16 (see ``precision``), but what follows them is not.
    both = h.mT.contiguous().to(inputs[0].dtype)
    if any(row is not None for row in rows):
        both = both * measured.T[..., None]
    loc, raw = both.chunk(2, dim=2)
    return loc, _LOG_PRECISION_BOUND * torch.tanh(raw / _LOG_PRECISION_BOUND)


def _stacked_layers(encoders: Sequence[Encoder]) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights (n_views, n_out, n_in) and biases (n_views, n_out) of the layers after the first.

    The last is that of both heads, loc's units before those of log_precision.
    """
    for layers in zip(*(encoder.linear_layers[1:] for encoder in encoders), strict=True):
        yield (
            torch.stack([layer.weight for layer in layers]),
            torch.stack([layer.bias for layer in layers]),
        )
    heads = [head for encoder in encoders for head in (encoder.loc, encoder.log_precision)]
    weight, bias = torch.cat([h.weight for h in heads]), torch.cat([h.bias for h in heads])
    yield weight.view(len(encoders), -1, weight.shape[1]), bias.view(len(encoders), -1)


def _by_samples(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer's outputs, of shape (n_units, n_rows)."""
    return torch.addmm(layer.bias[:, None], layer.weight, x.T)


def _in_place(parts: Sequence[Tensor], rows: Sequence[Tensor | None], n_samples: int) -> Tensor:
    """Stack outputs for each view's samples, zero where a sample lacks the view."""
    whole = [
        part if row is None else part.new_zeros(len(part), n_samples).index_copy(1, row, part)
        for part, row in zip(parts, rows, strict=True)
    ]
    return torch.stack(whole)
