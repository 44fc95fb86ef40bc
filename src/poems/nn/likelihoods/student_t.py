"""The Student-t likelihood: continuous values with heavy tails."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from poems.nn.likelihoods.own_scale import Distribution, OwnScaleLikelihood, as_double
from poems.scaling.own_scale import Kind

# Degrees of freedom beyond two, without which there is no variance: where they begin, and what
# their log-normal prior is about, to within a factor of e either way.
_BEYOND_TWO = 6.0
# The prior on each feature's squared scale, as that of a Gaussian's variance.
_NOISE_DF, _NOISE_SHARE = 3.0, 0.5


class StudentTLikelihood(OwnScaleLikelihood):
    """(x_j - eta_j) / sigma_j ~ Student's t with nu_j > 2 degrees of freedom, all learned.

    Values are standardised before, but not winsorised: an outlier says little by itself here.

    Parameters
    ----------
    variance
        Variance of each feature over the training samples, (n_features,).
    """

    kind: ClassVar[Kind] = "heavy"
    feature_variance: Tensor

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        self.log_scale = nn.Parameter(variance.new_full(variance.shape, 0.5 * math.log(0.75)))
        self.log_df = nn.Parameter(variance.new_full(variance.shape, math.log(_BEYOND_TWO)))
        self.register_buffer("feature_variance", variance.clone())

    @property
    def df(self) -> Tensor:
        """Degrees of freedom of each feature, (n_features,)."""
        return 2.0 + torch.exp(self.log_df)

    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Return medians, which outliers do not move."""
        found = x.where(there, torch.nan).nanmedian(dim=0).values
        # Of no value: 0, the mean on the model's scale.
        return found.where(~found.isnan(), 0.0)

    @torch.no_grad()
    def start(self, residual: Tensor) -> None:
        """Begin with the scale at which the residuals have their standard deviations."""
        share = ((self.df - 2.0) / self.df).sqrt()
        self.log_scale.copy_((residual * share).where(residual > 0, self.log_scale.exp()).log())

    def log_prior(self) -> Tensor:
        """Log density of the priors on scale and degrees of freedom, up to a constant."""
        ratio = 0.5 * _NOISE_DF * _NOISE_SHARE * self.feature_variance
        of_scale = ratio * torch.exp(-2.0 * self.log_scale) + (_NOISE_DF + 2.0) * self.log_scale
        return -of_scale - 0.5 * (self.log_df - math.log(_BEYOND_TWO)).square()

    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log density."""
        df = self.df
        t = (x - eta) * torch.exp(-self.log_scale)
        constant = torch.lgamma(0.5 * (df + 1.0)) - torch.lgamma(0.5 * df)
        constant = constant - 0.5 * torch.log(math.pi * df) - self.log_scale
        return constant - 0.5 * (df + 1.0) * torch.log1p(t.square() / df)

    def variance(self, eta: Tensor) -> Tensor:
        """sigma^2 nu / (nu - 2)."""
        df = self.df
        return (torch.exp(2.0 * self.log_scale) * df / (df - 2.0)).expand_as(eta)

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """(nu + 1) t / (sigma (nu + t^2)), with t the standardised residual."""
        df, precision = self.df, torch.exp(-self.log_scale)
        t = (x - eta) * precision
        return (df + 1.0) * t * precision / (df + t.square())

    def information(self, eta: Tensor) -> Tensor:
        """(nu + 1) / (sigma^2 (nu + 3))."""
        df = self.df
        return ((df + 1.0) / (df + 3.0) * torch.exp(-2.0 * self.log_scale)).expand_as(eta)

    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """(nu + 1) log(1 + t^2 / nu)."""
        t = (x - eta) * torch.exp(-self.log_scale)
        return (self.df + 1.0) * torch.log1p(t.square() / self.df)

    def distribution(self, eta: Tensor) -> Distribution:
        """Student's, shifted and scaled."""
        from scipy import stats

        df, scale = (each.expand_as(eta) for each in (self.df, torch.exp(self.log_scale)))
        found: Distribution = stats.t(*as_double(df, eta, scale))
        return found

    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a Gaussian, and divide it by the root of a chi-square over its freedom."""
        df = self.df.detach().expand_as(eta).contiguous()
        chi = 2.0 * torch._standard_gamma(0.5 * df, generator)
        normal = torch.empty_like(eta).normal_(generator=generator)
        return eta + torch.exp(self.log_scale) * normal * (df / chi).sqrt()

    def effect_of_residuals(self) -> Tensor:
        """Eta is on the scale of the standardised values."""
        return torch.ones_like(self.null)
