"""The negative binomial likelihood: counts that vary more than a Poisson's."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from poems.nn.likelihoods.by_hand import Kernel, goes_by_hand, terms_by_hand
from poems.nn.likelihoods.own_scale import Distribution, as_double, exp_then_straight
from poems.nn.likelihoods.poisson import CountLikelihood

# The prior on a feature's log dispersion: a coefficient of variation of about a half beyond
# Poisson's, to within a factor of e^1.5 either way.
_LOG_DISPERSION, _SPREAD = math.log(0.3), 1.5
# Where dispersions found from moments begin, at least and at most.
_LEAST, _MOST = 1e-2, 20.0
# From here on the sum of log-gammas is Stirling's series, which loses no digits.
_LARGE = 30.0


class NegativeBinomialLikelihood(CountLikelihood):
    """x_j with mean m = exp(eta_j) and variance m + alpha_j m^2.

    alpha_j, the dispersion, is log-normal beforehand. With theta = 1 / alpha and
    t = eta + log alpha,

        log p = log G(x + theta) - log G(theta) - log x! - theta log(1 + e^t) - x log(1 + e^-t).
    """

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        self.log_dispersion = nn.Parameter(variance.new_full(variance.shape, _LOG_DISPERSION))

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Log rate at size 1; dispersions by moments about it."""
        found = super().intercept(x, log_size, there)
        mean = (found + log_size[:, None]).exp()
        excess = ((x - mean).square() - mean).where(there, 0.0).sum(dim=0)
        # Of no sample 0 / 1.
        alpha = excess / mean.square().where(there, 0.0).sum(dim=0).clamp_min(1e-12)
        # Where learning begins; moments of few samples may be anything, below 0 too.
        self.log_dispersion.copy_(alpha.clamp(_LEAST, _MOST).log())
        return found

    @torch.no_grad()
    def start(self, residual: Tensor) -> None:
        """Leave of the dispersion the share that a linear model leaves of the variance."""
        begun = self.log_dispersion + 2.0 * residual.where(residual > 0, 1.0).log()
        self.log_dispersion.copy_(begun)

    def log_prior(self) -> Tensor:
        """Log density of the log-normal prior on each dispersion, up to a constant."""
        return -0.5 * ((self.log_dispersion - _LOG_DISPERSION) / _SPREAD).square()

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log probability, see above."""
        theta, t = torch.exp(-self.log_dispersion), eta + self.log_dispersion
        ways = _log_rising(x, theta) - torch.lgamma(x + 1.0)
        return ways - theta * softplus(t) - x * softplus(-t)

    def of_features(
        self, x: Tensor, eta: Tensor, observed: Tensor | None, weight: Tensor | None = None
    ) -> Tensor:
        """Derivatives by hand."""
        if not goes_by_hand(x, weight):
            return super().of_features(x, eta, observed, weight)
        parameters = self.log_dispersion, x.new_zeros(0)
        return terms_by_hand(count_kernel, parameters, x, eta, observed)

    def variance(self, eta: Tensor) -> Tensor:
        """M + alpha m^2."""
        mean = exp_then_straight(eta)
        return mean + torch.exp(self.log_dispersion) * mean.square()

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """(x - m) / (1 + alpha m)."""
        t = eta + self.log_dispersion
        return x * torch.sigmoid(-t) - torch.exp(-self.log_dispersion) * torch.sigmoid(t)

    def information(self, eta: Tensor) -> Tensor:
        """M / (1 + alpha m), at most theta."""
        t = eta + self.log_dispersion
        return torch.exp(-self.log_dispersion) * torch.sigmoid(t)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """2 (x log(x / m) - (x + theta) log((x + theta) / (m + theta)))."""
        alpha = torch.exp(self.log_dispersion)
        apart = torch.log1p(alpha * x) - softplus(eta + self.log_dispersion)
        lost: Tensor = torch.special.xlogy(x, x) - x * eta - (x + 1.0 / alpha) * apart
        # Not below 0 but by rounding.
        return 2.0 * lost.clamp_min(0.0)

    def distribution(self, eta: Tensor) -> Distribution:
        """The negative binomial with theta failures, of probability theta / (theta + m)."""
        from scipy import stats

        theta = torch.exp(-self.log_dispersion.double()).expand_as(eta)
        found: Distribution = stats.nbinom(
            *as_double(theta, theta / (theta + self.mean(eta).double()))
        )
        return found

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a rate from a gamma distribution, then a count."""
        theta = torch.exp(-self.log_dispersion.detach()).expand_as(eta).contiguous()
        rate = torch._standard_gamma(theta, generator) / theta
        return torch.poisson(rate * exp_then_straight(eta), generator)


def count_kernel() -> Kernel:
    """Return what computes the terms of counts, with zeros of their own or without."""
    from poems.nn.kernels.counts import count_terms

    return count_terms


def _log_rising(x: Tensor, theta: Tensor) -> Tensor:
    """Compute log G(x + theta) - log G(theta) without the loss of digits at large theta.

    Stirling's series of both: (theta - 1/2) log(1 + x / theta) + x log(x + theta) - x + ...
    """
    large = theta > _LARGE
    if not bool(large.any()):
        return torch.lgamma(x + theta) - torch.lgamma(theta)
    # Each of two formulas is used on its side alone, see `large`; the bounds keep both finite.
    small = theta.clamp_max(_LARGE)
    direct = torch.lgamma(x + small) - torch.lgamma(small)
    # As above.
    above = theta.clamp_min(_LARGE)
    both = x + above
    series = (above - 0.5) * torch.log1p(x / above) + x * both.log() - x
    series = series + _rest(both) - _rest(above)
    return torch.where(large, series, direct)


def _rest(a: Tensor) -> Tensor:
    """Stirling's series beyond its logarithms."""
    inverse = 1.0 / a
    square = inverse.square()
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0)))
