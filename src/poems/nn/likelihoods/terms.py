"""The likelihood's part of the objective: views grouped by the class of their likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from poems.nn.likelihoods.interface import Likelihood


def likelihood_terms(
    likelihoods: Sequence[Likelihood],
    x: Tensor,
    eta: Tensor,
    measured: Tensor,
    observed: Tensor | None,
    weight: Tensor | None = None,
    feature_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of each view, and negative log density of the noise prior.

    Views whose likelihoods are of one class go through its joint terms together, if it has
    any of its own, and one by one if not (:meth:`Likelihood.joint_terms`).

    Parameters
    ----------
    likelihoods
        One per view.
    x, eta
        Values and predictions of shape (n_samples, n_features), the views' features one
        after the other.
    measured
        Which samples have the views, booleans of shape (n_samples, n_views).
    observed
        Which of their values are there, booleans of the shape of x, or ``None`` for all. The
        others may be any number.
    weight
        Weight of each sample, of shape (n_samples,), or ``None`` for 1.
    feature_weights
        Weight of each feature in both terms, of shape (n_features,), or ``None`` for 1. It is
        put in here, for all likelihoods alike: none of them knows it.

    Returns
    -------
    The former summed over features and samples, of shape (n_views,), the latter over the
    features of all views and up to a constant, a number.
    """
    sizes = [likelihood.n_features for likelihood in likelihoods]
    nll, prior = _per_feature(likelihoods, x, eta, measured, observed, weight)
    if feature_weights is not None:
        nll, prior = nll * feature_weights, prior * feature_weights
    return torch.stack([part.sum() for part in torch.split(nll, sizes)]), prior.sum()


def _per_feature(
    likelihoods: Sequence[Likelihood],
    x: Tensor,
    eta: Tensor,
    measured: Tensor,
    observed: Tensor | None,
    weight: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Both terms of each feature, of shape (n_features,)."""
    groups = _groups(likelihoods)
    if len(groups) == 1:
        return _terms_of(type(likelihoods[0]))(likelihoods, x, eta, measured, observed, weight)
    sizes = [likelihood.n_features for likelihood in likelihoods]
    values, predicted = torch.split(x, sizes, dim=1), torch.split(eta, sizes, dim=1)
    masks = None if observed is None else torch.split(observed, sizes, dim=1)
    of_views: dict[int, tuple[Tensor, Tensor]] = {}
    for views in groups:
        mask = None if masks is None else _side_by_side(masks, views)
        members = [likelihoods[view] for view in views]
        terms = _terms_of(type(members[0]))
        both = terms(
            members,
            _side_by_side(values, views),
            _side_by_side(predicted, views),
            measured[:, views],
            mask,
            weight,
        )
        parts = (torch.split(term, [sizes[view] for view in views]) for term in both)
        of_views |= dict(zip(views, zip(*parts, strict=True), strict=True))
    nll, prior = zip(*(of_views[view] for view in range(len(likelihoods))), strict=True)
    return torch.cat(nll), torch.cat(prior)


def _groups(likelihoods: Sequence[Likelihood]) -> list[list[int]]:
    """Positions of the views of each class."""
    by_class: dict[type[Likelihood], list[int]] = {}
    for view, likelihood in enumerate(likelihoods):
        by_class.setdefault(type(likelihood), []).append(view)
    return list(by_class.values())


def _terms_of(likelihood: type[Likelihood]) -> Callable[..., tuple[Tensor, Tensor]]:
    """What computes the terms of views of one class."""
    own = "joint_terms" in vars(likelihood)
    # Not what a class inherits: that would compute its parent's terms, whatever it changed.
    return likelihood.joint_terms if own else Likelihood.joint_terms


def _side_by_side(parts: Sequence[Tensor], views: Sequence[int]) -> Tensor:
    return torch.cat([parts[view] for view in views], dim=1)
