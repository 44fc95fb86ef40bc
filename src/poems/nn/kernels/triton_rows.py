"""The sparse kernel's rows on GPUs: one feature a program, compiled by Triton.

The same sums as in :mod:`poems.nn.kernels.rows`. A program is a single warp, so that
what is summed lies in the registers of one thread: forwards threads share out the
samples and each runs over all hidden units, backwards they share out the hidden units
and each runs over all samples. Vectors that all threads read come from the first-level
cache: a view's A and the latents of a batch are a few kilobytes.

Nothing is added to by two programs. Sums over features (the gradients of z and A)
are taken from what the rows leave behind, in an order that the pattern of non-zero
loadings fixes, so that the same input gives the same result, bit for bit.

Pointers are to contiguous arrays; ``start`` (n_features + 1,), ``factor`` and
``weight`` (n_non_zero,) are the loadings' compressed rows.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import triton
import triton.language as tl


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, not anew for other ``phase``s."""
    varying = [name for name in ("every", "phase") if name in signature(function).parameters]
    return triton.jit(function, do_not_specialize=varying)


@_compiled
def forward_rows(
    zt,
    A,
    u,
    b,
    view,
    order,
    start,
    factor,
    weight,
    eta,
    slopes,
    n_samples,
    n_hidden,
    n_latent,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
) -> None:
    """Compute predictions, and the slopes of non-zero loadings, of one feature.

    zt: (n_latent, n_samples); A: (n_views, n_latent, n_hidden); u: (n_features,
    n_hidden); b, view and order (which feature is whose turn): (n_features,); results
    eta: (n_features, n_samples) and slopes: (n_non_zero, n_samples).
    """
    j = tl.load(order + tl.program_id(0))
    n = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    is_sample = n < n_samples
    first, last = tl.load(start + j), tl.load(start + j + 1)
    mixing = A + tl.load(view + j) * n_latent * n_hidden
    row = tl.zeros([SAMPLES], eta.dtype.element_ty) + tl.load(b + j)
    if last - first == 1:
        # A line has two half-spaces only, so the sums over hidden units are taken first.
        above = tl.zeros([UNITS], eta.dtype.element_ty)
        below = tl.zeros([UNITS], eta.dtype.element_ty)
        k, w = tl.load(factor + first), tl.load(weight + first)
        for begin in range(0, n_hidden, UNITS):
            h = begin + tl.arange(0, UNITS)
            is_unit = h < n_hidden
            a = tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
            v = a * tl.load(u + j * n_hidden + h, is_unit, 0.0)
            above += tl.where(a > 0, v, 0.0)
            below += tl.where(a < 0, v, 0.0)
        x = w * tl.load(zt + k * n_samples + n, is_sample, 0.0)
        slope = tl.where(x > 0, tl.sum(above), tl.where(x < 0, tl.sum(below), 0.0))
        tl.store(slopes + first * n_samples + n, slope, is_sample)
        row += x * slope
    elif last > first:
        for begin in range(0, n_hidden, UNITS):
            h = begin + tl.arange(0, UNITS)
            is_unit = h < n_hidden
            inputs = tl.zeros([UNITS, SAMPLES], eta.dtype.element_ty)
            for e in range(first, last):
                k, w = tl.load(factor + e), tl.load(weight + e)
                q = w * tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
                p = tl.load(zt + k * n_samples + n, is_sample, 0.0)
                inputs += q[:, None] * p[None, :]
            active = tl.where(inputs > 0, 1.0, 0.0).to(eta.dtype.element_ty)
            heads = tl.load(u + j * n_hidden + h, is_unit, 0.0)
            for e in range(first, last):
                k, w = tl.load(factor + e), tl.load(weight + e)
                v = heads * tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
                p = tl.load(zt + k * n_samples + n, is_sample, 0.0)
                slope = tl.sum(active * v[:, None], axis=0)
                row += w * p * slope
                at = slopes + e * n_samples + n
                slope += tl.load(at, is_sample & (begin > 0), 0.0)
                tl.store(at, slope, is_sample)
            tl.debug_barrier()  # What was stored is read again for the next hidden units.
    tl.store(eta + j * n_samples + n, row, is_sample)


@_compiled
def backward_rows(
    W,
    zt,
    A,
    u,
    view,
    order,
    start,
    factor,
    g,
    sums,
    grad_W,
    grad_u,
    every,
    phase,
    n_samples,
    n_hidden,
    n_latent,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
    LATENTS: tl.constexpr,
) -> None:
    """Compute the gradients of one feature's loadings and heads, given that of eta.

    g: (n_features, n_samples). Leaves behind ``sums`` (n_non_zero, n_hidden), by
    hidden unit the sum of g_n z_nk over the samples in which it is active; grad_W
    and grad_u have the shapes of W and u and begin as zeros. ``LATENTS`` is a power
    of 2 that is no smaller than n_latent.
    """
    j = tl.load(order + tl.program_id(0))
    first, last = tl.load(start + j), tl.load(start + j + 1)
    count = last - first
    in_turn = j % every == phase
    n_visited = tl.where(in_turn, n_latent, count)
    mixing = A + tl.load(view + j) * n_latent * n_hidden
    factors = tl.arange(0, LATENTS)
    grad = tl.zeros([LATENTS], grad_W.dtype.element_ty)
    if count <= 1:
        # Samples on either side of a point, or all of them: their sums are taken first.
        own = tl.load(factor + first, count == 1, 0)
        own_w = tl.load(W + j * n_latent + own)
        for i in range(n_visited):
            k = tl.where(in_turn, i, own)
            w = tl.load(W + j * n_latent + k)
            above = tl.zeros([SAMPLES], grad_W.dtype.element_ty)
            below = tl.zeros([SAMPLES], grad_W.dtype.element_ty)
            for at in range(0, n_samples, SAMPLES):
                n = at + tl.arange(0, SAMPLES)
                is_sample = n < n_samples
                x = own_w * tl.load(zt + own * n_samples + n, is_sample, 0.0)
                p = tl.load(zt + k * n_samples + n, is_sample, 0.0)
                p *= tl.load(g + j * n_samples + n, is_sample, 0.0)
                above += tl.where((x > 0) | (count == 0), p, 0.0)
                below += tl.where(x < 0, p, 0.0)
            total_above, total_below = tl.sum(above), tl.sum(below)
            for begin in range(0, n_hidden, UNITS):
                h = begin + tl.arange(0, UNITS)
                is_unit = h < n_hidden
                side = tl.load(mixing + own * n_hidden + h, is_unit, 0.0)
                part = tl.where(side > 0, total_above, tl.where(side < 0, total_below, 0.0))
                # relu'(0) = 1/2 where the hidden layer is zero for want of loadings.
                part = tl.where(count == 0, 0.5 * total_above, part)
                a = tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
                heads = tl.load(u + j * n_hidden + h, is_unit, 0.0)
                grad += tl.where(factors == k, tl.sum(heads * a * part), 0.0)
                is_entry = tl.where(is_unit, w, 0.0) != 0
                tl.store(sums + first * n_hidden + h, part, is_entry)
                tl.store(grad_u + j * n_hidden + h, w * a * part, is_entry)
    else:
        for begin in range(0, n_hidden, UNITS):
            h = begin + tl.arange(0, UNITS)
            is_unit = h < n_hidden
            heads = tl.load(u + j * n_hidden + h, is_unit, 0.0)
            grad_heads = tl.zeros([UNITS], grad_W.dtype.element_ty)
            for at in range(0, n_samples, SAMPLES):
                n = at + tl.arange(0, SAMPLES)
                is_sample = n < n_samples
                gn = tl.load(g + j * n_samples + n, is_sample, 0.0)
                inputs = tl.zeros([SAMPLES, UNITS], grad_W.dtype.element_ty)
                for e in range(first, last):
                    k = tl.load(factor + e)
                    q = tl.load(W + j * n_latent + k)
                    q *= tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
                    p = tl.load(zt + k * n_samples + n, is_sample, 0.0)
                    inputs += p[:, None] * q[None, :]
                active = tl.where(inputs > 0, 1.0, 0.0).to(grad_W.dtype.element_ty)
                e = first
                for i in range(n_visited):
                    k = tl.load(factor + first + i, in_turn == 0, 0)
                    k = tl.where(in_turn, i, k)
                    w = tl.load(W + j * n_latent + k)
                    a = tl.load(mixing + k * n_hidden + h, is_unit, 0.0)
                    p = gn * tl.load(zt + k * n_samples + n, is_sample, 0.0)
                    part = tl.sum(active * p[:, None], axis=0)
                    grad += tl.where(factors == k, tl.sum(heads * a * part), 0.0)
                    grad_heads += w * a * part
                    is_entry = tl.where(is_unit, w, 0.0) != 0
                    into = sums + e * n_hidden + h
                    tl.store(into, part + tl.load(into, is_entry & (at > 0), 0.0), is_entry)
                    e += (w != 0).to(tl.int64)
                tl.debug_barrier()  # What was stored is read again for the next samples.
            tl.store(grad_u + j * n_hidden + h, grad_heads, is_unit)
    tl.store(grad_W + j * n_latent + factors, grad, factors < n_latent)


@_compiled
def grouped_sums(
    entries,
    bounds,
    feature,
    weight,
    left,
    right,
    out,
    width,
    PARTS: tl.constexpr,
    ENTRIES: tl.constexpr,
    WIDTH: tl.constexpr,
) -> None:
    """Sum w_jk left_j right_jk over a part of a group's non-zero loadings.

    ``entries`` (n_non_zero,) lists the loadings group by group, group i from
    ``bounds[i]`` to ``bounds[i + 1]``; left: (n_features, width), right: (n_non_zero,
    width), out: (n_groups, PARTS, width).
    """
    group, part = tl.program_id(0), tl.program_id(1)
    x = tl.program_id(2) * WIDTH + tl.arange(0, WIDTH)
    inside = x < width
    first, last = tl.load(bounds + group), tl.load(bounds + group + 1)
    length = (last - first + PARTS - 1) // PARTS
    begin = first + part * length
    end = tl.minimum(begin + length, last)
    total = tl.zeros([WIDTH], out.dtype.element_ty)
    for at in range(begin, end, ENTRIES):
        i = at + tl.arange(0, ENTRIES)
        there = i < end
        e = tl.load(entries + i, there, 0)
        j, w = tl.load(feature + e, there, 0), tl.load(weight + e, there, 0.0)
        both = there[:, None] & inside[None, :]
        a = tl.load(left + j[:, None] * width + x[None, :], both, 0.0)
        c = tl.load(right + e[:, None] * width + x[None, :], both, 0.0)
        total += tl.sum(w[:, None] * a * c, axis=0)
    tl.store(out + (group * PARTS + part) * width + x, total, inside)
