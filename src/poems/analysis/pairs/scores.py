"""How strongly a model ties features of different views together through the factors they share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from poems.scaling.disk.subset import random_rows

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

_Floats32 = npt.NDArray[np.float32]

# Draws from the posteriors of the samples, about so many in all.
_DRAWS: Final = 2000
# Points at which the response to a factor is computed: quantiles of its distribution.
_POINTS: Final = 24


@dataclass(frozen=True, eq=False)
class ViewResponses:
    """What a model predicts of the features of a view that it drives.

    Parameters
    ----------
    driven
        Which factor drives which feature: booleans of shape (n_features, n_factors).
    features
        Positions of the features that any factor drives, of shape (n_driven,).
    curves
        Responses to each factor alone, in units of the feature's total standard
        deviation, of shape (n_driven, n_factors * n_points), centred and scaled so that
        products are covariances; zeros for a factor that does not drive the feature.
    drawn
        Predictions over the posterior, of shape (n_draws, n_driven), centred and of
        length 1.
    """

    driven: npt.NDArray[np.bool_]
    features: npt.NDArray[np.intp]
    curves: _Floats32
    drawn: _Floats32

    @cached_property
    def place(self) -> npt.NDArray[np.intp]:
        """Where each feature is among the driven ones, -1 for the others: (n_features,)."""
        place = np.full(len(self.driven), -1, dtype=np.intp)
        place[self.features] = np.arange(len(self.features))
        return place


def driven_mask(model: FittedPoems, view: int) -> npt.NDArray[np.bool_]:
    """Tell which active factor drives which feature of a view: (n_features, n_factors)."""
    name = model.view_names[view]
    mask = np.zeros((len(model.features(name)), model.n_active), dtype=bool)
    for at, dimension in enumerate(model.active):
        mask[model.module.decoder(view).driven_by(int(dimension)).numpy(), at] = True
    return mask


@torch.no_grad()
def responses(model: FittedPoems, *, seed: int = 0) -> dict[str, ViewResponses]:
    r"""Compute how the features of each view respond to each factor and to all of them.

    With c_jk(z_k) the prediction of feature j as factor k moves through its
    posterior over the training samples, averaged over the other factors, the score of features
    j and l of two views is

    .. math::
        s_{jl} = \frac{\sum_k Cov(c_{jk}(z_k), c_{lk}(z_k))}
                      {\sqrt{(Var \eta_j + \sigma_j^2)(Var \eta_l + \sigma_l^2)}},

    the correlation that the factors they share give them, were the factors
    independent; it is the product of ``curves``. Factors that drive only one of the two add
    nothing, and two U-shaped responses, which have no slope, count in full.
    """
    estimates = model.sample_estimates
    n_draws = max(1, _DRAWS // len(estimates.loc))
    rows = random_rows(len(estimates.loc), _DRAWS, seed)
    loc, sd = estimates.loc[rows], estimates.variance[rows].sqrt()
    generator = torch.Generator().manual_seed(seed)
    z = (loc + sd * torch.randn((n_draws, *loc.shape), generator=generator)).flatten(0, 1)
    # Samples whose other factors a response is averaged over.
    others = loc[random_rows(len(loc), 40, seed)]
    return {name: _of_view(model, i, z, others) for i, name in enumerate(model.view_names)}


def _of_view(model: FittedPoems, view: int, z: Tensor, others: Tensor) -> ViewResponses:
    decoder, name = model.module.decoder(view), model.view_names[view]
    driven = driven_mask(model, view)
    features = np.flatnonzero(driven.any(axis=1))
    drawn = decoder.some(z, torch.from_numpy(features)).numpy().astype(np.float32)
    drawn = drawn - drawn.mean(axis=0)
    length = np.linalg.norm(drawn, axis=0)
    noise = model.noise[name].to_numpy()[features]
    total = np.sqrt(length**2 / len(z) + noise**2)
    curves = np.zeros((len(features), driven.shape[1], _POINTS), dtype=np.float32)
    levels = torch.from_numpy((np.arange(_POINTS) + 0.5) / _POINTS).float()
    for at, dimension in enumerate(map(int, model.active)):
        own = np.flatnonzero(driven[features, at])
        if not len(own):
            continue
        points = torch.quantile(z[:, dimension], levels)
        moved = others.repeat(_POINTS, 1)
        moved[:, dimension] = points.repeat_interleave(len(others))
        eta = decoder.some(moved, torch.from_numpy(features[own]))
        curve = eta.reshape(_POINTS, len(others), -1).mean(dim=1).numpy()
        curve = (curve - curve.mean(axis=0)) / (total[own] * np.sqrt(_POINTS))
        curves[own, at] = curve.T
    return ViewResponses(
        driven,
        features,
        # Sizes are given: of a view that no factor drives none could be inferred.
        curves.reshape(len(features), driven.shape[1] * _POINTS),
        drawn / np.where(length > 0, length, 1.0).astype(np.float32),
    )
