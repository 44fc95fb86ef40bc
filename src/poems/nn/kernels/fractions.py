"""Fractions on the processor: the beta likelihood with its derivatives, in few passes."""

from __future__ import annotations

import numpy as np
import torch

from poems.nn.kernels.compiling import Array, compiled
from poems.nn.kernels.gammas import gamma_logs, stirling

# Shapes are lifted by this many, from where Stirling's series holds to twelve digits.
_LIFTED = 8


def fraction_terms(
    x: Array,
    eta: Array,
    log_precision: Array,
    there: Array,
    slope: Array,
    of_precision: Array,
    nll: Array,
    *,
    least: float,
) -> None:
    """Compute negative log-likelihoods and derivatives.

    x, eta and slope: (n_samples, n_features), of which slope receives the derivatives for eta.
    log_precision: (n_features,). there: booleans like x, or of shape (1, 1) if all values are.
    of_precision and nll, (n_features,), begin as zeros, in double precision, and receive sums over
    samples. Shapes below ``least`` count as that.
    """
    # PyTorch takes exponentials and logarithms in vectors, as numba does not.
    predicted, values = torch.from_numpy(eta), torch.from_numpy(x)
    phi = np.exp(log_precision.astype(np.float64))
    logs = torch.log(values).numpy(), torch.log1p(-values).numpy()
    shares = torch.sigmoid(predicted).numpy(), torch.sigmoid(-predicted).numpy()
    of_shapes = []
    for log, share in zip(logs, shares, strict=True):
        # The density of both shapes is the same, of x and of what it leaves of 1.
        product, fall = np.empty((2, *eta.shape))
        _lift(share, phi, least, product, fall)
        # A prediction next to 0 or 1, as in BetaLikelihood.
        lifted = torch.from_numpy(share * phi).clamp_min_(least).add_(_LIFTED).log_()
        torch.from_numpy(product).log_()
        of_shape = np.empty(eta.shape)
        _shape(share, phi, least, log, lifted.numpy(), product, fall, there, of_shape, nll)
        of_shapes.append(of_shape)
    of_a, of_b = of_shapes
    _whole(phi, *shares, of_a, of_b, there, slope, of_precision, nll)


@compiled
def _lift(share: Array, phi: Array, least: float, product: Array, fall: Array) -> None:
    """Product a (a + 1) … (a + 7) of each shape a, and its logarithm's derivative."""
    for n in range(share.shape[0]):
        for j in range(share.shape[1]):
            a = max(share[n, j] * phi[j], least)
            together, rise = a, 1.0
            for i in range(1, _LIFTED):
                rise = rise * (a + i) + together
                together *= a + i
            product[n, j] = together
            fall[n, j] = rise / together


@compiled
def _shape(
    share: Array,
    phi: Array,
    least: float,
    log: Array,
    log_lifted: Array,
    log_product: Array,
    fall: Array,
    there: Array,
    of_shape: Array,
    nll: Array,
) -> None:
    """Add log G(a) - (a - 1) log x of each entry, and find its derivative for a."""
    everywhere = there.shape != share.shape
    for n in range(share.shape[0]):
        for j in range(share.shape[1]):
            a = max(share[n, j] * phi[j], least)
            rest, of_rest = stirling(a + _LIFTED)
            lifted = a + _LIFTED
            whole = (lifted - 0.5) * log_lifted[n, j] - lifted + rest - log_product[n, j]
            here = everywhere or there[n, j]
            # A shape that counts as the least one does not move with eta.
            moves = here and share[n, j] * phi[j] >= least
            of_shape[n, j] = log_lifted[n, j] + of_rest - fall[n, j] - log[n, j] if moves else 0.0
            nll[j] += whole - (a - 1.0) * log[n, j] if here else 0.0


@compiled
def _whole(
    phi: Array,
    share: Array,
    rest: Array,
    of_a: Array,
    of_b: Array,
    there: Array,
    slope: Array,
    of_precision: Array,
    nll: Array,
) -> None:
    """Subtract log G(phi) for each entry; put the derivatives for eta and log phi together."""
    everywhere = there.shape != share.shape
    for n in range(share.shape[0]):
        for j in range(share.shape[1]):
            a, b = share[n, j] * phi[j], rest[n, j] * phi[j]
            slope[n, j] = a * rest[n, j] * (of_a[n, j] - of_b[n, j])
            of_precision[j] += a * of_a[n, j] + b * of_b[n, j]
    for j in range(len(phi)):
        known = share.shape[0] if everywhere else there[:, j].sum()
        log_gamma, digamma = gamma_logs(phi[j])
        nll[j] -= known * log_gamma
        of_precision[j] -= known * phi[j] * digamma
