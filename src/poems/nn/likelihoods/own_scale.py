"""Likelihoods of values on their own scale: what the families that are not Gaussian share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from poems.nn.likelihoods.interface import Likelihood

# Quantiles of the samples' sizes at which information is averaged.
_N_SIZES = 32
# Beyond this the exponential goes on as a straight line: no count comes near e^30, and a stray
# prediction then costs much, but no infinity.
_STRAIGHT = 30.0


class Distribution(Protocol):
    """Distribution functions and quantiles of entries, arrays of (n_samples, n_features)."""

    def cdf(self, x: Any) -> Any:
        """Probability of at most x."""

    def ppf(self, q: Any) -> Any:
        """The least value up to which the probability is at least q."""


def as_double(*given: Tensor) -> tuple[Any, ...]:
    """Return arrays of double precision, for scipy.

    >>> as_double(torch.ones(1))
    (array([1.]),)
    """
    return tuple(each.detach().double().cpu().numpy() for each in given)


class OwnScaleLikelihood(Likelihood):
    """A family whose values are taken as they were measured, with an intercept a feature.

    The decoder's offset begins at the intercept, and ``null`` keeps it: the eta of a model
    without factors, at a sample of size 1. Where samples have sizes, the logarithm of a sample's
    is added to all its eta.

    A subclass writes :meth:`intercept` besides what any likelihood does.

    Parameters
    ----------
    variance
        Of each feature's standardised residuals, (n_features,); its length alone matters.
    """

    #: Whether values are whole numbers.
    discrete: ClassVar[bool] = False

    null: Tensor
    log_sizes: Tensor

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)
        # Not zeros_like (in families full_like): on the meta device these import the compiler.
        self.register_buffer("null", variance.new_zeros(variance.shape))
        self.register_buffer("log_sizes", torch.zeros(_N_SIZES, device=variance.device))

    @torch.no_grad()
    def begin(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Set intercepts, and what noise there is, from the training samples; return the former.

        Parameters
        ----------
        x
            Values, of shape (n_samples, n_features).
        log_size
            Logarithm of each sample's size, of shape (n_samples,).
        there
            Which values were measured, booleans like x.
        """
        known = there.any(dim=1)
        shares = (torch.arange(_N_SIZES, dtype=torch.float64) + 0.5) / _N_SIZES
        self.log_sizes.copy_(torch.quantile(log_size[known].double(), shares))
        self.null.copy_(self.intercept(x.double(), log_size.double(), there))
        return self.null

    @abstractmethod
    def intercept(self, x: Tensor, log_size: Tensor, there: Tensor) -> Tensor:
        """Return each feature's eta without factors, and set the noise about it: (n_features,).

        A sample held out for stopping may be the only one of its kind: there is an intercept for
        a feature that is constant here, and for one without a value.
        """

    def start(self, residual: Tensor) -> None:
        """Nothing to set by default: values have no noise of a size of its own."""

    def typical_standard_error(self, eta: Tensor) -> Tensor:
        """One over the root of the information at eta (1, n_features), averaged over sizes."""
        at = eta + self.log_sizes[:, None].to(eta)
        return self.information(at).mean(dim=0).rsqrt()

    def residual(self, x: Tensor, eta: Tensor) -> Tensor:
        """Deviance residual: the root of the deviance, with the sign of x less its mean."""
        return (x - self.mean(eta)).sign() * self.deviance(x, eta).sqrt()

    def distribution(self, eta: Tensor) -> Distribution | None:
        """Return the distributions at eta, as scipy has them: what quantile residuals are made of.

        ``None`` for a family that does not say: then ``stability`` permutes none of its residuals.
        """
        return None

    def effect_of_residuals(self) -> Tensor:
        """By how much eta moves for one standard deviation of residuals about the intercept.

        Of shape (n_features,): to first order the typical standard error there.
        """
        return self.typical_standard_error(self.null[None])


def exp_then_straight(eta: Tensor) -> Tensor:
    """Compute exp(eta), for eta above 30 its tangent there.

    >>> exp_then_straight(torch.tensor([0.0, 1000.0])).isfinite().all()
    tensor(True)
    """
    # What the function is for: exponential up to there, its tangent beyond.
    return torch.exp(eta.clamp_max(_STRAIGHT)) * (1.0 + torch.relu(eta - _STRAIGHT))


def slope_of_exp(eta: Tensor) -> Tensor:
    """Compute the derivative of :func:`exp_then_straight`."""
    # As above.
    return torch.exp(eta.clamp_max(_STRAIGHT))


def mean_inside(x: Tensor, there: Tensor) -> Tensor:
    """Mean of each feature's values from 0 to 1, kept half a sample away from both ends.

    >>> mean_inside(torch.zeros(3, 1), torch.ones(3, 1, dtype=torch.bool))
    tensor([0.1250])
    """
    n = there.sum(dim=0).to(x.dtype)
    end = 0.5 / (n + 1.0)
    # Of none: a half, between both ends.
    mean = x.where(there, 0.0).sum(dim=0) / n.clamp_min(1.0)
    return torch.minimum(torch.maximum(mean, end), 1.0 - end)
