"""A fitted model's arrays as labelled tables: names of samples, features, factors and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from poems.nn.estimates import SampleEstimates
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


def factor_frame(fitted: FittedPoems, values: Tensor, index: pd.Index) -> pd.DataFrame:
    """Label the active columns of values (n, n_latent)."""
    return pd.DataFrame(values.numpy()[:, fitted.active], index=index, columns=fitted.factor_names)


def background_frame(estimates: SampleEstimates, samples: pd.Index) -> pd.DataFrame | None:
    """Label the scores of the background factors, if posteriors are exact."""
    if estimates.background is None:
        return None
    scores = estimates.background.numpy().copy()
    columns = [f"background_{i + 1}" for i in range(scores.shape[1])]
    return pd.DataFrame(scores, index=samples, columns=columns)


def shares_frame(
    fitted: FittedPoems, estimates: SampleEstimates, samples: pd.Index
) -> pd.DataFrame | None:
    """Label the views' shares in the precision of the latents, if posteriors are exact."""
    if estimates.shares is None:
        return None
    shares = estimates.shares.numpy().copy()
    return pd.DataFrame(shares, index=samples, columns=list(fitted.view_names))


def component_frame(estimates: SampleEstimates, samples: pd.Index) -> pd.DataFrame | None:
    """Label the component probabilities, if there are any."""
    if estimates.components is None:
        return None
    values = estimates.components.numpy().copy()
    columns = [f"component_{i + 1}" for i in range(values.shape[1])]
    return pd.DataFrame(values, index=samples, columns=columns)


def loading_frames(fitted: FittedPoems, spread: Tensor) -> dict[str, pd.DataFrame]:
    """Label the signed effects of the factors; ``spread`` of each latent, of shape (n_latent,)."""
    tables = {}
    for name in fitted.view_names:
        size, slope = fitted.feature_estimates.size[name], fitted.feature_estimates.slope[name]
        effects = torch.copysign(size, slope) * (fitted.orientation * spread)
        # Adding zero turns a negative zero into zero.
        tables[name] = factor_frame(fitted, effects + 0.0, fitted.features(name))
    return tables


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


def background_loading_frames(fitted: FittedPoems) -> dict[str, pd.DataFrame]:
    """Label the loadings of the background factors."""
    background = fitted.module.background
    parts = torch.split(background.loadings, list(background.sizes))
    columns = [f"background_{i + 1}" for i in range(background.n_background)]
    return {
        name: pd.DataFrame(part.numpy().copy(), index=fitted.features(name), columns=columns)
        for name, part in zip(fitted.view_names, parts, strict=True)
    }
