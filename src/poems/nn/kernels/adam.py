"""Steps of Adam and proximal Adam on the processor, one pass each, compiled by numba."""

from __future__ import annotations

import math

from poems.nn.kernels.compiling import Array, compiled


@compiled
def adam_step(
    w: Array,
    first: Array,
    second: Array,
    gradient: Array,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    n_steps: int,
) -> None:
    """Move parameters by Adam's step number ``n_steps``; arrays of shape (n_entries,)."""
    number = w.dtype.type
    new1, new2, least = number(1 - betas[0]), number(1 - betas[1]), number(eps)
    size = number(learning_rate / (1 - betas[0] ** n_steps))
    stretch = number(1 / math.sqrt(1 - betas[1] ** n_steps))
    for i in range(len(w)):
        g = gradient[i]
        first[i] += new1 * (g - first[i])
        second[i] += new2 * (g * g - second[i])
        w[i] -= size * first[i] / (math.sqrt(second[i]) * stretch + least)


@compiled
def proximal_step(
    W: Array,
    first: Array,
    second: Array,
    weight1: Array,
    weight2: Array,
    gradient: Array,
    rate: Array,
    there: Array,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    every: int,
    phase: int,
) -> None:
    """Move the loadings, see :mod:`poems.training.proximal`.

    W, the moments with their weights, gradient and rate: (n_features, n_latent); there:
    (n_features,), which features take part. Zero loadings do in the features with
    ``j % every == phase``.
    """
    number = W.dtype.type
    new1, new2 = number(1 - betas[0]), number(1 - betas[1])
    least, size, one, zero = number(eps), number(learning_rate), number(1), number(0)
    for j in range(W.shape[0]):
        if not there[j]:
            continue
        turn = j % every == phase
        w, m, v, part1, part2 = W[j], first[j], second[j], weight1[j], weight2[j]
        g, r = gradient[j], rate[j]
        for k in range(W.shape[1]):
            if turn or w[k] != zero:
                m[k] += new1 * (g[k] - m[k])
                v[k] += new2 * (g[k] * g[k] - v[k])
                part1[k] += new1 * (one - part1[k])
                part2[k] += new2 * (one - part2[k])
                step = size / (math.sqrt(v[k] / max(part2[k], least)) + least)
                moved = w[k] - step * m[k] / max(part1[k], least)
                shrunk = max(abs(moved) - step * r[k], zero)
                w[k] = shrunk if moved > zero else -shrunk
