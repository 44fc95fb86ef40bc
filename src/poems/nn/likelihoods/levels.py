"""The level of each feature at which its values are likeliest, given what else is predicted."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from poems.nn.likelihoods.own_scale import OwnScaleLikelihood

_STEPS: Final = 25
# On a log or logit scale: the steps of Fisher scoring may overshoot where a level is far off.
_LONGEST: Final = 2.0
_ENOUGH: Final = 1e-4


@torch.no_grad()
def fitted_level(
    likelihood: OwnScaleLikelihood, x: Tensor, eta: Tensor, observed: Tensor | None
) -> Tensor:
    """Find what to add to the eta of all samples so that each feature's values are likeliest.

    By Fisher scoring. What makes a feature's values less likely than nothing added is not taken.

    Parameters
    ----------
    likelihood
        Of the view.
    x, eta
        Values and what is predicted of them, (n_samples, n_features).
    observed
        Which values were measured, booleans like x; ``None`` for all.

    Returns
    -------
    Of shape (n_features,).

    Examples
    --------
    >>> from poems.nn.likelihoods.poisson import PoissonLikelihood
    >>> poisson = PoissonLikelihood(torch.ones(1))
    >>> level = fitted_level(poisson, torch.full((5, 1), 4.0), torch.zeros(5, 1), None)
    >>> round(float(level.exp()), 3)
    4.0
    """
    there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
    values = x.where(there, likelihood.placeholder)

    def total(of: Tensor) -> Tensor:
        return of.where(there, 0.0).double().sum(dim=0)

    level = torch.zeros_like(eta[0])
    for _ in range(_STEPS):
        at = eta + level
        slope, told = total(likelihood.score(values, at)), total(likelihood.information(at))
        # Where no value was measured nothing is told, and the level stays.
        step = (slope / told).where(told > 0, 0.0).clamp(-_LONGEST, _LONGEST).to(level.dtype)
        level = level + step
        if float(step.abs().max()) < _ENOUGH:
            break
    better = total(likelihood.deviance(values, eta + level)) < total(
        likelihood.deviance(values, eta)
    )
    return level.where(better, 0.0)
