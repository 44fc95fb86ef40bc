"""The sparse kernel on GPUs: the pattern of non-zero loadings, and the calls of Triton's rows.

The same function, and the same results up to rounding, as :mod:`poems.nn.kernels.sparse`.
All that is kept from the forward pass grows with the number of non-zero loadings, not
with hidden units; the pattern is made on the device, with one wait for it, to learn
how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from poems.nn.kernels.triton_rows import backward_rows, forward_rows, grouped_sums

# What a program has in registers at once, most: forwards 16 hidden units of 128 samples,
# backwards 64 samples of 32 hidden units. A program is one warp of 32 threads.
_FORWARD_UNITS, _MOST_FORWARD_SAMPLES = 16, 128
_MOST_BACKWARD_SAMPLES, _MOST_BACKWARD_UNITS = 64, 32
# Products and sums are fused, said aloud because Triton's default is about to change.
_OPTIONS = {"num_warps": 1, "enable_fp_fusion": True}
# A sum over a factor's loadings is taken in parts of so many, but not in more than so many parts;
# entries and columns at a time.
_PART, _MOST_PARTS, _ENTRIES, _MOST_COLUMNS = 64, 16, 8, 128


@dataclass(frozen=True)
class Pattern:
    """Where the non-zero loadings are.

    Row by row: ``start`` (n_features + 1,), ``feature``, ``factor`` and ``weight``
    (n_non_zero,). By view and factor: ``entries`` (n_non_zero,), positions in the
    rows, and ``bounds`` (n_views * n_latent + 1,). ``order`` (n_features,) puts
    features with many loadings first, so that the long ones do not come last.
    """

    start: Tensor
    feature: Tensor
    factor: Tensor
    weight: Tensor
    entries: Tensor
    bounds: Tensor
    order: Tensor

    @classmethod
    def of(cls, W: Tensor, view: Tensor, n_views: int) -> Pattern:
        """Find the non-zero loadings, in operations whose results do not vary."""
        there = W != 0
        counts = there.sum(dim=1)
        feature, factor = there.nonzero(as_tuple=True)
        start = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
        group = view[feature] * W.shape[1] + factor
        sorted_groups, entries = group.sort(stable=True)
        edges = torch.arange(n_views * W.shape[1] + 1, device=W.device)
        bounds = torch.searchsorted(sorted_groups, edges)
        order = counts.argsort(descending=True, stable=True)
        return cls(start, feature, factor, W[feature, factor], entries, bounds, order)


# What ``sparse_forward`` can be told besides its tensors.
OPTIONS: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forwards:
    """What the backward pass needs of the forward one."""

    W: Tensor
    zt: Tensor
    A: Tensor
    u: Tensor
    view: Tensor
    pattern: Pattern
    slopes: Tensor


@torch.no_grad()
def sparse_forward(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor, view: Tensor
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
        View of each feature, of shape (n_features,), on the same device.

    Returns
    -------
    Predictions of shape (n_samples, n_features), and what the gradients need.
    """
    n_samples, n_latent = z.shape
    n_features, n_hidden = u.shape
    loadings, heads = W.detach().contiguous(), u.detach().contiguous()
    zt, mixing = z.detach().T.contiguous(), A.detach().transpose(1, 2).contiguous()
    pattern = Pattern.of(loadings, view, len(A))
    eta = z.new_empty(n_features, n_samples)
    slopes = z.new_empty(len(pattern.factor), n_samples)
    if eta.numel():
        block = _power_of_two(n_samples, 32, _MOST_FORWARD_SAMPLES)
        _launch(
            forward_rows,
            (n_features, -(-n_samples // block)),
            zt,
            mixing,
            heads,
            b.detach().contiguous(),
            view,
            pattern.order,
            pattern.start,
            pattern.factor,
            pattern.weight,
            eta,
            slopes,
            n_samples,
            n_hidden,
            n_latent,
            SAMPLES=block,
            UNITS=_FORWARD_UNITS,
        )
    kept = Forwards(loadings, zt, mixing, heads, view, pattern, slopes)
    return eta.T.contiguous(), kept


@torch.no_grad()
def sparse_backward(
    kept: Forwards, g: Tensor, every: int, phase: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of z, W, A and u, given that of the predictions.

    Zero loadings get theirs in the features with ``j % every == phase``, and 0
    elsewhere.
    """
    W, u, pattern = kept.W, kept.u, kept.pattern
    n_samples, (n_features, n_latent), n_hidden = len(g), W.shape, u.shape[1]
    n_views = len(kept.A)
    gt = g.T.contiguous()
    grad_W, grad_u = torch.zeros_like(W), torch.zeros_like(u)
    sums = u.new_empty(len(pattern.factor), n_hidden)
    if gt.numel():
        _launch(
            backward_rows,
            (n_features,),
            W,
            kept.zt,
            kept.A,
            u,
            kept.view,
            pattern.order,
            pattern.start,
            pattern.factor,
            gt,
            sums,
            grad_W,
            grad_u,
            every,
            phase,
            n_samples,
            n_hidden,
            n_latent,
            SAMPLES=_power_of_two(n_samples, 16, _MOST_BACKWARD_SAMPLES),
            UNITS=_power_of_two(n_hidden, 16, _MOST_BACKWARD_UNITS),
            LATENTS=_power_of_two(n_latent, 1, 1 << 20),
        )
    grad_z = _by_group(pattern, gt, kept.slopes, n_views).sum(dim=0).T
    grad_A = _by_group(pattern, u, sums, n_views).transpose(1, 2)
    return grad_z, grad_W, grad_A, grad_u


def _by_group(pattern: Pattern, left: Tensor, right: Tensor, n_views: int) -> Tensor:
    """Sum w_jk left_j right_jk over the features of each view: (n_views, n_latent, width)."""
    n_groups, width = len(pattern.bounds) - 1, left.shape[1]
    parts = _power_of_two(len(pattern.entries) // (_PART * n_groups), 1, _MOST_PARTS)
    out = left.new_zeros(n_groups, parts, width)
    if out.numel():
        block = _power_of_two(width, 32, _MOST_COLUMNS)
        _launch(
            grouped_sums,
            (n_groups, parts, -(-width // block)),
            pattern.entries,
            pattern.bounds,
            pattern.feature,
            pattern.weight,
            left,
            right,
            out,
            width,
            PARTS=parts,
            ENTRIES=_ENTRIES,
            WIDTH=block,
        )
    return out.sum(dim=1).view(n_views, -1, width)


def _launch(kernel: Any, grid: tuple[int, ...], first: Tensor, *rest: Any, **sizes: int) -> None:
    """Run a kernel on the device of its first argument."""
    with torch.cuda.device_of(first):  # type: ignore[no-untyped-call]
        kernel[grid](first, *rest, **sizes, **_OPTIONS)


def _power_of_two(number: int, least: int, most: int) -> int:
    """The first power of 2 that is no smaller, within bounds.

    >>> [_power_of_two(n, 16, 64) for n in (0, 17, 1000)]
    [16, 32, 64]
    """
    # Of bits, for number 0.
    return max(least, min(most, 1 << max(0, number - 1).bit_length()))
