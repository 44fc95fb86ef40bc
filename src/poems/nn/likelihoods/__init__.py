"""Likelihoods: how values scatter around what decoders predict, each behind one interface.

To add one, write a subclass of :class:`Likelihood` in a file of this folder and a line in
:data:`poems.settings.parts.LIKELIHOODS`, or register it from anywhere::

    register_likelihood("laplace", Laplace)
    poems.fit(cohort, likelihood="laplace")
"""

from __future__ import annotations

from poems.nn.likelihoods.gaussian import GaussianLikelihood
from poems.nn.likelihoods.interface import Likelihood, LikelihoodFactory
from poems.nn.likelihoods.terms import likelihood_terms
from poems.settings.parts import LIKELIHOODS

__all__ = [
    "LIKELIHOODS",
    "GaussianLikelihood",
    "Likelihood",
    "LikelihoodFactory",
    "likelihood_terms",
    "register_likelihood",
]


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
