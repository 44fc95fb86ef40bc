"""Half-space sums: what the sparse kernel consists of, compiled by numba.

A hidden unit is a half-space of the latent space: it answers where its input is
positive. With Q of shape (s, n_in), P of shape (s, n_out) and V of shape
(r, n_in), the sums

    out_r[i] = sum_a [sum_s Q_s[a] P_s[i] > 0] V_r[a]

are all that the sparse decoder needs, forwards (``a`` runs over hidden units, ``i``
over samples) and backwards (``a`` over samples, ``i`` over hidden units). They are
computed for a vector of ``i`` and a block of ``a`` at a time: first the inputs, of
up to four factors in a pass, then the sums, of up to four rows in a pass (see
``vectors``). Lengths of P and out are multiples of ``LANES``; what is padded is zero
and lies in no half-space.
"""

from __future__ import annotations

from poems.nn.kernels.compiling import Array, compiled
from poems.nn.kernels.vectors import LANES, MOST_ROWS, add_inputs, add_sums, pair_sums

# Half-spaces whose inputs are kept at once, in the first cache.
BLOCK = 64


@compiled
def halfspace_sums(Q: Array, P: Array, V: Array, out: Array, inputs: Array) -> None:
    """Compute the sums into ``out``; ``inputs``, of shape (BLOCK, LANES), is overwritten."""
    if Q.shape[0] == 1:
        _one(Q, P, V, out)
        return
    if Q.shape[0] == V.shape[0] == 2:
        for at in range(0, P.shape[1], LANES):
            pair_sums(Q, P, V, out, at)
        return
    out[:] = 0
    n = Q.shape[1]
    for at in range(0, P.shape[1], LANES):
        for first in range(0, n, BLOCK):
            last = min(first + BLOCK, n)
            _all_inputs(Q, P, at, first, last, inputs)
            _all_sums(V, out, at, first, last, inputs)


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
def _all_inputs(Q: Array, P: Array, at: int, first: int, last: int, inputs: Array) -> None:
    s = Q.shape[0]
    if s == 2:
        add_inputs(2, True, Q, P, 0, at, first, last, inputs)
        return
    if s == 3:
        add_inputs(3, True, Q, P, 0, at, first, last, inputs)
        return
    add_inputs(4, True, Q, P, 0, at, first, last, inputs)
    k = MOST_ROWS
    while k + MOST_ROWS <= s:
        add_inputs(4, False, Q, P, k, at, first, last, inputs)
        k += MOST_ROWS
    if s - k == 3:
        add_inputs(3, False, Q, P, k, at, first, last, inputs)
    elif s - k == 2:
        add_inputs(2, False, Q, P, k, at, first, last, inputs)
    elif s - k == 1:
        add_inputs(1, False, Q, P, k, at, first, last, inputs)


@compiled
def _all_sums(V: Array, out: Array, at: int, first: int, last: int, inputs: Array) -> None:
    r, k = V.shape[0], 0
    while k + MOST_ROWS <= r:
        add_sums(4, V, out, k, at, first, last, inputs)
        k += MOST_ROWS
    if r - k == 3:
        add_sums(3, V, out, k, at, first, last, inputs)
    elif r - k == 2:
        add_sums(2, V, out, k, at, first, last, inputs)
    elif r - k == 1:
        add_sums(1, V, out, k, at, first, last, inputs)
