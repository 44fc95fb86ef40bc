"""The Bernoulli likelihood: mutations, calls, all that is there or is not."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from poems.nn.likelihoods.own_scale import (
    Distribution,
    OwnScaleLikelihood,
    as_double,
    mean_inside,
)
from poems.scaling.own_scale import Kind
from poems.settings.effect_scale import LOG_ODDS, EffectScale


class BernoulliLikelihood(OwnScaleLikelihood):
    """x_j is 1 with probability 1 / (1 + exp(-eta_j)), else 0.

    An effect of 1 multiplies the odds by e.
    """

    kind: ClassVar[Kind] = "binary"
    effects: ClassVar[EffectScale] = LOG_ODDS
    discrete: ClassVar[bool] = True

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Log odds of the share of ones."""
        return torch.logit(mean_inside(x, there))

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log probability: x eta - log(1 + exp(eta))."""
        return x * eta - softplus(eta)

    def mean(self, eta: Tensor) -> Tensor:
        """Probability of a 1."""
        return torch.sigmoid(eta)

    def link(self, mean: Tensor) -> Tensor:
        """Log odds."""
        return torch.logit(mean)

    def variance(self, eta: Tensor) -> Tensor:
        """p (1 - p)."""
        return torch.sigmoid(eta) * torch.sigmoid(-eta)

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """X - p."""
        return x - torch.sigmoid(eta)

    def information(self, eta: Tensor) -> Tensor:
        """p (1 - p)."""
        return torch.sigmoid(eta) * torch.sigmoid(-eta)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """Minus twice the log probability, for a value's best eta has probability 1."""
        return 2.0 * (softplus(eta) - x * eta)

    def distribution(self, eta: Tensor) -> Distribution:
        """Bernoulli's, of probability p."""
        from scipy import stats

        found: Distribution = stats.bernoulli(*as_double(self.mean(eta)))
        return found

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw 0 or 1."""
        uniform = torch.empty_like(eta).uniform_(generator=generator)
        return (uniform < torch.sigmoid(eta)).to(eta.dtype)
