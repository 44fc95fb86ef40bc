"""The sparse kernel on the processor: arrays in and out of the compiled rows.

Features are shared out among threads in equal runs, whose sums are added in order:
the same number of threads gives the same result, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from poems.nn.kernels.compiling import Array
from poems.nn.kernels.norms import to_norm, to_norm_backward
from poems.nn.kernels.rows import backward_rows, first_slopes, forward_rows, jacobian_rows
from poems.nn.kernels.vectors import LANES

# What ``sparse_forward`` can be told besides its tensors.
OPTIONS = ("norms", "keep")


@dataclass(frozen=True)
class Forwards:
    """What the backward pass needs of the forward one, as arrays of whole vectors."""

    W: Array
    zt: Array
    A: Array
    u: Array
    view: Array
    at: Array
    slopes: Array
    scales: tuple[Array, Array] | None


def sparse_forward(
    z: Tensor,
    W: Tensor,
    A: Tensor,
    u: Tensor,
    b: Tensor,
    view: Tensor,
    *,
    norms: tuple[float, float] | None = None,
    keep: bool = True,
) -> tuple[Tensor, Forwards]:
    """Predict all features.

    Parameters
    ----------
    z
        Latents, of shape (n_samples, n_latent).
    W, u, b
        Loadings (n_features, n_latent), heads (n_features, n_hidden) and
        offsets (n_features,).
    A
        Hidden weights of each view, of shape (n_views, n_hidden, n_latent).
    view
        View of each feature, of shape (n_features,).
    norms
        What the columns of A and the rows of u are brought to before, if anything.
    keep
        Whether gradients are wanted, for which the slopes of all non-zero loadings are kept:
        a number per sample and loading.

    Returns
    -------
    Predictions of shape (n_samples, n_features), and what the gradients need.
    """
    eta, kept = _forward(z, W, A, u, b, view, norms=norms, keep=keep)
    return torch.from_numpy(_transposed(eta[:, : len(z)])), kept


def _forward(
    *given: Tensor, norms: tuple[float, float] | None = None, keep: bool = True
) -> tuple[Array, Forwards]:
    """Do this, and return predictions as they are made, one feature's after the other's."""
    z, W, A, u, b, view = given
    zt, mixing = _padded(z.T), _padded(A.transpose(1, 2))
    loadings, heads, offsets = (x.detach().contiguous().numpy() for x in (W, u, b))
    scales = None
    if norms is not None:
        mixing, scale_A = _of_norm(mixing, norms[0])
        heads, scale_u = _of_norm(heads, norms[1])
        scales = scale_A, scale_u
    at, n_latent = np.zeros(len(loadings), np.int64), loadings.shape[1]
    n_slopes = first_slopes(loadings, at) if keep else 0
    eta = np.empty((len(loadings), zt.shape[1]), zt.dtype)
    slopes = np.empty((n_slopes, zt.shape[1]), zt.dtype)
    kept = Forwards(loadings, zt, mixing, heads, view.numpy(), at, slopes, scales)

    def run(_: int, first: int, last: int) -> None:
        into = slopes if keep else np.empty((n_latent, zt.shape[1]), zt.dtype)
        forward_rows(first, last, loadings, zt, mixing, heads, offsets, kept.view, at, eta, into)

    _share_out(len(loadings), run)
    return eta, kept


def sparse_backward(
    kept: Forwards, g: Tensor, every: int, phase: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of z, W, A and u, given that of the predictions.

    Zero loadings get theirs in the features with ``j % every == phase``, and 0
    elsewhere.
    """
    n_samples, n_hidden = len(g), kept.u.shape[1]
    gt = np.zeros((len(kept.W), kept.zt.shape[1]), kept.zt.dtype)
    gt[:, :n_samples] = g.numpy().T
    n_parts = _n_parts(len(kept.W))
    grad_z = np.zeros((n_parts, *kept.zt.shape), kept.zt.dtype)
    grad_A = np.zeros((n_parts, *kept.A.shape), kept.zt.dtype)
    grad_W, grad_u = np.zeros_like(kept.W), np.zeros_like(kept.u)

    def run(part: int, first: int, last: int) -> None:
        backward_rows(
            first,
            last,
            kept.W,
            kept.zt,
            kept.A,
            kept.u,
            kept.view,
            kept.at,
            kept.slopes,
            gt,
            every,
            phase,
            grad_z[part],
            grad_W,
            grad_A[part],
            grad_u,
        )

    _share_out(len(kept.W), run)
    of_z, of_A = (parts[0] if n_parts == 1 else parts.sum(axis=0) for parts in (grad_z, grad_A))
    if kept.scales is not None:
        to_norm_backward(_rows(of_A), _rows(kept.A), kept.scales[0])
        to_norm_backward(grad_u, kept.u, kept.scales[1])
    return (
        torch.from_numpy(of_z[:, :n_samples]).T,
        torch.from_numpy(grad_W),
        torch.from_numpy(of_A[:, :, :n_hidden]).transpose(1, 2),
        torch.from_numpy(grad_u),
    )


def _linearised(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> Forwards:
    """Return what a forward pass of one view keeps, A of shape (n_hidden, n_latent)."""
    b, view = W.new_zeros(len(W)), torch.zeros(len(W), dtype=torch.long)
    return _forward(z, W, A[None], u, b, view)[1]


# Slopes that are in memory at once, for derivatives of many samples.
_MOST_SLOPES = 1 << 25


def sparse_jacobian(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Average the derivatives of one view's predictions over samples.

    The same as :func:`poems.nn.kernels.blockwise.blockwise_jacobian`, from the
    slopes of non-zero loadings; A is of shape (n_hidden, n_latent).
    """
    mean, size = np.zeros(W.shape), np.zeros(W.shape)
    gram = np.zeros((W.shape[1], W.shape[1]))
    most = max(LANES, _MOST_SLOPES // max(1, int(torch.count_nonzero(W))))
    for part in torch.split(z, most):
        kept = _linearised(part, W, A, u)
        jacobian_rows(kept.W, kept.at, kept.slopes, len(part), mean, size, gram)
    total, absolute, products = (
        torch.from_numpy(x / max(1, len(z))).to(z.dtype) for x in (mean, size, gram)
    )
    return total, absolute, products


def packed_slopes(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute one view's derivatives of each sample where loadings are not zero.

    Returns
    -------
    Feature and factor of each such loading, (n_pairs,), one feature's after the other's, and the
    derivatives, of shape (n_pairs, n_samples).
    """
    kept = _linearised(z, W, A, u)
    features, factors = W.nonzero(as_tuple=True)
    own = torch.from_numpy(kept.slopes[: len(features), : len(z)])
    return features, factors, own * W[features, factors][:, None]


def sparse_slopes(z: Tensor, W: Tensor, A: Tensor, u: Tensor) -> Tensor:
    """Compute one view's derivatives of each sample, (n_samples, n_features, n_latent)."""
    features, factors, values = packed_slopes(z, W, A, u)
    slopes = z.new_zeros(len(z), *W.shape)
    slopes[:, features, factors] = values.T
    return slopes


def _padded(x: Tensor) -> Array:
    """Copy into an array whose last dimension is whole vectors, with zeros at its end."""
    given = x.detach().numpy()
    width = -(-x.shape[-1] // LANES) * LANES
    padded = np.zeros((*given.shape[:-1], width), given.dtype)
    padded[..., : x.shape[-1]] = given
    return padded


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _of_norm(x: Array, norm: float) -> tuple[Array, Array]:
    """Bring an array's rows to a norm; return them and what they were multiplied by."""
    y, scale = np.empty_like(x), np.empty(x.size // x.shape[-1], x.dtype)
    to_norm(_rows(x), norm, _rows(y), scale)
    return y, scale


# Rows that are transposed at once, so that they stay in the cache.
_TRANSPOSED_ROWS = 512


def _transposed(x: Array) -> Array:
    """Copy an array into one whose rows are its columns."""
    columns = np.empty(x.shape[::-1], x.dtype)
    for first in range(0, len(x), _TRANSPOSED_ROWS):
        part = slice(first, first + _TRANSPOSED_ROWS)
        columns[:, part] = x[part].T
    return columns


# Features that are worth a thread of their own.
_FEWEST_FEATURES = 64


def _n_parts(n_features: int) -> int:
    return max(1, min(torch.get_num_threads(), n_features // _FEWEST_FEATURES))


def _share_out(n_features: int, run: Callable[[int, int, int], None]) -> None:
    """Call ``run(part, first, last)`` for runs of features, side by side."""
    n_parts = _n_parts(n_features)
    edges = [n_features * part // n_parts for part in range(n_parts + 1)]
    if n_parts == 1:
        run(0, 0, n_features)
        return
    pending = [_pool(os.getpid()).submit(run, i, edges[i], edges[i + 1]) for i in range(1, n_parts)]
    run(0, 0, edges[1])
    for part in pending:
        part.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return this process's threads: a fork inherits the pool, but not the threads in it."""
    # Flushing of denormal numbers is each thread's own.
    return ThreadPoolExecutor(
        max(1, (os.cpu_count() or 2) - 1),
        "poems-kernel",
        initializer=torch.set_flush_denormal,
        initargs=(True,),
    )
