"""What the rest of the program asks of a likelihood, whichever it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from poems.scaling.own_scale import Kind
from poems.settings.effect_scale import STANDARD_DEVIATIONS, EffectScale


class Likelihood(nn.Module):
    """How the values of one view scatter around what its decoder predicts.

    A decoder predicts ``eta``, any real number; the likelihood says how a value x
    is distributed given that, independently in each entry. It owns the parameters
    of its view's noise, and no other part of the program knows them: there is no
    "scale" beside the quantities below, each of which means one thing.

    ``x`` and ``eta`` are of shape (n_samples, n_features) throughout, and so is what
    is returned, unless it says otherwise. Values are on the model's scale, as
    preprocessing leaves them.

    A subclass writes :meth:`start`, :meth:`log_prob`, :meth:`variance`,
    :meth:`information`, :meth:`deviance` and :meth:`sample`; :meth:`mean` and :meth:`link` too
    where eta is not the mean, and :meth:`log_prior` where its parameters have a prior.
    It is registered in :data:`poems.settings.parts.LIKELIHOODS`.

    Parameters
    ----------
    variance
        Variance of each feature over the training samples, of shape (n_features,).
    """

    #: Which values it is for. Continuous ones are standardised before; the others are taken as they
    #: were measured, by a :class:`poems.nn.likelihoods.own_scale.OwnScaleLikelihood`.
    kind: ClassVar[Kind] = "continuous"
    #: A value that :meth:`log_prob` takes, put where none was measured; it counts for nothing.
    placeholder: ClassVar[float] = 0.0
    #: In which units the tables, figures and sentences give effects on eta.
    effects: ClassVar[EffectScale] = STANDARD_DEVIATIONS
    #: Whether values are eta and noise of one variance per feature, which is what dense background
    #: factors are added to.
    additive: ClassVar[bool] = False

    def __init__(self, variance: Tensor) -> None:
        super().__init__()
        self.n_features = len(variance)

    @classmethod
    def for_levels(cls, variance: Tensor, n_levels: int) -> Likelihood:
        """Make one of values that take so many levels, which only those of ordered levels ask."""
        return cls(variance)

    @abstractmethod
    def start(self, residual: Tensor) -> None:
        """Set the parameters from what a linear model of the view leaves unexplained.

        Parameters
        ----------
        residual
            Standard deviation of each feature about its linear predictions, of shape
            (n_features,); 0 where nothing is known, and the parameter stays as it is.
        """

    @abstractmethod
    def log_prob(self, x: Tensor, eta: Tensor) -> Tensor:
        """Log density, or log probability, of each value given eta; what is fitted."""

    def log_prior(self) -> Tensor:
        """Log density of the prior on each feature's parameters, up to a constant: (n_features,).

        None by default: zeros.
        """
        parameter = next(self.parameters(), None)
        return torch.zeros(self.n_features, device=None if parameter is None else parameter.device)

    def mean(self, eta: Tensor) -> Tensor:
        """Expected value given eta, the inverse of the link: eta itself by default."""
        return eta

    def link(self, mean: Tensor) -> Tensor:
        """The eta at which the expected value is ``mean``: the inverse of :meth:`mean`."""
        return mean

    @abstractmethod
    def variance(self, eta: Tensor) -> Tensor:
        """Variance of a value given eta, in squared units of the value."""

    def standard_deviation(self, eta: Tensor) -> Tensor:
        """Standard deviation of a value given eta: the root of :meth:`variance`."""
        return self.variance(eta).sqrt()

    def score(self, x: Tensor, eta: Tensor) -> Tensor:
        """Derivative of :meth:`log_prob` for eta; by autograd unless a class knows better."""
        with torch.enable_grad():
            at = eta.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.log_prob(x, at).sum(), at)
        return slope

    @abstractmethod
    def information(self, eta: Tensor) -> Tensor:
        """Fisher information of an entry about its eta: the expected square of :meth:`score`.

        How much a value tells of the factors. It weighs the penalty on loadings, the proposals of
        importance sampling, and how narrow a posterior may be.
        """

    def standard_error(self, eta: Tensor) -> Tensor:
        """Standard error with which one value tells eta: one over the root of its information."""
        return self.information(eta).rsqrt()

    def typical_standard_error(self, eta: Tensor) -> Tensor:
        """Standard error at one eta a feature, (1, n_features), for samples as they come.

        Of shape (n_features,).
        """
        return self.standard_error(eta)[0]

    @abstractmethod
    def deviance(self, x: Tensor, eta: Tensor) -> Tensor:
        """Twice the log likelihood that eta loses against the best eta for that very value.

        At least 0, and a square of standardised residuals for the Gaussian.
        """

    @abstractmethod
    def sample(self, eta: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a value for each eta."""

    def nll(self, x: Tensor, eta: Tensor, observed: Tensor | None) -> Tensor:
        """Negative log-likelihood of the observed entries, summed over features: (n_samples,).

        What stands in the other entries does not matter, neither here nor to derivatives.
        ``observed`` are booleans like x, or ``None`` for all.
        """
        return self._entries(x, eta, observed).sum(dim=1)

    def _entries(self, x: Tensor, eta: Tensor, observed: Tensor | None) -> Tensor:
        """Negative log-likelihood of each entry, 0 where it was not observed."""
        if observed is None:
            return -self.log_prob(x, eta)
        # Both are put out of the way, for a derivative of infinity times zero is no number.
        values, predicted = x.where(observed, self.placeholder), eta.where(observed, 0.0)
        return -self.log_prob(values, predicted).where(observed, 0.0)

    def of_features(
        self, x: Tensor, eta: Tensor, observed: Tensor | None, weight: Tensor | None = None
    ) -> Tensor:
        """Negative log-likelihood of the observed entries, summed over samples: (n_features,).

        A class may compute its derivatives by hand, where here they are autograd's; a subclass
        does not inherit that. ``weight``: of each sample, (n_samples,), or ``None`` for 1.
        """
        entries = self._entries(x, eta, observed)
        return entries.sum(dim=0) if weight is None else weight @ entries

    @classmethod
    def joint_terms(
        cls,
        likelihoods: Sequence[Likelihood],
        x: Tensor,
        eta: Tensor,
        measured: Tensor,
        observed: Tensor | None,
        weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute the terms of several views of this class, feature by feature.

        Takes what ``likelihood_terms`` takes, and returns what that sums up: the negative
        log-likelihood of each feature, summed over samples, and the negative log density of its
        noise prior, both of shape (n_features,), the views' features one after the other. How
        much a feature counts is no matter of its likelihood.

        A class may compute them at once, and faster than here: view by view, derivatives by
        autograd. A subclass does not inherit what it has of its own, for that would pass over
        whatever the subclass changes.
        """
        sizes = [likelihood.n_features for likelihood in likelihoods]
        values, predicted = torch.split(x, sizes, dim=1), torch.split(eta, sizes, dim=1)
        masks = [None] * len(sizes) if observed is None else torch.split(observed, sizes, dim=1)
        complete: list[bool] = measured.all(dim=0).tolist()
        per_feature = []
        for i, likelihood in enumerate(likelihoods):
            mask = masks[i]
            if not complete[i]:
                rows = measured[:, i, None].expand(values[i].shape)
                mask = rows if mask is None else rows & mask
            # Not what a class inherits: that would pass over whatever the subclass changes.
            of = type(likelihood) if "of_features" in vars(type(likelihood)) else Likelihood
            per_feature.append(of.of_features(likelihood, values[i], predicted[i], mask, weight))
        prior = torch.cat([likelihood.log_prior() for likelihood in likelihoods])
        return torch.cat(per_feature), -prior


LikelihoodFactory = type[Likelihood]
