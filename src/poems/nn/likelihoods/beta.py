"""The beta likelihood: fractions such as methylation, from 0 to 1."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from poems.nn.likelihoods.by_hand import Kernel, goes_by_hand, terms_by_hand
from poems.nn.likelihoods.own_scale import (
    Distribution,
    OwnScaleLikelihood,
    as_double,
    mean_inside,
)
from poems.scaling.own_scale import Kind
from poems.settings.effect_scale import LOG_ODDS_OF_MEAN, EffectScale

# The log-normal prior on the precision phi, within a factor of e^1.5 either way.
_LOG_PRECISION, _SPREAD = math.log(10.0), 1.5
# Where precisions found from moments begin, at the least and at most.
_LEAST, _MOST = 0.5, 500.0
# Shapes below this, of a prediction next to 0 or 1, count as this: no digit of theirs matters.
_TINY = 1e-20
# Newton steps to a value's best prediction, from a start that is right at either end.
_STEPS = 8


class BetaLikelihood(OwnScaleLikelihood):
    """x_j ~ Beta(m phi_j, (1 - m) phi_j) with mean m = 1 / (1 + exp(-eta_j)).

    phi_j, the precision, is log-normal beforehand; the variance is m (1 - m) / (1 + phi_j). A
    fraction of 0 or 1 has no density; preprocessing puts it half a step inside, and says so.
    """

    kind: ClassVar[Kind] = "fractions"
    effects: ClassVar[EffectScale] = LOG_ODDS_OF_MEAN
    placeholder: ClassVar[float] = 0.5

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        self.log_precision = nn.Parameter(variance.new_full(variance.shape, _LOG_PRECISION))

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Log odds of the mean; precisions by moments about it."""
        # A feature that nothing was measured of has sums of 0, divided by anything.
        n = there.sum(dim=0).clamp_min(1)
        mean = mean_inside(x, there)
        # Where learning begins; moments of few samples may be anything, those of one are 0.
        variance = ((x - mean).square().where(there, 0.0).sum(dim=0) / n).clamp_min(1e-12)
        precision = (mean * (1.0 - mean) / variance - 1.0).clamp(_LEAST, _MOST)
        self.log_precision.copy_(precision.log())
        return torch.logit(mean)

    @torch.no_grad()
    def start(self, residual: Tensor) -> None:
        """Leave the share of the variance that a linear model leaves."""
        ratio = residual.where(residual > 0, 1.0).square()
        inverse = ratio / (1.0 + self.log_precision.exp())
        # Moments of few values may leave no precision at all: a start has some.
        self.log_precision.copy_((1.0 / inverse - 1.0).clamp_min(_LEAST).log())

    def log_prior(self) -> Tensor:
        """Log density of the log-normal prior on each precision, up to a constant."""
        return -0.5 * ((self.log_precision - _LOG_PRECISION) / _SPREAD).square()

    def _shapes(self, eta: Tensor) -> tuple[Tensor, Tensor]:
        phi = torch.exp(self.log_precision)
        # Both are above 0 but where the sigmoid of a far eta underflows.
        return (
            (phi * torch.sigmoid(eta)).clamp_min(_TINY),
            # As above.
            (phi * torch.sigmoid(-eta)).clamp_min(_TINY),
        )

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log density."""
        a, b = self._shapes(eta)
        whole = torch.lgamma(torch.exp(self.log_precision))
        constant = whole - torch.lgamma(a) - torch.lgamma(b)
        return constant + (a - 1.0) * torch.log(x) + (b - 1.0) * torch.log1p(-x)

    def of_features(
        self, x: Tensor, eta: Tensor, observed: Tensor | None, weight: Tensor | None = None
    ) -> Tensor:
        """Derivatives by hand."""
        if not goes_by_hand(x, weight):
            return super().of_features(x, eta, observed, weight)
        return terms_by_hand(_kernel, (self.log_precision,), x, eta, observed)

    def mean(self, eta: Tensor) -> Tensor:
        """The mean fraction."""
        return torch.sigmoid(eta)

    def link(self, mean: Tensor) -> Tensor:
        """Log odds."""
        return torch.logit(mean)

    def variance(self, eta: Tensor) -> Tensor:
        """M (1 - m) / (1 + phi)."""
        spread = torch.sigmoid(eta) * torch.sigmoid(-eta)
        return spread / (1.0 + torch.exp(self.log_precision))

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """Phi m (1 - m) (logit x - psi(m phi) + psi((1 - m) phi))."""
        a, b = self._shapes(eta)
        expected = torch.digamma(a) - torch.digamma(b)
        return self._slope(eta) * (torch.log(x) - torch.log1p(-x) - expected)

    def _slope(self, eta: Tensor) -> Tensor:
        """The derivative of a shape for eta."""
        return torch.exp(self.log_precision) * torch.sigmoid(eta) * torch.sigmoid(-eta)

    def information(self, eta: Tensor) -> Tensor:
        """(phi m (1 - m))^2 (psi'(m phi) + psi'((1 - m) phi))."""
        a, b = self._shapes(eta)
        slope = self._slope(eta)
        # Each root apart: psi' of a tiny shape is no number that its square's root is.
        return (slope * _root_trigamma(a)).square() + (slope * _root_trigamma(b)).square()

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """Twice what eta loses against the best eta for x, found by Newton's method."""
        best = torch.logit(x)
        for _ in range(_STEPS):
            # Newton's steps, bounded: far from the mean information vanishes and steps overshoot.
            step = self.score(x, best) / self.information(best).clamp_min(1e-12)
            # As above.
            best = best + step.clamp(-2.0, 2.0)
        lost = self.log_prob(x, best) - self.log_prob(x, eta)
        # Not below 0 but by rounding.
        return 2.0 * lost.clamp_min(0.0)

    def distribution(self, eta: Tensor) -> Distribution:
        """The beta distribution."""
        from scipy import stats

        found: Distribution = stats.beta(*as_double(*self._shapes(eta)))
        return found

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw two gamma variables and take the first one's share."""
        a, b = (shape.detach().contiguous() for shape in self._shapes(eta))
        one, two = (torch._standard_gamma(shape, generator) for shape in (a, b))
        tiny = torch.finfo(eta.dtype).eps
        # A share that rounds to 0 or 1 has no density.
        return (one / (one + two).clamp_min(_TINY)).clamp(tiny, 1.0 - tiny)


def _kernel() -> Kernel:
    """Return what computes the terms of fractions."""
    from poems.nn.kernels.fractions import fraction_terms

    return partial(fraction_terms, least=_TINY)


def _root_trigamma(a: Tensor) -> Tensor:
    """Compute the root of psi'(a): near 0 it is 1 / a, whose square may not be a number."""
    small = a < 1e-4
    inside = torch.special.polygamma(1, a.where(~small, 1.0)).sqrt()
    return torch.where(small, 1.0 / a, inside)
