"""Has the KL term won, so that latents say nothing, or lost, so that they are overconfident?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from poems.diagnosis.check import Check

Array = npt.NDArray[np.floating[Any]]

# Nats that a factor tells of a sample, below which its posterior is called the prior.
LEAST_INFORMATION: Final = 0.1
# Posterior variance as a share of what the data justify, below which it is overconfident.
LEAST_VARIANCE: Final = 0.1
# A factor at the prior is spare, unless fewer than this share of those that the data support
# are left.
LEAST_FACTORS: Final = 0.5


_OVERCONFIDENT: Final = (
    "the encoders' posterior is far narrower than the data justify: they act like an "
    "autoencoder's, and the decoders were trained on a certainty that is not there"
)
_BEYOND_ENCODERS: Final = (
    "the encoders' posterior is far narrower than the data justify; the latents and variances that "
    "are reported are computed from the decoders, not by the encoders"
)


def information(loc: Array, variance: Array) -> Array:
    """Compute how many nats each latent tells of a sample.

        1/2 mean_n log(V / s_n^2),   V = mean_n s_n^2 + var_n m_n

    for posteriors N(m_n, s_n^2): the mean KL divergence from them to the
    Gaussian with the mean and variance of all of them together. It is 0 if and
    only if every sample has the same posterior, for any prior; for a standard
    normal prior that holds on average it is the KL term.

    Parameters
    ----------
    loc, variance
        Posterior means and variances, of shape (n_samples, n_latent).

    Examples
    --------
    >>> information(np.zeros((3, 1)), np.ones((3, 1))).round(3).tolist()
    [0.0]
    >>> information(np.array([[-1.0], [1.0]]), np.full((2, 1), 0.1)).round(2).tolist()
    [1.2]
    """
    wide = np.asarray(variance, dtype=np.float64)
    total = wide.mean(axis=0) + np.asarray(loc, dtype=np.float64).var(axis=0)
    # Logarithms apart: a variance near zero would make the ratio overflow.
    found: Array = 0.5 * (np.log(total) - np.log(wide).mean(axis=0))
    return found


def justified_variance(
    size: Mapping[str, Array], standard_error: Mapping[str, Array], measured: npt.NDArray[np.bool_]
) -> Array:
    """Compute the mean posterior variance that the decoder and the noise justify.

        1 / (1 + sum_j I_j (E |d eta_j / d z_k|)^2)

    over the features j of the views that were measured on the sample, I_j the
    Fisher information of a value about eta_j: the best variance of a factorised
    Gaussian posterior under a standard normal prior, exact for a linear decoder and
    Gaussian noise, whose information is 1 / sigma_j^2.

    Parameters
    ----------
    size
        View name to E |d eta_j / d z_k|, of shape (n_features, n_latent).
    standard_error
        View name to I_j^(-1/2), of shape (n_features,).
    measured
        Of shape (n_samples, n_views), in the order of ``size``.

    Returns
    -------
    Of shape (n_latent,).

    Examples
    --------
    >>> measured = np.ones((2, 1), dtype=bool)
    >>> justified_variance({"a": np.ones((3, 1))}, {"a": np.ones(3)}, measured).tolist()
    [0.25]
    """
    told = np.stack([np.square(size[v] / standard_error[v][:, None]).sum(axis=0) for v in size])
    justified: Array = (1.0 / (1.0 + measured.astype(np.float64) @ told)).mean(axis=0)
    return justified


def posterior_checks(
    told: Array,
    variance_share: Array,
    factors: Sequence[str],
    kl_weight: float,
    n_supported: int | None,
    *,
    exact: bool = False,
) -> tuple[Check, ...]:
    """Judge each factor's posterior.

    Encoders that are too sure of themselves are a failure where their posteriors are what is
    reported, or where the KL term that holds them back was weakened. With it in full, and exact
    inference in their place, they are a start that nothing rests on: in cohorts of thousands of
    features, where that term is small beside the likelihood, their widths may stray while factors
    and held-out predictions are as good as they can be.

    Parameters
    ----------
    told
        :func:`information` of the active factors, of shape (n_active,).
    variance_share
        Mean variance of the encoders' posterior over :func:`justified_variance`.
    factors
        Their names.
    kl_weight
        The setting, for the remedies.
    n_supported
        Number of factors that the data support and the model has room for;
        ``None`` if unknown.
    exact
        Whether latents and variances are computed from the decoders, not by the encoders.

    Examples
    --------
    >>> checks = posterior_checks(np.array([1.2, 0.0]), np.ones(2), ["f1", "f2"], 1.0, 1)
    >>> [check.verdict for check in checks]
    ['ok', 'note', 'ok', 'ok']
    """
    at_prior = told < LEAST_INFORMATION
    needed = 0 if n_supported is None else min(n_supported, len(factors))
    # A few spare factors are no failure; too few that tell anything are.
    left = int((~at_prior).sum())
    collapsed = left == 0 or left < LEAST_FACTORS * needed
    overconfident = variance_share < LEAST_VARIANCE
    harmless = exact and kl_weight >= 1
    mostly = 2 * int(overconfident.sum()) >= len(factors) and not harmless
    if collapsed:
        meaning = (
            "KL collapse: the posterior is the prior; factors that still say something of a "
            f"sample: {left} of {len(factors)}"
        )
        remedy = (
            "if the data are noise, there is nothing to find; if not, lower kl_weight "
            f"({kl_weight:g} here) or lengthen kl_warmup"
        )
    else:
        meaning = "the posterior is the prior, so the factor says next to nothing of any sample"
        remedy = "spare factors do no harm, but do not interpret them"
    checks = [
        Check(
            "posterior-collapsed",
            "information, nats",
            float(value),
            LEAST_INFORMATION,
            ("warning" if collapsed else "note") if low else "ok",
            factor=name,
            meaning=meaning if low else "",
            remedy=remedy if low else "",
        )
        for name, value, low in zip(factors, told, at_prior, strict=True)
    ]
    checks += [
        Check(
            "posterior-overconfident",
            "variance / justified by data",
            float(value),
            LEAST_VARIANCE,
            ("warning" if mostly else "note") if low else "ok",
            factor=name,
            meaning=(_BEYOND_ENCODERS if harmless else _OVERCONFIDENT) if low else "",
            remedy=_less_sure(kl_weight, harmless=harmless) if low else "",
        )
        for name, value, low in zip(factors, variance_share, overconfident, strict=True)
    ]
    return tuple(checks)


def _less_sure(kl_weight: float, *, harmless: bool) -> str:
    """Advise the weight of the KL term only where there is room for it."""
    if harmless:
        return "nothing to do, unless with inference='amortised': then do not use these variances"
    fewer = "train for fewer epochs (epochs)"
    return fewer if kl_weight >= 1 else f"raise kl_weight ({kl_weight:g} here) to 1, or {fewer}"
