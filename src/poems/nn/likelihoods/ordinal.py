"""The ordinal likelihood: levels in their order, such as copy-number states."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from poems.nn.likelihoods.by_hand import Kernel, goes_by_hand, terms_by_hand
from poems.nn.likelihoods.own_scale import Distribution, OwnScaleLikelihood, as_double
from poems.scaling.own_scale import Kind
from poems.settings.effect_scale import LOG_ODDS_OF_LEVEL, EffectScale

# Levels of a likelihood that was not told how many there are.
_N_LEVELS = 3
# The prior on the distance of neighbouring cuts, in log odds: exponential of this mean.
_MEAN_GAP = 2.0
# Gaps at their start, at the least, and steps to an eta of a given mean.
_LEAST_GAP, _STEPS = 0.05, 100


class OrdinalLikelihood(OwnScaleLikelihood):
    """P(x_j <= l) = 1 / (1 + exp(eta_j - c_jl)) for levels 0, 1, …, with cuts c_j0 < c_j1 < ….

    An effect of 1 multiplies the odds of being above any level by e. Cuts are each feature's own;
    their distances are exponential beforehand, for a level that never occurs.

    Parameters
    ----------
    variance
        As of any likelihood; its length alone matters.
    n_levels
        Number of levels.
    """

    kind: ClassVar[Kind] = "levels"
    effects: ClassVar[EffectScale] = LOG_ODDS_OF_LEVEL
    discrete: ClassVar[bool] = True

    def __init__(self, variance: Tensor, n_levels: int = _N_LEVELS) -> None:
        super().__init__(variance)
        # Of two levels there is one cut and no gap.
        gaps = variance.new_full((len(variance), max(n_levels - 2, 0)), 0.7)
        self.first = nn.Parameter(variance.new_full(variance.shape, -1.0))
        self.log_gaps = nn.Parameter(gaps)

    @classmethod
    def for_levels(cls, variance: Tensor, n_levels: int) -> OrdinalLikelihood:
        """Make one with so many levels."""
        return cls(variance, n_levels or _N_LEVELS)

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return int(self.log_gaps.shape[1]) + 2

    @property
    def cuts(self) -> Tensor:
        """Cuts between levels, (n_features, n_levels - 1)."""
        gaps = torch.exp(self.log_gaps)
        return torch.cat([self.first[:, None], self.first[:, None] + gaps.cumsum(dim=1)], dim=1)

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Zero, with cuts at the log odds of the shares of samples up to each level."""
        n = there.sum(dim=0).to(x.dtype)
        below = torch.stack(
            [((x <= level) & there).sum(dim=0) for level in range(self.n_levels - 1)], dim=1
        )
        # Half a sample at each end, for levels that no sample has.
        cuts = torch.logit((below + 0.5) / (n[:, None] + 1.0))
        self.first.copy_(cuts[:, 0])
        # Levels that no sample has are given a gap nevertheless: cuts are in order.
        self.log_gaps.copy_(cuts.diff(dim=1).clamp_min(_LEAST_GAP).log())
        return torch.zeros_like(n)

    def log_prior(self) -> Tensor:
        """Log density of the exponential prior on each gap, of its logarithm."""
        gaps = torch.exp(self.log_gaps)
        return (self.log_gaps - gaps / _MEAN_GAP).sum(dim=1)

    def _around(self, x: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Cuts above and below each value less eta, their gap, and which of them are there."""
        level = x.long().T.contiguous()
        cuts = self.cuts
        last = self.n_levels - 1
        # The outer levels have one cut; what is gathered in place of the other is not used.
        upper = cuts.gather(1, level.clamp_max(last - 1)).T - eta
        # As above.
        lower = cuts.gather(1, (level - 1).clamp_min(0)).T - eta
        # Of gaps themselves: a difference of cuts far from 0 has lost its digits.
        gap = torch.ones_like(upper)
        if self.log_gaps.shape[1]:
            # As above: the outer levels have no gap.
            at = (level - 1).clamp(0, self.log_gaps.shape[1] - 1)
            gap = torch.exp(self.log_gaps).gather(1, at).T
        return upper, lower, gap, x < last, x > 0

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log probability: log s(u) + log s(-l) + log(1 - e^(l - u)), u and l the cuts less eta.

        s is the logistic function; the first term is 0 at the highest level, the second at the
        lowest, the last at both.
        """
        upper, lower, gap, has_upper, has_lower = self._around(x, eta)
        both = has_upper & has_lower
        between = torch.log(-torch.expm1(-gap))
        return (
            logsigmoid(upper).where(has_upper, 0.0)
            + logsigmoid(-lower).where(has_lower, 0.0)
            + between.where(both, 0.0)
        )

    def of_features(
        self, x: Tensor, eta: Tensor, observed: Tensor | None, weight: Tensor | None = None
    ) -> Tensor:
        """Derivatives by hand."""
        if not goes_by_hand(x, weight):
            return super().of_features(x, eta, observed, weight)
        parameters = self.cuts, torch.exp(self.log_gaps)
        return terms_by_hand(_kernel, parameters, x, eta, observed)

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """s(l) - s(-u), of the cuts that are there."""
        upper, lower, _, has_upper, has_lower = self._around(x, eta)
        from_below = torch.sigmoid(lower).where(has_lower, 0.0)
        return from_below - torch.sigmoid(-upper).where(has_upper, 0.0)

    def _log_probabilities(self, eta: Tensor) -> Tensor:
        """Log probability of each level: (n_levels, n_samples, n_features)."""
        return torch.stack(
            [self.log_prob(torch.full_like(eta, level), eta) for level in range(self.n_levels)]
        )

    def _levels(self, eta: Tensor) -> Tensor:
        return torch.arange(self.n_levels, dtype=eta.dtype, device=eta.device)[:, None, None]

    def mean(self, eta: Tensor) -> Tensor:
        """Expected number of the level."""
        above = [torch.sigmoid(eta - cut) for cut in self.cuts.T]
        return torch.stack(above).sum(dim=0)

    def link(self, mean: Tensor) -> Tensor:
        """The eta of a mean, by halving an interval."""
        low, high = torch.full_like(mean, -60.0), torch.full_like(mean, 60.0)
        for _ in range(_STEPS):
            middle = 0.5 * (low + high)
            too_low = self.mean(middle) < mean
            low, high = torch.where(too_low, middle, low), torch.where(too_low, high, middle)
        return 0.5 * (low + high)

    def variance(self, eta: Tensor) -> Tensor:
        """Variance of the level's number."""
        away = (self._levels(eta) - self.mean(eta)).square()
        return (torch.exp(self._log_probabilities(eta)) * away).sum(dim=0)

    def information(self, eta: Tensor) -> Tensor:
        """The mean square of the score over the levels."""
        total = torch.zeros_like(eta)
        for level, log_p in enumerate(self._log_probabilities(eta)):
            total = total + log_p.exp() * self.score(torch.full_like(eta, level), eta).square()
        return total

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """Twice what eta loses: the best one lies midway between the cuts, or at an end."""
        _, _, gap, has_upper, has_lower = self._around(x, eta)
        best = torch.log(-torch.expm1(-gap)) - 2.0 * softplus(-0.5 * gap)
        best = best.where(has_upper & has_lower, 0.0)
        # Not below 0 but by rounding.
        return 2.0 * (best - self.log_prob(x, eta)).clamp_min(0.0)

    def distribution(self, eta: Tensor) -> Distribution:
        """The levels', by their numbers."""
        below = torch.stack([torch.sigmoid(cut - eta) for cut in self.cuts.T])
        (cumulated,) = as_double(below)
        return _Levels(cumulated)

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Count the cuts below a logistic variable about eta."""
        uniform = torch.empty_like(eta).uniform_(generator=generator)
        # A draw of 0 is as good as any other below every cut.
        noisy = eta + torch.logit(uniform, eps=torch.finfo(eta.dtype).tiny)
        return torch.stack([(noisy > cut).to(eta.dtype) for cut in self.cuts.T]).sum(dim=0)


def _kernel() -> Kernel:
    """Return what computes the terms of ordered levels."""
    from poems.nn.kernels.levels import level_terms

    return level_terms


class _Levels:
    """Probabilities of the levels up to all but the last: (n_levels - 1, n_samples, n_features)."""

    def __init__(self, cumulated: npt.NDArray[np.float64]) -> None:
        ends = np.zeros_like(cumulated[:1]), np.ones_like(cumulated[:1])
        self._upto = np.concatenate([ends[0], cumulated, ends[1]])

    def cdf(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probability of levels up to x, -1 and more."""
        at = x.astype(np.intp)[None] + 1
        return np.asarray(np.take_along_axis(self._upto, at, axis=0)[0])

    def ppf(self, q: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Number of the level."""
        return np.asarray((self._upto[1:-1] < q).sum(axis=0), dtype=np.float64)
