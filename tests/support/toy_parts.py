"""Parts of a model as another package would write them, for tests that register them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from poems.nn.decoder import Decoder
from poems.nn.distributions.posteriors import GaussianPosterior
from poems.nn.gate import Gate, masked_softmax
from poems.nn.likelihoods import Likelihood
from poems.nn.prior import Prior
from poems.scaling.batch import SampleSource
from poems.settings.groups import ModelSettings, SparsitySettings
from poems.training.starts.kinds import LinearStart


class Laplace(Likelihood):
    """x_j ~ Laplace(eta_j, b_j): of variance 2 b^2 and information 1 / b^2."""

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        self.log_b = nn.Parameter(torch.zeros_like(variance))

    @torch.no_grad()
    def start(self, residual: Tensor) -> None:
        self.log_b.copy_(
            torch.where(residual > 0, residual / math.sqrt(2.0), self.log_b.exp()).log()
        )

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        return -(x - eta).abs() * torch.exp(-self.log_b) - self.log_b - math.log(2.0)

    def variance(self, eta: Tensor) -> Tensor:
        return (2.0 * torch.exp(2.0 * self.log_b)).expand_as(eta)

    def information(self, eta: Tensor) -> Tensor:
        return torch.exp(-2.0 * self.log_b).expand_as(eta)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        return 2.0 * (x - eta).abs() * torch.exp(-self.log_b)

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        one, two = torch.empty((2, *eta.shape), dtype=eta.dtype).exponential_(generator=generator)
        return eta + torch.exp(self.log_b) * (one - two)


class LoudestGate(Gate):
    """Views count by how far from zero their experts are."""

    def forward(self, loc: Tensor, measured: Tensor) -> Tensor:
        return masked_softmax(loc.square().mean(dim=2).T, measured)


def gated_average(loc: Tensor, log_precision: Tensor, gates: Tensor) -> GaussianPosterior:
    """Fuse by averaging locations and log precisions, each view by its gate."""
    weights = gates.T[..., None]
    # An expert of weight zero may say anything.
    there = weights > 0
    return GaussianPosterior(
        (weights * loc.where(there, 0.0)).sum(dim=0),
        (weights * log_precision.where(there, 0.0)).sum(dim=0),
    )


class LogisticPrior(Prior):
    """Independent logistic latents of variance 1."""

    def log_prob(self, z: Tensor) -> Tensor:
        scale = math.sqrt(3.0) / math.pi
        t = z / scale
        return (-t - 2.0 * nn.functional.softplus(-t) - math.log(scale)).sum(dim=-1)


class CurvedDecoder(Decoder):
    """eta = W tanh(z) + b."""

    def __init__(
        self, n_features: int, n_latent: int, settings: ModelSettings, sparsity: SparsitySettings
    ) -> None:
        super().__init__(n_features, n_latent, settings, sparsity)
        self.linear = nn.Linear(n_latent, n_features)

    def forward(self, z: Tensor) -> Tensor:
        eta: Tensor = self.linear(torch.tanh(z))
        return eta


def first_feature(
    data: SampleSource, n_latent: int, weights: Mapping[str, Tensor]
) -> dict[str, LinearStart]:
    """Start with every factor on the first feature of each view alone."""
    found = {}
    for name, width in data.n_features.items():
        effects = torch.zeros(width, n_latent)
        effects[0] = 0.5
        found[name] = LinearStart(effects, torch.full((width,), 0.7))
    return found
