"""A fitted model's arrays as labelled tables: names of samples, features, factors and views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from poems.fitting.fit_tables import FitArrays
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


def arrays_of(fitted: FittedPoems) -> FitArrays:
    """Return what a model's tables are made from: its tensors as they are, not copied."""
    samples, features = fitted.sample_estimates, fitted.feature_estimates
    background = fitted.module.background
    parts = torch.split(background.loadings, list(background.sizes))
    views = fitted.preprocessing.views
    return FitArrays(
        features={name: each.features for name, each in views.items()},
        loc=samples.loc.numpy(),
        variance=samples.variance.numpy(),
        gates=samples.gates.numpy(),
        components=_numpy(samples.components),
        background=_numpy(samples.background),
        shares=_numpy(samples.shares),
        network=_numpy(fitted.network),
        slope=_by_view(features.slope),
        size=_by_view(features.size),
        score=_by_view(features.score),
        gram=features.gram.numpy(),
        r2=features.r2,
        total=features.total,
        values=features.values,
        background_loadings={name: part.numpy() for name, part in zip(views, parts, strict=True)},
        own_scale=frozenset(name for name, each in views.items() if each.own is not None),
    )


def _numpy(values: Tensor | None) -> npt.NDArray[Any] | None:
    return None if values is None else values.numpy()


def _by_view(tensors: Mapping[str, Tensor]) -> dict[str, npt.NDArray[Any]]:
    return {view: values.numpy() for view, values in tensors.items()}


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
