"""The Poisson likelihood: counts whose variance is their mean."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from poems.nn.likelihoods.own_scale import (
    Distribution,
    OwnScaleLikelihood,
    as_double,
    exp_then_straight,
    slope_of_exp,
)
from poems.scaling.own_scale import Kind
from poems.settings.effect_scale import LOG_FOLD, EffectScale


class CountLikelihood(OwnScaleLikelihood):
    """A family of counts with a logarithmic link: an effect of 1 multiplies the mean by e."""

    kind: ClassVar[Kind] = "counts"
    effects: ClassVar[EffectScale] = LOG_FOLD
    discrete: ClassVar[bool] = True

    def mean(self, eta: Tensor) -> Tensor:
        """exp(eta)."""
        return exp_then_straight(eta)

    def link(self, mean: Tensor) -> Tensor:
        """Logarithm of the mean."""
        return mean.log()

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Log rate of each feature at size 1: its sum, divided by that of the sizes."""
        sizes = (log_size.exp()[:, None] * there).sum(dim=0)
        # Half a count where there is none, and a size of 1 where there is no sample.
        total = x.where(there, 0.0).sum(dim=0).clamp_min(0.5)
        return (total / sizes.where(sizes > 0, 1.0)).log()


class PoissonLikelihood(CountLikelihood):
    """x_j ~ Poisson(exp(eta_j))."""

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log probability: x eta - exp(eta) - log x!."""
        return x * eta - exp_then_straight(eta) - torch.lgamma(x + 1.0)

    def variance(self, eta: Tensor) -> Tensor:
        """The mean."""
        return exp_then_straight(eta)

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """X less the mean."""
        return x - slope_of_exp(eta)

    def information(self, eta: Tensor) -> Tensor:
        """The mean."""
        return slope_of_exp(eta)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """2 (x log(x / mean) - x + mean)."""
        lost: Tensor = torch.special.xlogy(x, x) - x * eta - x + exp_then_straight(eta)
        # Not below 0 but by rounding.
        return 2.0 * lost.clamp_min(0.0)

    def distribution(self, eta: Tensor) -> Distribution:
        """Poisson's."""
        from scipy import stats

        found: Distribution = stats.poisson(*as_double(self.mean(eta)))
        return found

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw counts."""
        return torch.poisson(exp_then_straight(eta), generator)
