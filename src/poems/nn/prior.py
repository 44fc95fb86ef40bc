"""Priors over the latents. To add one, write the class and register it in
:data:`poems.settings.parts.PRIORS`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from itertools import combinations
from typing import ClassVar

import torch
from torch import Tensor, nn

from poems.nn.distributions.posteriors import LOG_2PI, Posterior, gaussian_log_prob, kl_to_prior

# Variance that a component has at least, so that it cannot collapse onto a sample.
_LEAST_VARIANCE = 1e-2
# Steps of EM each time that the mixture is fitted to the latents.
_EM_STEPS = 5


class Prior(nn.Module):
    """What the objective and the result need of p(z).

    Parameters
    ----------
    n_latent
        Width of z.
    n_components
        Components to start from, for priors that have any.
    """

    #: Whether :meth:`learn` is to be called in the course of training.
    learns: ClassVar[bool] = False

    def __init__(self, n_latent: int, n_components: int) -> None:
        super().__init__()

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""

    def quadratic(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return loc and precision, shaped as z, of Gaussians that stand for the prior near z.

        What raises the Gaussian's density from z should raise the prior's. By default the
        tangent of log p(z) with a precision of one.
        """
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.log_prob(at).sum(), at)
        return z + slope, torch.ones_like(z)

    def kl(self, posterior: Posterior, z: Tensor, weights: Tensor) -> Tensor:
        """KL(q || p) per sample, estimated from draws z and their weights."""
        return kl_to_prior(posterior, z, weights, self.log_prob)

    def component_probabilities(self, z: Tensor) -> Tensor | None:
        """Probability of each component given z: (n_samples, n_components), if there are any."""
        return None

    @property
    def n_components(self) -> int | None:
        """Number of components that are left, if there are any."""
        return None

    def learn(
        self,
        loc: Tensor,
        variance: Tensor,
        n_driving: int,
        concentration: float | None,
        *,
        emptying: bool,
    ) -> None:
        """Take in where the training samples lie, before an epoch; see :class:`MixturePrior`."""


class NormalPrior(Prior):
    """The standard normal N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""
        return -0.5 * (z.square() + LOG_2PI).sum(dim=-1)

    def quadratic(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The prior itself."""
        return torch.zeros_like(z), torch.ones_like(z)

    def kl(self, posterior: Posterior, z: Tensor, weights: Tensor) -> Tensor:
        """KL(q || p) per sample, in closed form where there is one."""
        closed = posterior.kl_standard_normal()
        return super().kl(posterior, z, weights) if closed is None else closed


class MixturePrior(Prior):
    """A mixture of diagonal Gaussians, whose components are soft subtypes.

    It begins as N(0, I). Once the latents have taken shape, :meth:`learn` fits
    it to them, again and again in the course of training: by EM, with a sparse
    Dirichlet prior on the weights that empties components which are not needed
    (Figueiredo & Jain 2002, IEEE TPAMI 24:381), and by merging pairs whose
    distinction is not worth its parameters. So the number of components is
    found, and may be one.
    """

    learns: ClassVar[bool] = True
    loc: Tensor
    variance: Tensor
    log_weights: Tensor
    placed: Tensor

    def __init__(self, n_latent: int, n_components: int) -> None:
        super().__init__(n_latent, n_components)
        self.register_buffer("loc", torch.zeros(n_components, n_latent))
        self.register_buffer("variance", torch.ones(n_components, n_latent))
        self.register_buffer("log_weights", torch.full((n_components,), -math.log(n_components)))
        # A number, because model files hold nothing but single precision.
        self.register_buffer("placed", torch.zeros(()))

    def _joint(self, z: Tensor) -> Tensor:
        """Joint log density of z and each component: (..., n_components)."""
        parts = gaussian_log_prob(z[..., None, :], self.loc, -torch.log(self.variance))
        return parts + self.log_weights

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""
        return torch.logsumexp(self._joint(z), dim=-1)

    def quadratic(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The components' Gaussians, as probable as each is at z: the lower bound of EM."""
        shares = torch.softmax(self._joint(z), dim=-1)
        precision = shares @ self.variance.reciprocal()
        return (shares @ (self.loc / self.variance)) / precision, precision

    def component_probabilities(self, z: Tensor) -> Tensor | None:
        """Probability of each component given z: (n_samples, n_components)."""
        return torch.softmax(self._joint(z), dim=-1)

    @property
    def n_components(self) -> int:
        """Number of components that are not gone."""
        return int(torch.isfinite(self.log_weights).sum())

    @torch.no_grad()
    def learn(
        self,
        loc: Tensor,
        variance: Tensor,
        n_driving: int,
        concentration: float | None,
        *,
        emptying: bool,
    ) -> None:
        """Fit the mixture to the posteriors of all training samples.

        Parameters
        ----------
        loc, variance
            Posterior means and variances, of shape (n_samples, n_latent).
        n_driving
            Latent dimensions that drive a feature: those in which a component
            has parameters to speak of.
        concentration
            Concentration of the Dirichlet prior, the same for all components.
            ``None`` sets it to 1 less half the number of a component's
            parameters, ``1 - n_driving``, the rule of minimum message length.
        emptying
            Whether components may go by now: before the sparsity has done its
            work, too many dimensions are driving and groups not yet apart.
        """
        if not self.placed:
            self._place(loc)
        cost = 0.0
        if emptying:
            cost = float(n_driving) if concentration is None else 1.0 - concentration
        for _ in range(_EM_STEPS):
            self._step(loc, variance, cost)
        if emptying:
            self._merge(loc, variance, n_driving)

    def _place(self, loc: Tensor) -> None:
        """Centre the components on the latents by k-means."""
        n_components = len(self.log_weights)
        centres, labels = _kmeans(loc, min(n_components, len(torch.unique(loc, dim=0))))
        self.loc[: len(centres)] = centres
        within = (loc - centres[labels]).square().mean(dim=0)
        # A start: clusters of copies of one sample have no variance, and a Gaussian needs some.
        self.variance.copy_(within.clamp_min(_LEAST_VARIANCE).expand_as(self.variance))
        counts = torch.bincount(labels, minlength=n_components).to(loc.dtype)
        self.log_weights.copy_(torch.log(counts / counts.sum()))
        self.placed.fill_(1.0)

    def _expected_joint(self, loc: Tensor, variance: Tensor) -> Tensor:
        """Expectation of the joint log density over the posteriors: (n_samples, n_components)."""
        return self._joint(loc) - 0.5 * variance @ self.variance.reciprocal().T

    def _step(self, loc: Tensor, variance: Tensor, cost: float) -> None:
        """One EM step; at most one component goes in it, the smallest.

        The samples of a component that goes are shared out first, for it may be
        just these that keep another one.
        """
        shares = torch.softmax(self._expected_joint(loc, variance), dim=1)
        counts = shares.sum(dim=0)
        there = torch.isfinite(self.log_weights)
        smallest = torch.where(there, counts, math.inf).argmin()
        if self.n_components > 1 and counts[smallest] <= cost:
            there[smallest] = False
        # A component that stays has at least one sample's weight: the cost may exceed what a step
        # left it.
        weights = torch.where(there, (counts - cost).clamp_min(1.0), 0.0)
        self.log_weights.copy_(torch.log(weights / weights.sum()))
        # A component that lost its samples stays where it was: it has no say any more.
        divisor = counts.clamp_min(1.0)[:, None]
        means = shares.T @ loc / divisor
        squares = shares.T @ (loc.square() + variance) / divisor - means.square()
        alive = (counts >= 1.0)[:, None]
        self.loc.copy_(torch.where(alive, means, self.loc))
        # Mean squares less squared means of latents near unit size: below 0 by rounding alone; the
        # floor is the prior's.
        self.variance.copy_(torch.where(alive, squares.clamp_min(_LEAST_VARIANCE), self.variance))

    def _merge(self, loc: Tensor, variance: Tensor, n_driving: int) -> None:
        """Merge the two components that are best merged, if their distinction is not worth it.

        It is not if the expected log likelihood falls by less than
        (n_driving + 1/2) log n_samples without it, the Bayesian information
        criterion. The merged component has the mean and the variance of both
        together.
        """
        there = torch.isfinite(self.log_weights).nonzero().flatten().tolist()
        joint = self._expected_joint(loc, variance)
        before = torch.logsumexp(joint, dim=1).sum()
        best, least = None, (n_driving + 0.5) * math.log(len(loc))
        for pair in map(list, combinations(there, 2)):
            log_weight = torch.logsumexp(self.log_weights[pair], dim=0)
            share = torch.exp(self.log_weights[pair] - log_weight)[:, None]
            centre = (share * self.loc[pair]).sum(dim=0)
            spread = (share * (self.variance[pair] + (self.loc[pair] - centre).square())).sum(dim=0)
            merged = gaussian_log_prob(loc, centre, -torch.log(spread)) + log_weight
            merged = merged - 0.5 * variance @ spread.reciprocal()
            others = joint[:, [k for k in there if k not in pair]]
            after = torch.logsumexp(torch.cat([others, merged[:, None]], dim=1), dim=1).sum()
            if before - after <= least:
                best, least = (*pair, centre, spread, log_weight), float(before - after)
        if best is not None:
            kept, gone, centre, spread, log_weight = best
            self.loc[kept], self.variance[kept], self.log_weights[kept] = centre, spread, log_weight
            self.log_weights[gone] = -math.inf


def _kmeans(points: Tensor, n_clusters: int) -> tuple[Tensor, Tensor]:
    """Return centres and labels of k-means, seeded by torch's generator."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    seed = int(torch.randint(2**31 - 1, ()).item())
    with threadpool_limits(limits=1):
        found = KMeans(n_clusters, n_init=10, random_state=seed).fit(points.cpu().double().numpy())
    centres = torch.from_numpy(found.cluster_centers_).to(points)
    return centres, torch.from_numpy(found.labels_).to(points.device, torch.long)


PriorFactory = Callable[[int, int], Prior]
