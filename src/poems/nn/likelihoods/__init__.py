"""Likelihoods: how values scatter around what decoders predict, each behind one interface.

To add one, write a subclass of :class:`Likelihood` in a file of this folder and a line in
:data:`poems.settings.parts.LIKELIHOODS`, or register it from anywhere::

    register_likelihood("laplace", Laplace)
    poems.fit(cohort, likelihood="laplace")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poems.nn.likelihoods.gaussian import GaussianLikelihood
from poems.nn.likelihoods.interface import Likelihood, LikelihoodFactory
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.nn.likelihoods.terms import likelihood_terms
from poems.scaling.own_scale import Kind
from poems.settings.parts import LIKELIHOODS

if TYPE_CHECKING:
    from poems.settings.groups import ModelSettings

__all__ = [
    "LIKELIHOODS",
    "GaussianLikelihood",
    "Likelihood",
    "LikelihoodFactory",
    "OwnScaleLikelihood",
    "kinds_of",
    "likelihood_terms",
    "register_likelihood",
]


def kinds_of(settings: ModelSettings, views: Sequence[str]) -> dict[str, Kind]:
    """Return what the likelihood of each view is for.

    Raises
    ------
    SettingsError
        If a likelihood is set for a view that is not among them.

    Examples
    --------
    >>> from poems.settings.groups import ModelSettings
    >>> kinds_of(ModelSettings(likelihood={"calls": "bernoulli"}), ["rna", "calls"])
    {'rna': 'continuous', 'calls': 'binary'}
    """
    names = settings.likelihoods_of(views)
    return {view: LIKELIHOODS.find(name).kind for view, name in zip(views, names, strict=True)}


def register_likelihood(name: str, likelihood: LikelihoodFactory) -> None:
    """Add a likelihood that ``fit(likelihood=name)`` takes from now on, in this process.

    See :class:`Likelihood` for what it has to do. A model that was fitted with it is
    loaded where it is registered, too.

    Raises
    ------
    SettingsError
        If the name is taken by another one.
    """
    LIKELIHOODS.register(name, likelihood)
