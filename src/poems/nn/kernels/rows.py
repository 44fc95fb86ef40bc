"""The sparse kernel's rows: the decoder and its gradients over the non-zero loadings alone.

    eta_j(z) = b_j + sum_k w_jk z_k S_jk(z),   S_jk(z) = sum_h [A_h . (w_j * z) > 0] u_jh A_hk

relu(x) is x where x is positive, so the slopes S give both the prediction and its
derivatives; hidden units are never kept. A feature with s non-zero loadings costs
2 s + 1 operations per sample and hidden unit forwards and as many backwards; with
s = 1 it costs O(n_samples + n_hidden), and with s = 0 nothing.

All arrays are padded to whole vectors (see ``halfspaces``). Functions work on the
features from ``first`` to ``last`` and may run side by side on others.
"""

from __future__ import annotations

import numpy as np

from poems.nn.kernels.compiling import Array, compiled
from poems.nn.kernels.halfspaces import BLOCK, halfspace_sums
from poems.nn.kernels.vectors import LANES


@compiled
def _copy(row: Array, into: Array) -> None:
    # numba's own assignment to a slice takes several times as long.
    for n in range(len(row)):
        into[n] = row[n]


@compiled
def first_slopes(W: Array, at: Array) -> int:
    """Find where the slopes of each feature's non-zero loadings begin; return how many there are.

    W: (n_features, n_latent); result at: (n_features,).
    """
    total = 0
    for j in range(W.shape[0]):
        at[j] = total
        for k in range(W.shape[1]):
            total += W[j, k] != 0
    return total


@compiled
def forward_rows(
    first: int,
    last: int,
    W: Array,
    zt: Array,
    A: Array,
    u: Array,
    b: Array,
    view: Array,
    at: Array,
    eta: Array,
    slopes: Array,
) -> None:
    """Compute predictions, and the slopes of non-zero loadings.

    W: (n_features, n_latent); zt: (n_latent, n_samples); A: (n_views, n_latent,
    n_hidden); u: (n_features, n_hidden); b, view (of each feature) and at (its
    first row in ``slopes``): (n_features,); results eta: (n_features, n_samples)
    and slopes: (n_non_zero, n_samples).
    """
    n_latent, n_samples = zt.shape
    n_hidden = u.shape[1]
    factors = np.empty(n_latent, np.int64)
    Q = np.zeros((n_latent, A.shape[2]), zt.dtype)
    V = np.zeros((n_latent, A.shape[2]), zt.dtype)
    P = np.empty((n_latent, n_samples), zt.dtype)
    inputs = np.empty((BLOCK, LANES), zt.dtype)
    for j in range(first, last):
        row, heads, mixing = eta[j], u[j], A[view[j]]
        row[:] = b[j]
        s = 0
        for k in range(n_latent):
            w = W[j, k]
            if w != 0:
                factors[s] = k
                a, q, v = mixing[k], Q[s], V[s]
                for h in range(n_hidden):
                    q[h] = w * a[h]
                    v[h] = heads[h] * a[h]
                _copy(zt[k], P[s])
                s += 1
        if s == 0:
            continue
        out = slopes[at[j] : at[j] + s]
        halfspace_sums(Q[:s], P[:s], V[:s], out, inputs)
        for i in range(s):
            w, p, slope = W[j, factors[i]], P[i], out[i]
            for n in range(n_samples):
                row[n] += w * p[n] * slope[n]


@compiled
def backward_rows(
    first: int,
    last: int,
    W: Array,
    zt: Array,
    A: Array,
    u: Array,
    view: Array,
    at: Array,
    slopes: Array,
    g: Array,
    every: int,
    phase: int,
    grad_z: Array,
    grad_W: Array,
    grad_A: Array,
    grad_u: Array,
) -> None:
    """Compute the gradients, given ``g``, that of eta: (n_features, n_samples).

    Gradients have the shapes of zt, W, A and u, and begin as zeros; grad_z and
    grad_A are added to. Zero loadings get theirs in the features with
    ``j % every == phase``.
    """
    n_latent, n_samples = zt.shape
    n_hidden = u.shape[1]
    half = zt.dtype.type(0.5)
    order = np.empty(n_latent, np.int64)
    Q = np.empty((n_latent, n_samples), zt.dtype)
    V = np.empty((n_latent, n_samples), zt.dtype)
    P = np.zeros((n_latent, A.shape[2]), zt.dtype)
    sums = np.empty((n_latent, A.shape[2]), zt.dtype)
    inputs = np.empty((BLOCK, LANES), zt.dtype)
    for j in range(first, last):
        heads, mixing, gj, grad_heads = u[j], A[view[j]], g[j], grad_u[j]
        s = 0
        for k in range(n_latent):
            w = W[j, k]
            if w != 0:
                order[s] = k
                _copy(zt[k], Q[s])
                a, p = mixing[k], P[s]
                for h in range(n_hidden):
                    p[h] = w * a[h]
                s += 1
        r = s
        if j % every == phase:
            for k in range(n_latent):
                if W[j, k] == 0:
                    order[r] = k
                    r += 1
        if r == 0:
            continue
        for i in range(r):
            z, v = zt[order[i]], V[i]
            for n in range(n_samples):
                v[n] = gj[n] * z[n]
        if s == 0:
            for i in range(r):
                sums[i] = half * V[i].sum()
        else:
            halfspace_sums(Q[:s], P[:s], V[:r], sums[:r], inputs)
        for i in range(r):
            k = order[i]
            a, q = mixing[k], sums[i]
            slope = zt.dtype.type(0)
            for h in range(n_hidden):
                slope += heads[h] * a[h] * q[h]
            grad_W[j, k] = slope
        for i in range(s):
            k = order[i]
            w, a, q = W[j, k], mixing[k], sums[i]
            into_A, into_z, slope_n = grad_A[view[j], k], grad_z[k], slopes[at[j] + i]
            for h in range(n_hidden):
                into_A[h] += heads[h] * (w * q[h])
            for h in range(n_hidden):
                grad_heads[h] += a[h] * (w * q[h])
            for n in range(n_samples):
                into_z[n] += w * gj[n] * slope_n[n]


@compiled
def jacobian_rows(
    W: Array, at: Array, slopes: Array, n: int, mean: Array, size: Array, gram: Array
) -> None:
    """Add up derivatives d eta_j / d z_k = w_jk S_jk over the first ``n`` samples of ``slopes``.

    Sums of them and of their absolute values go into mean and size, (n_features,
    n_latent); sums of their products over features into gram, (n_latent, n_latent).
    """
    n_features, n_latent = W.shape
    factors = np.empty(n_latent, np.int64)
    for j in range(n_features):
        s = 0
        for k in range(n_latent):
            if W[j, k] != 0:
                factors[s] = k
                s += 1
        for i in range(s):
            k = factors[i]
            w, slope = W[j, k], slopes[at[j] + i]
            total = slope[:n].sum()
            mean[j, k] += w * total
            size[j, k] += abs(w) * np.abs(slope[:n]).sum()
            for other in range(i + 1):
                product = W[j, factors[other]] * w
                product *= (slopes[at[j] + other][:n] * slope[:n]).sum()
                gram[k, factors[other]] += product
                if other < i:
                    gram[factors[other], k] += product
