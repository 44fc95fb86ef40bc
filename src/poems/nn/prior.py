"""Priors over the latents. To add one, write the class and register it in ``PRIORS``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from poems.distributions.posteriors import LOG_2PI, Posterior, gaussian_log_prob, kl_to_prior


class Prior(nn.Module):
    """What the objective and the result need of p(z)."""

    def __init__(self, n_latent: int, n_components: int) -> None:
        super().__init__()

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""

    def kl(self, posterior: Posterior, z: Tensor, weights: Tensor) -> Tensor:
        """KL(q || p) a sample, estimated from draws z and their weights."""
        return kl_to_prior(posterior, z, weights, self.log_prob)

    def component_probabilities(self, z: Tensor) -> Tensor | None:
        """Probability of each component given z: (n_samples, n_components), if there are any."""
        return None


class NormalPrior(Prior):
    """The standard normal N(0, I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""
        return -0.5 * (z.square() + LOG_2PI).sum(dim=-1)

    def kl(self, posterior: Posterior, z: Tensor, weights: Tensor) -> Tensor:
        """KL(q || p) a sample, in closed form where there is one."""
        closed = posterior.kl_standard_normal()
        return super().kl(posterior, z, weights) if closed is None else closed


class MixturePrior(Prior):
    """A learned mixture of diagonal Gaussians, whose components are soft subtypes."""

    def __init__(self, n_latent: int, n_components: int) -> None:
        super().__init__(n_latent, n_components)
        self.logits = nn.Parameter(torch.zeros(n_components))
        self.loc = nn.Parameter(torch.randn(n_components, n_latent))
        self.log_precision = nn.Parameter(torch.zeros(n_components, n_latent))

    def _component_log_prob(self, z: Tensor) -> Tensor:
        """Joint log density of z and each component: (..., n_components)."""
        # Bounded within e^-6..e^6, so that a component cannot collapse onto a sample.
        log_precision = 6.0 * torch.tanh(self.log_precision / 6.0)
        parts = gaussian_log_prob(z[..., None, :], self.loc, log_precision)
        return parts + torch.log_softmax(self.logits, dim=0)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z, summed over the last dimension."""
        return torch.logsumexp(self._component_log_prob(z), dim=-1)

    def component_probabilities(self, z: Tensor) -> Tensor | None:
        """Probability of each component given z: (n_samples, n_components)."""
        return torch.softmax(self._component_log_prob(z), dim=-1)


PRIORS: Mapping[str, Callable[[int, int], Prior]] = {
    "normal": NormalPrior,
    "mixture": MixturePrior,
}
