"""Half-space sums: the inner loops of the sparse kernel, compiled by numba.

A hidden unit is a half-space of the latent space: it answers where its input is
positive. With Q of shape (s, n_in), P of shape (s, n_out) and V of shape
(r, n_in), the sums

    out_r[i] = sum_a [sum_s Q_s[a] P_s[i] > 0] V_r[a]

are all that the sparse decoder needs, forwards (``a`` runs over hidden units, ``i``
over samples) and backwards (``a`` over samples, ``i`` over hidden units). ``a`` goes
in fours, so that four half-spaces share each load and store, and ``i`` in the
vectors that the compiler makes of it. Lengths are multiples of ``LANES``; what is
padded is zero and lies in no half-space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Array = Any
Function = TypeVar("Function", bound=Callable[..., Any])

# Whole vectors, for every instruction set.
LANES = 16


def compiled(function: Function) -> Function:
    """Compile a function of arrays, free of the interpreter's lock, and keep it on disk.

    Sums may be reordered and fused; what is not a number stays so.
    """
    options = {"contract", "nsz", "reassoc"}
    jit = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=options)
    return cast(Function, jit(function))


@compiled
def halfspace_sums(Q: Array, P: Array, V: Array, out: Array, scratch: Array) -> None:
    """Compute the sums into ``out``; ``scratch`` is of shape (4, n_out)."""
    out[:] = 0
    s, r = Q.shape[0], V.shape[0]
    if s == 1:
        _one(Q, P, V, out)
    elif s == 2 and r == 2:
        _two(Q, P, V, out)
    elif s == 3 and r == 3:
        _three(Q, P, V, out)
    elif s == 4 and r == 4:
        _four(Q, P, V, out)
    else:
        _many(Q, P, V, out, scratch)


@compiled
def _one(Q: Array, P: Array, V: Array, out: Array) -> None:
    """A line has two half-spaces only, so the sums over them are taken first: O(a + i)."""
    zero = P.dtype.type(0)
    q, p = Q[0], P[0]
    for r in range(V.shape[0]):
        v, o = V[r], out[r]
        above = zero
        below = zero
        for a in range(len(q)):
            above += v[a] if q[a] > zero else zero
            below += v[a] if q[a] < zero else zero
        for i in range(len(p)):
            o[i] = above if p[i] > zero else (below if p[i] < zero else zero)


@compiled
def _two(Q: Array, P: Array, V: Array, out: Array) -> None:
    # What is fixed within the inner loop is read before it: the compiler cannot know that ``out``
    # is no part of Q and V, and would not make vectors of it.
    zero = P.dtype.type(0)
    p0, p1, o0, o1 = P[0], P[1], out[0], out[1]
    for a in range(0, Q.shape[1], 4):
        a0, a1, va0, va1 = Q[0, a], Q[1, a], V[0, a], V[1, a]
        b0, b1, vb0, vb1 = Q[0, a + 1], Q[1, a + 1], V[0, a + 1], V[1, a + 1]
        c0, c1, vc0, vc1 = Q[0, a + 2], Q[1, a + 2], V[0, a + 2], V[1, a + 2]
        d0, d1, vd0, vd1 = Q[0, a + 3], Q[1, a + 3], V[0, a + 3], V[1, a + 3]
        for i in range(len(p0)):
            x0, x1 = p0[i], p1[i]
            in_a = a0 * x0 + a1 * x1 > zero
            in_b = b0 * x0 + b1 * x1 > zero
            in_c = c0 * x0 + c1 * x1 > zero
            in_d = d0 * x0 + d1 * x1 > zero
            o0[i] += (
                (va0 if in_a else zero)
                + (vb0 if in_b else zero)
                + (vc0 if in_c else zero)
                + (vd0 if in_d else zero)
            )
            o1[i] += (
                (va1 if in_a else zero)
                + (vb1 if in_b else zero)
                + (vc1 if in_c else zero)
                + (vd1 if in_d else zero)
            )


@compiled
def _three(Q: Array, P: Array, V: Array, out: Array) -> None:
    zero = P.dtype.type(0)
    p0, p1, p2, o0, o1, o2 = P[0], P[1], P[2], out[0], out[1], out[2]
    for a in range(0, Q.shape[1], 2):
        a0, a1, a2, va0, va1, va2 = Q[0, a], Q[1, a], Q[2, a], V[0, a], V[1, a], V[2, a]
        b = a + 1
        b0, b1, b2, vb0, vb1, vb2 = Q[0, b], Q[1, b], Q[2, b], V[0, b], V[1, b], V[2, b]
        for i in range(len(p0)):
            x0, x1, x2 = p0[i], p1[i], p2[i]
            in_a = a0 * x0 + a1 * x1 + a2 * x2 > zero
            in_b = b0 * x0 + b1 * x1 + b2 * x2 > zero
            o0[i] += (va0 if in_a else zero) + (vb0 if in_b else zero)
            o1[i] += (va1 if in_a else zero) + (vb1 if in_b else zero)
            o2[i] += (va2 if in_a else zero) + (vb2 if in_b else zero)


@compiled
def _four(Q: Array, P: Array, V: Array, out: Array) -> None:
    zero = P.dtype.type(0)
    p0, p1, p2, p3 = P[0], P[1], P[2], P[3]
    o0, o1, o2, o3 = out[0], out[1], out[2], out[3]
    for a in range(0, Q.shape[1], 2):
        b = a + 1
        a0, a1, a2, a3 = Q[0, a], Q[1, a], Q[2, a], Q[3, a]
        b0, b1, b2, b3 = Q[0, b], Q[1, b], Q[2, b], Q[3, b]
        va0, va1, va2, va3 = V[0, a], V[1, a], V[2, a], V[3, a]
        vb0, vb1, vb2, vb3 = V[0, b], V[1, b], V[2, b], V[3, b]
        for i in range(len(p0)):
            x0, x1, x2, x3 = p0[i], p1[i], p2[i], p3[i]
            in_a = a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 > zero
            in_b = b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3 > zero
            o0[i] += (va0 if in_a else zero) + (vb0 if in_b else zero)
            o1[i] += (va1 if in_a else zero) + (vb1 if in_b else zero)
            o2[i] += (va2 if in_a else zero) + (vb2 if in_b else zero)
            o3[i] += (va3 if in_a else zero) + (vb3 if in_b else zero)


@compiled
def _many(Q: Array, P: Array, V: Array, out: Array, scratch: Array) -> None:
    """Any numbers: the inputs of four half-spaces into scratch, then the sums over them.

    Factors go in fours, then one by one, so that each load and store serves as many as it can.
    """
    zero = P.dtype.type(0)
    s, r, n = Q.shape[0], V.shape[0], P.shape[1]
    in_a, in_b, in_c, in_d = scratch[0], scratch[1], scratch[2], scratch[3]
    for a in range(0, Q.shape[1], 4):
        b, c, d = a + 1, a + 2, a + 3
        scratch[:] = zero
        k = 0
        while k + 3 < s:
            p0, p1, p2, p3 = P[k], P[k + 1], P[k + 2], P[k + 3]
            a0, a1, a2, a3 = Q[k, a], Q[k + 1, a], Q[k + 2, a], Q[k + 3, a]
            b0, b1, b2, b3 = Q[k, b], Q[k + 1, b], Q[k + 2, b], Q[k + 3, b]
            c0, c1, c2, c3 = Q[k, c], Q[k + 1, c], Q[k + 2, c], Q[k + 3, c]
            d0, d1, d2, d3 = Q[k, d], Q[k + 1, d], Q[k + 2, d], Q[k + 3, d]
            for i in range(n):
                x0, x1, x2, x3 = p0[i], p1[i], p2[i], p3[i]
                in_a[i] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                in_b[i] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                in_c[i] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                in_d[i] += d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3
            k += 4
        while k < s:
            p0, a0, b0, c0, d0 = P[k], Q[k, a], Q[k, b], Q[k, c], Q[k, d]
            for i in range(n):
                x0 = p0[i]
                in_a[i] += a0 * x0
                in_b[i] += b0 * x0
                in_c[i] += c0 * x0
                in_d[i] += d0 * x0
            k += 1
        k = 0
        while k + 3 < r:
            p0, p1, p2, p3 = out[k], out[k + 1], out[k + 2], out[k + 3]
            a0, a1, a2, a3 = V[k, a], V[k + 1, a], V[k + 2, a], V[k + 3, a]
            b0, b1, b2, b3 = V[k, b], V[k + 1, b], V[k + 2, b], V[k + 3, b]
            c0, c1, c2, c3 = V[k, c], V[k + 1, c], V[k + 2, c], V[k + 3, c]
            d0, d1, d2, d3 = V[k, d], V[k + 1, d], V[k + 2, d], V[k + 3, d]
            for i in range(n):
                is_a, is_b = in_a[i] > zero, in_b[i] > zero
                is_c, is_d = in_c[i] > zero, in_d[i] > zero
                p0[i] += (
                    (a0 if is_a else zero)
                    + (b0 if is_b else zero)
                    + (c0 if is_c else zero)
                    + (d0 if is_d else zero)
                )
                p1[i] += (
                    (a1 if is_a else zero)
                    + (b1 if is_b else zero)
                    + (c1 if is_c else zero)
                    + (d1 if is_d else zero)
                )
                p2[i] += (
                    (a2 if is_a else zero)
                    + (b2 if is_b else zero)
                    + (c2 if is_c else zero)
                    + (d2 if is_d else zero)
                )
                p3[i] += (
                    (a3 if is_a else zero)
                    + (b3 if is_b else zero)
                    + (c3 if is_c else zero)
                    + (d3 if is_d else zero)
                )
            k += 4
        while k < r:
            p0, a0, b0, c0, d0 = out[k], V[k, a], V[k, b], V[k, c], V[k, d]
            for i in range(n):
                p0[i] += (
                    (a0 if in_a[i] > zero else zero)
                    + (b0 if in_b[i] > zero else zero)
                    + (c0 if in_c[i] > zero else zero)
                    + (d0 if in_d[i] > zero else zero)
                )
            k += 1
