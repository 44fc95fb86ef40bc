"""The least that a step of the sparse decoder can take: its operations, counted, at measured speed.

Counted from a pattern of loadings, for each feature with s loadings that are not zero and r whose
derivative is wanted (the same, or all K where its zeros are visited), n samples and h hidden units:

- s >= 2: n h (2 s + 1) forwards (s multiply-adds, a comparison, s masked additions) and
  n h (s + 1 + r) backwards.
- s = 1: a line has two half-spaces, so 4 h + 2 n forwards and r (4 n + 2 h) backwards.
- s = 0: nothing forwards, r n backwards.
- the pointwise rest: s (2 h + 2 n) forwards, s (4 h + 2 n) + r (2 h + n) backwards.

A multiply-add, a comparison, a selection and a masked addition count one each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from poems.nn.decode import Turns


@dataclass(frozen=True)
class Counts:
    """Operations and bytes of one step, forwards and backwards."""

    operations: int
    bytes: int

    def seconds(self, rate: float, bandwidth: float) -> float:
        """Return the time at so many operations and bytes a second."""
        return self.operations / rate + self.bytes / bandwidth


def count_step(loadings: Tensor, n_samples: int, n_hidden: int, turns: Turns) -> Counts:
    """Count a step of the sparse kernel; ``loadings`` is of shape (n_features, n_latent)."""
    s, r = _sizes(loadings, turns)
    n, h = n_samples, n_hidden
    many, one, none = s >= 2, s == 1, s == 0
    forwards = (n * h * (2 * s + 1) * many).sum() + ((4 * h + 2 * n) * one).sum()
    backwards = (n * h * (s + 1 + r) * many).sum()
    backwards += (r * (4 * n + 2 * h) * one).sum() + (r * n * none).sum()
    pointwise = (s * (6 * h + 4 * n) + r * (2 * h + n)).sum()
    # Slopes of non-zero loadings are written and read again.
    return Counts(
        int(forwards + backwards + pointwise),
        _bytes(loadings, s, r, n, h, kept=2 * n * int(s.sum())),
    )


def _sizes(loadings: Tensor, turns: Turns) -> tuple[Any, Any]:
    s = np.count_nonzero(loadings.detach().numpy(), axis=1)
    return s, np.count_nonzero(turns.visited(loadings.detach()).numpy(), axis=1)


def _bytes(loadings: Tensor, s: Any, r: Any, n: int, h: int, *, kept: int) -> int:
    """Count what a step reads and writes at least once, in bytes of single precision.

    Twice W, heads that are needed, z and A; predictions and their derivative; derivatives of all;
    ``kept`` entries are written forwards and read backwards.
    """
    n_features, n_latent = loadings.shape
    heads = h * int((s > 0).sum()) + h * int((r > 0).sum()) + n_features * h
    shared = 3 * (n_latent * n + n_latent * h)
    return 4 * (3 * n_features * n_latent + heads + shared + 2 * n_features * n + kept)
