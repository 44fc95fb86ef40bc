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

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from torch import Tensor

from poems.nn.decode import Turns
from poems.nn.kernels.halfspaces import compiled

L3 = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")


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


def count_naive(loadings: Tensor, n_samples: int, n_hidden: int, turns: Turns) -> Counts:
    """Count a step that computes hidden units and knows no closed form, on the same pattern.

    n h (s + 2) operations forwards (s multiply-adds, relu, a multiply-add into the prediction)
    and n h (2 s + r + 2) backwards (s multiply-adds for the hidden units once more, for keeping
    them would cost more; their derivative, a multiply-add into the heads', s into the latents', r
    into the loadings'); features without loadings as in the sparse kernel.
    """
    s, r = _sizes(loadings, turns)
    n, h = n_samples, n_hidden
    alive = s > 0
    operations = (n * h * (3 * s + r + 4) * alive).sum() + (r * (n + 2 * h) * ~alive).sum()
    return Counts(int(operations), _bytes(loadings, s, r, n, h, kept=0))


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


@compiled
def _half_spaces(x: Any, y: Any, q: Any, total: Any, repeats: int) -> None:
    """Eight half-spaces of two latents over points that stay in L1, their sums in registers."""
    zero = x.dtype.type(0)
    a0, b0, c0, d0, e0, f0, g0, h0 = q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7]
    step = q[8]
    for _ in range(repeats):
        a = b = c = d = e = f = g = h = zero
        i = j = k = l = m = n = o = p = zero  # noqa: E741
        a0 += step
        for at in range(len(x)):
            s, t = x[at], y[at]
            in_a, in_b = a0 * s + b0 * t > zero, b0 * s + c0 * t > zero
            in_c, in_d = c0 * s + d0 * t > zero, d0 * s + e0 * t > zero
            in_e, in_f = e0 * s + f0 * t > zero, f0 * s + g0 * t > zero
            in_g, in_h = g0 * s + h0 * t > zero, h0 * s + a0 * t > zero
            a += s if in_a else zero
            b += s if in_b else zero
            c += s if in_c else zero
            d += s if in_d else zero
            e += s if in_e else zero
            f += s if in_f else zero
            g += s if in_g else zero
            h += s if in_h else zero
            i += t if in_a else zero
            j += t if in_b else zero
            k += t if in_c else zero
            l += t if in_d else zero  # noqa: E741
            m += t if in_e else zero
            n += t if in_f else zero
            o += t if in_g else zero
            p += t if in_h else zero
        total[0] += a + b + c + d + e + f + g + h
        total[1] += i + j + k + l + m + n + o + p


@compiled
def _triad(a: Any, b: Any, c: Any) -> None:
    two = a.dtype.type(2)
    for i in range(len(a)):
        a[i] = b[i] + two * c[i]


def operation_rate() -> float:
    """Measure operations a second of one core: five a point and half-space, all in L1."""
    n, repeats = 1024, 4000
    rng = np.random.default_rng(0)
    x, y, q = (rng.standard_normal(size).astype(np.float32) for size in (n, n, 9))
    q[8] = 1e-6
    total = np.zeros(2, np.float32)
    return 8 * 5 * n * repeats / _best(lambda: _half_spaces(x, y, q, total, repeats))


def bandwidth() -> float:
    """Measure bytes a second of one core, in arrays four times as large as the last cache."""
    text = L3.read_text().strip() if L3.exists() else "32768K"
    size = int(text.rstrip("K")) * 1024
    a, b, c = (np.ones(4 * size // 4, np.float32) for _ in range(3))
    return 3 * a.nbytes / _best(lambda: _triad(a, b, c))


def _best(work: Callable[[], None], rounds: int = 9) -> float:
    """Median of the faster half: a floor is to be a floor, also on a machine that is shared."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(sorted(times)[: (rounds + 1) // 2])
