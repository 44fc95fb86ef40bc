"""The proximal step of the spike-and-slab lasso: exact zeros after each Adam step."""

from __future__ import annotations

import torch
from torch import Tensor

from poems.distributions.spike_slab import soft_threshold


@torch.no_grad()
def proximal_step(parameter: Tensor, optimizer: torch.optim.AdamW, rate: Tensor) -> None:
    """Soft-threshold a parameter with the step size that Adam has just taken.

        threshold_jk = lr rate_jk / (sqrt(v_jk) + eps)

    with v Adam's bias-corrected second moment: the proximal operator of
    sum_jk rate_jk |w_jk| in Adam's own diagonal metric.

    Parameters
    ----------
    parameter
        The loadings, of shape (n_features, n_latent), changed in place.
    optimizer
        The optimiser that has just stepped, holding the parameter.
    rate
        L1 rate of each entry as it stands in the objective, of the same shape.
    """
    if parameter.grad is None:
        # No sample of the batch had the view, so Adam took no step.
        return
    group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
    state = optimizer.state[parameter]
    beta2 = group["betas"][1]
    corrected = state["exp_avg_sq"] / (1.0 - beta2 ** state["step"].item())
    threshold = group["lr"] * rate / (corrected.sqrt() + group["eps"])
    parameter.copy_(soft_threshold(parameter, threshold))
