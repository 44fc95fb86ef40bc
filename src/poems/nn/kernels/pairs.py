"""Sums over pairs of one feature's slopes, on the processor, compiled by numba.

Pairs of a feature and a factor are visited by features: ``order``, (n_pairs,), has one feature's
after the other's and in these the factors in their order, ``ends``, (n_driven + 1,), where those of
each feature end and the next one's begin; ``factors``, (n_pairs,), has each pair's.
"""

from __future__ import annotations

from poems.nn.kernels.compiling import Array, compiled


@compiled
def gram_rows(
    values: Array, weighted: Array, order: Array, ends: Array, factors: Array, found: Array
) -> None:
    """Add J' D J to ``found`` (n_latent, n_latent, n_samples), its lower half alone.

    ``values`` is J, ``weighted`` D J, (n_pairs, n_samples) each.
    """
    for feature in range(len(ends) - 1):
        for a in range(ends[feature], ends[feature + 1]):
            left, into = values[order[a]], found[factors[order[a]]]
            for b in range(ends[feature], a + 1):
                right, row = weighted[order[b]], into[factors[order[b]]]
                for n in range(len(row)):
                    row[n] += left[n] * right[n]


@compiled
def spread_rows(
    values: Array, covariance: Array, order: Array, ends: Array, factors: Array, found: Array
) -> None:
    """Add the diagonal of J Cov J', summed over samples, to ``found``, (n_driven,).

    ``covariance``: (n_latent, n_latent, n_samples); ``values``: (n_pairs, n_samples).
    """
    for feature in range(len(ends) - 1):
        total = found[feature]
        for a in range(ends[feature], ends[feature + 1]):
            left, of_factor = values[order[a]], covariance[factors[order[a]]]
            for b in range(ends[feature], a + 1):
                right, row = values[order[b]], of_factor[factors[order[b]]]
                part = values.dtype.type(0)
                for n in range(len(row)):
                    part += left[n] * right[n] * row[n]
                # Both halves of what is symmetric.
                total += part if a == b else part + part
        found[feature] = total
