"""Residuals of all features on the processor, in one pass over the data, compiled by numba."""

from __future__ import annotations

from poems.nn.kernels.compiling import Array, compiled


@compiled
def residual_rows(
    x: Array,
    eta: Array,
    precision: Array,
    there: Array,
    residual: Array,
    squares: Array,
    count: Array,
) -> None:
    """Compute (x - eta) * precision where a value is there and 0 elsewhere, and sums over samples.

    x, eta and residual: (n_samples, n_features); precision, squares and count: (n_features,),
    of which the last two begin as zeros. there: booleans like x, or of shape (1, 1) if all are.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    everywhere = there.shape[0] < x.shape[0] or there.shape[1] < x.shape[1]
    for n in range(x.shape[0]):
        values, predicted, into = x[n], eta[n], residual[n]
        if everywhere:
            for j in range(x.shape[1]):
                r = (values[j] - predicted[j]) * precision[j]
                into[j] = r
                squares[j] += r * r
        else:
            present = there[n]
            for j in range(x.shape[1]):
                # Two choices without a branch: what is not there may be no number at all.
                r = (values[j] - predicted[j]) * precision[j] if present[j] else zero
                into[j] = r
                squares[j] += r * r
                count[j] += one if present[j] else zero
    if everywhere:
        count[:] = len(x)
