"""Encoder: one view's values to a Gaussian expert over the latents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

# Log precisions are bounded smoothly to +- this, so that exp() cannot overflow.
_LOG_PRECISION_BOUND = 12.0


class Dropout(nn.Module):
    """Dropout by comparing uniform numbers, which on processors is several times faster.

    Parameters
    ----------
    share
        Probability of dropping a unit; the others are divided by ``1 - share``.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Drop units while training; return the input as it is otherwise."""
        if not self.training or self.share == 0.0:
            return x
        # Numbers of 8 bits cannot hit the share, where products are in bfloat16.
        drawn = torch.rand_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
        return x * (drawn >= self.share).to(x.dtype).div_(1.0 - self.share)


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
        hidden: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            hidden += [nn.Linear(n_in, n_out), nn.ReLU(), Dropout(dropout)]
        self.hidden = nn.Sequential(*hidden)
        self.loc = nn.Linear(sizes[-1], n_latent)
        self.log_precision = nn.Linear(sizes[-1], n_latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``loc`` and ``log_precision``, each (n_samples, n_latent)."""
        loc, log_precision = encode_views([self], [x], [None], len(x))
        return loc[0], log_precision[0]

    def linear_layers(self) -> list[nn.Linear]:
        """The hidden layers' linear maps, from the input on."""
        return [layer for layer in self.hidden if isinstance(layer, nn.Linear)]

    def drop(self, h: Tensor) -> Tensor:
        """Apply the dropout after a hidden layer."""
        dropped: Tensor = self.hidden[-1](h)
        return dropped


def encode_views(
    encoders: Sequence[Encoder],
    inputs: Sequence[Tensor],
    rows: Sequence[Tensor | None],
    n_samples: int,
) -> tuple[Tensor, Tensor]:
    """Encode several views of some samples, their equal layers in one product each.

    Parameters
    ----------
    encoders
        One a view, with the same layers but for the first one's width.
    inputs
        Values of the samples that have the view, (n_rows, n_features) each.
    rows
        Which samples these are, positions of shape (n_rows,), or ``None`` for all.
    n_samples
        Number of samples.

    Returns
    -------
    ``loc`` and ``log_precision`` of shape (n_views, n_samples, n_latent); both
    are zero for samples without the view.
    """
    layers = list(zip(*(encoder.linear_layers() for encoder in encoders), strict=True))
    widths = encoders[0].loc.out_features
    heads = [part for encoder in encoders for part in (encoder.loc, encoder.log_precision)]
    if layers:
        first = [layer(x) for layer, x in zip(layers[0], inputs, strict=True)]
        h = encoders[0].drop(_in_place(first, rows, n_samples).relu_())
        for layer in layers[1:]:
            weight = torch.stack([part.weight for part in layer])
            bias = torch.stack([part.bias for part in layer])[:, None]
            h = encoders[0].drop(torch.baddbmm(bias, h, weight.mT).relu_())
        weight = torch.cat([part.weight for part in heads]).view(len(encoders), 2 * widths, -1)
        bias = torch.cat([part.bias for part in heads]).view(len(encoders), 1, -1)
        both = torch.baddbmm(bias, h, weight.mT)
    else:
        outputs = [
            torch.cat([encoder.loc(x), encoder.log_precision(x)], dim=1)
            for encoder, x in zip(encoders, inputs, strict=True)
        ]
        both = _in_place(outputs, rows, n_samples)
    # Products may be in bfloat16 (see ``precision``), but what follows them is not.
    loc, raw = both.to(inputs[0].dtype).split(widths, dim=2)  # type: ignore[no-untyped-call]
    log_precision = _LOG_PRECISION_BOUND * torch.tanh(raw / _LOG_PRECISION_BOUND)
    if any(row is not None for row in rows):
        there = loc.new_zeros(len(encoders), n_samples, 1, dtype=torch.bool)
        for i, row in enumerate(rows):
            there[i, slice(None) if row is None else row] = True
        loc, log_precision = torch.where(there, loc, 0.0), torch.where(there, log_precision, 0.0)
    return loc, log_precision


def _in_place(parts: Sequence[Tensor], rows: Sequence[Tensor | None], n_samples: int) -> Tensor:
    """Stack outputs of each view's samples, zero where a sample lacks the view."""
    whole = [
        part if row is None else part.new_zeros(n_samples, part.shape[1]).index_copy(0, row, part)
        for part, row in zip(parts, rows, strict=True)
    ]
    return torch.stack(whole)
