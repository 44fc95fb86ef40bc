"""The spike-and-slab lasso: inclusion probabilities, penalty rates, and the EM update.

Prior on the loadings W of one view, of shape (n_features, n_latent)
(Ročková & George 2018, JASA 113:431; Moran et al. 2022, arXiv 2110.10804):

    w_jk | gamma_jk ~ gamma_jk Laplace(lambda_slab) + (1 - gamma_jk) Laplace(lambda_spike_j)
    gamma_jk ~ Bernoulli(theta_k),   theta_k ~ Beta(a, b)

Everything is in log-odds: with a spike a hundred times steeper than the slab the
probabilities themselves underflow long before the log-odds do.
"""

from __future__ import annotations

import torch
from torch import Tensor


def inclusion_log_odds(
    loadings: Tensor,
    theta_logit: Tensor,
    lambda_spike: Tensor,
    lambda_slab: float,
    *,
    density_ratio: bool = True,
) -> Tensor:
    """Compute the log-odds that each loading comes from the slab.

        logit p*_jk = logit theta_k + log(lambda_slab / lambda_spike_j)
                      + (lambda_spike_j - lambda_slab) |w_jk|

    Parameters
    ----------
    loadings
        Tensor of shape (n_features, n_latent).
    theta_logit
        Logits of the inclusion rates, of shape (n_latent,).
    lambda_spike
        Rates of the spike, of shape (n_features,).
    lambda_slab
        Rate of the slab.
    density_ratio
        Whether to keep the ratio of the two Laplace densities at zero, which
        published code leaves out.

    Returns
    -------
    Tensor of shape (n_features, n_latent).

    Examples
    --------
    >>> odds = inclusion_log_odds(
    ...     torch.tensor([[0.0], [2.0]]), torch.zeros(1), torch.full((2,), 20.0), 1.0
    ... )
    >>> (odds > 0).flatten().tolist()
    [False, True]
    """
    spike = lambda_spike[:, None]
    log_odds = torch.addcmul(theta_logit, spike - lambda_slab, loadings.abs())
    return log_odds.sub_(torch.log(spike / lambda_slab)) if density_ratio else log_odds


def penalty_rate(inclusion: Tensor, lambda_spike: Tensor, lambda_slab: float) -> Tensor:
    """Compute the L1 rate of each loading given its inclusion probability.

        rate_jk = lambda_slab p*_jk + lambda_spike_j (1 - p*_jk)

    Parameters
    ----------
    inclusion
        Probabilities p*, of shape (n_features, n_latent).
    lambda_spike
        Rates of the spike, of shape (n_features,).
    lambda_slab
        Rate of the slab.
    """
    spike = lambda_spike[:, None]
    return torch.lerp(spike, spike.new_tensor(lambda_slab), inclusion)


def theta_logit_update(inclusion: Tensor, a: float, b: float) -> Tensor:
    """Compute the EM update of the inclusion rates, as logits of shape (n_latent,).

        theta_k = (sum_j p*_jk + a - 1) / (a + b + n_features - 2)

    Half a pseudo-count on either side keeps theta off 0 and 1. Where a or b is
    below 1 the mode may lie beyond an end, and that end is taken.
    """
    included = inclusion.sum(dim=0) + (a - 1.0)
    total = a + b + inclusion.shape[0] - 2.0
    # The mode of a Beta lies at the border where its counts fall below 0, as for a or b under 1.
    excluded = (total - included).clamp_min(0.0)
    return torch.log(included.clamp_min(0.0) + 0.5) - torch.log(excluded + 0.5)


def universal_spike_rate(
    n_measured: Tensor, standard_error: Tensor, n_candidates: Tensor, scale: float
) -> Tensor:
    """Compute the data-driven spike rate of each feature.

        lambda_spike_j = scale sqrt(2 log(n_candidates)) sqrt(N_j) / s_j

    The universal threshold (Donoho & Johnstone 1994) for n_candidates = n_features x
    n_latent loadings, times the root of the information in N_j samples: s_j is the
    standard error with which one of them tells the feature's eta, I_j^(-1/2), and for
    Gaussians the standard deviation of the feature's noise.

    Parameters
    ----------
    n_measured
        Samples in which each feature was measured, of shape (n_features,).
    standard_error
        The s_j, of shape (n_features,).
    n_candidates
        Number of loadings of the feature's view, of shape (n_features,).
    scale
        The constant in front.
    """
    # One candidate has log 1, no threshold at all: it is treated like two.
    threshold = torch.log(n_candidates.clamp_min(2.0)).mul_(n_measured).mul_(2.0).sqrt_()
    return threshold.mul_(scale).div_(standard_error)


def soft_threshold(values: Tensor, threshold: Tensor) -> Tensor:
    """Shrink values towards zero by ``threshold``, exactly to zero within it.

    >>> soft_threshold(torch.tensor([-2.0, 0.5]), torch.tensor([1.0, 1.0]))
    tensor([-1., 0.])
    """
    return torch.sign(values) * torch.relu(values.abs() - threshold)
