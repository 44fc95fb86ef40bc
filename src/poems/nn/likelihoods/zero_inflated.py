"""The zero-inflated negative binomial likelihood: counts with zeros of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from poems.nn.likelihoods.by_hand import goes_by_hand, terms_by_hand
from poems.nn.likelihoods.negative_binomial import NegativeBinomialLikelihood, count_kernel
from poems.nn.likelihoods.own_scale import Distribution, exp_then_straight

# The prior on the log odds of a zero of its own: an eighth, to within a factor of e^1.5 either way.
_LOG_ODDS, _SPREAD = -2.0, 1.5
# Shares of such zeros among which the one to begin at is looked for, and the least dispersion.
_SHARES, _LEAST = (0.02, 0.8, 40), 1e-2


class ZeroInflatedLikelihood(NegativeBinomialLikelihood):
    """x_j = 0 with probability pi_j, and else negative binomial, with mean exp(eta_j) of both.

    So m = exp(eta_j) / (1 - pi_j) is the mean of the negative binomial part, an effect multiplies
    the mean as in the other families of counts, and what is expected without factors does
    not depend on pi_j. log (pi_j / (1 - pi_j)) is normal beforehand.
    """

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        self.log_odds = nn.Parameter(variance.new_full(variance.shape, _LOG_ODDS))

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Log rate at size 1; dispersions and shares of zeros by variance and number of zeros."""
        found = super().intercept(x, log_size, there)
        # That of a negative binomial without such zeros: (alpha + pi) / (1 - pi).
        of_all = self.log_dispersion.exp().double()
        # Of no sample 0 / 1.
        zeros = ((x == 0) & there).sum(dim=0) / there.sum(dim=0).clamp_min(1)
        mean = (found + self.log_sizes[:, None].double()).exp()
        shares = torch.linspace(*_SHARES, dtype=torch.float64)
        missed = torch.stack([self._missed(share, of_all, mean, zeros) for share in shares])
        share = shares[missed.argmin(dim=0)]
        self.log_odds.copy_(torch.logit(share))
        self.log_dispersion.copy_(_dispersion(of_all, share).log())
        return found

    @staticmethod
    def _missed(share: Tensor, of_all: Tensor, mean: Tensor, zeros: Tensor) -> Tensor:
        """By how much a share of zeros of their own misses how many zeros there are."""
        alpha = _dispersion(of_all, share)
        by_chance = torch.exp(-torch.log1p(alpha * mean / (1.0 - share)) / alpha).mean(dim=0)
        return (share + (1.0 - share) * by_chance - zeros).abs()

    def log_prior(self) -> Tensor:
        """Log density of the priors on dispersion and log odds, up to a constant."""
        return super().log_prior() - 0.5 * ((self.log_odds - _LOG_ODDS) / _SPREAD).square()

    def _inner(self, eta: Tensor) -> Tensor:
        """Log mean of the negative binomial part: eta - log(1 - pi)."""
        return eta + softplus(self.log_odds)

    def _log_by_chance(self, eta: Tensor) -> Tensor:
        """Log probability that the negative binomial part is 0."""
        t = self._inner(eta) + self.log_dispersion
        return -torch.exp(-self.log_dispersion) * softplus(t)

    def _log_zero(self, eta: Tensor) -> Tensor:
        """Log probability of a 0, of either kind."""
        return torch.logaddexp(
            logsigmoid(self.log_odds).expand_as(eta),
            logsigmoid(-self.log_odds) + self._log_by_chance(eta),
        )

    def _by_chance(self, eta: Tensor) -> Tensor:
        """Probability that a 0 is one of the negative binomial part."""
        return torch.sigmoid(self._log_by_chance(eta) - self.log_odds)

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log probability: log(pi + (1 - pi) p(0)) of a 0, log(1 - pi) + log p(x) of others."""
        counted = super().log_prob(x, self._inner(eta)) + logsigmoid(-self.log_odds)
        return torch.where(x == 0, self._log_zero(eta), counted)

    def of_features(
        self, x: Tensor, eta: Tensor, observed: Tensor | None, weight: Tensor | None = None
    ) -> Tensor:
        """Derivatives by hand."""
        if not goes_by_hand(x, weight):
            return super().of_features(x, eta, observed, weight)
        parameters = self.log_dispersion, self.log_odds
        return terms_by_hand(count_kernel, parameters, x, eta, observed)

    def variance(self, eta: Tensor) -> Tensor:
        """M + (alpha + pi) / (1 - pi) M^2, M the mean."""
        mean, share = exp_then_straight(eta), torch.sigmoid(self.log_odds)
        of_all = (torch.exp(self.log_dispersion) + share) * (1.0 + torch.exp(self.log_odds))
        return mean + of_all * mean.square()

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """That of the negative binomial part, of a 0 times the probability that it is of it."""
        found = super().score(x, self._inner(eta))
        return torch.where(x == 0, self._by_chance(eta) * found, found)

    def information(self, eta: Tensor) -> Tensor:
        """(1 - pi) (k - p(0) (1 - w) k^2), k that of the negative binomial part.

        w is the probability that a 0 is of that part, whose score is then -k.
        """
        k = super().information(self._inner(eta))
        lost = self._log_by_chance(eta).exp() * (1.0 - self._by_chance(eta)) * k.square()
        # A mean of squares: not below 0 but by rounding.
        return torch.sigmoid(-self.log_odds) * (k - lost).clamp_min(0.0)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """That of the negative binomial part, of a 0 -2 log of its probability."""
        counted = super().deviance(x, self._inner(eta))
        # Not below 0 but by rounding.
        return torch.where(x == 0, (-2.0 * self._log_zero(eta)).clamp_min(0.0), counted)

    def distribution(self, eta: Tensor) -> Distribution:
        """The negative binomial's, with zeros put in."""
        share = torch.sigmoid(self.log_odds.detach().double()).numpy()
        inner = super().distribution(self._inner(eta))
        return _Inflated(inner, share)

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw which are zeros of their own, and counts of the others."""
        counted = super().sample(self._inner(eta).detach(), generator)
        share = torch.sigmoid(self.log_odds.detach()).expand_as(counted)
        return counted.where(torch.bernoulli(share, generator=generator) == 0, 0.0)


def _dispersion(of_all: Tensor, share: Tensor) -> Tensor:
    """Dispersion of the negative binomial part, where zeros of their own are a share of all."""
    # Where learning begins: moments may leave less than nothing to it.
    return (of_all * (1.0 - share) - share).clamp_min(_LEAST)


@dataclass(frozen=True)
class _Inflated:
    """A distribution of counts with a share of zeros put in, (n_features,)."""

    inner: Distribution
    share: Any

    def cdf(self, x: Any) -> Any:
        """Probability of at most x."""
        known = np.asarray(x)
        return np.where(known < 0, 0.0, self.share + (1.0 - self.share) * self.inner.cdf(known))

    def ppf(self, q: Any) -> Any:
        """The least value up to which the probability is at least q."""
        left = (np.asarray(q) - self.share) / (1.0 - self.share)
        # A quantile of nothing would be -1.
        return np.where(left > 0, self.inner.ppf(np.where(left > 0, left, 0.5)), 0.0)
