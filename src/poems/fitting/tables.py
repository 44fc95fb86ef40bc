"""A fitted model's arrays as labelled tables: names of samples, features, factors and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from torch import Tensor

from poems.nn.likelihoods.own_scale import OwnScaleLikelihood

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


def factor_frame(fitted: FittedPoems, values: Tensor, index: pd.Index) -> pd.DataFrame:
    """Label the active columns of values (n, n_latent)."""
    return fitted.of_factors(values.numpy(), index)


def standardised_frames(fitted: FittedPoems) -> dict[str, pd.DataFrame]:
    """Label the loadings as multiples of what a standard deviation of a feature's values is."""
    found = {}
    for i, name in enumerate(fitted.view_names):
        one = effect_of_one(fitted, i)
        own = fitted.loadings[name]
        found[name] = own if one is None else own.div(one.numpy(), axis=0)
    return found


def effect_of_one(fitted: FittedPoems, view: int) -> Tensor | None:
    """By how much eta moves for one standard deviation of a feature's residuals: (n_features,).

    ``None`` for views whose effects are in standard deviations.
    """
    likelihood = fitted.module.likelihood(view)
    if not isinstance(likelihood, OwnScaleLikelihood):
        return None
    return likelihood.effect_of_residuals().double()
