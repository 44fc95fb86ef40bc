"""What the decoder predicts when one factor moves: curves, and derivatives over the posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from poems.errors import DataError, SettingsError
from poems.findings import name_some
from poems.fitting.tables import effect_of_one
from poems.scaling.disk.subset import MOST_SAMPLES, random_rows

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

# The part of a factor's distribution over the samples that curves run over: its ends are quantiles.
CENTRAL: Final = 0.95
# Samples over which a curve is averaged, at most. All points of a curve use the same ones, so they
# add no noise along it.
_AVERAGED = 100
# Numbers predicted in one call: one for each point of a curve would take longer than it computes.
_AT_ONCE = 1 << 21


@torch.no_grad()
def mean_derivatives(model: FittedPoems, *, n_draws: int = 8, seed: int = 0) -> dict[str, Tensor]:
    """Average d eta_j / d z_k over the posteriors of the training samples.

    Latents are drawn from Gaussians of each sample's posterior mean and
    variance; of more than 10,000 / ``n_draws`` samples, from a random subset.

    Returns
    -------
    View name to (n_features, n_latent), all latent dimensions, signs as the model has them.
    """
    if n_draws < 1:
        raise SettingsError(f"n_draws must be at least 1, not {n_draws}")
    estimates = model.sample_estimates
    rows = random_rows(len(estimates.loc), max(1, MOST_SAMPLES // n_draws), seed)
    loc, sd = estimates.loc[rows], estimates.variance[rows].sqrt()
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn((n_draws, *loc.shape), generator=generator)
    z = (loc + sd * draws).flatten(0, 1)
    return {name: model.module.decoder(i).jacobian(z)[0] for i, name in enumerate(model.view_names)}


@torch.no_grad()
def response_curves(
    model: FittedPoems, factor: str, *, n_points: int = 21, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Predict the features that a factor drives, as it moves through the cohort.

    The factor takes evenly spaced values between the 2.5 % and the 97.5 %
    quantile of its posterior means; the other factors keep those of each
    sample, and the predictions are averaged over samples (at most 100 of them,
    drawn at random): a partial dependence curve.

    Parameters
    ----------
    model
        The fitted model.
    factor
        Name of the factor.
    n_points
        Points of a curve.
    seed
        Of the choice of samples.

    Returns
    -------
    View name to a DataFrame of shape (n_points, n_driven): the index holds the
    factor's values, the way up that ``model.latent`` has; predictions are in
    standard deviations of the feature over the training samples.

    Raises
    ------
    DataError
        If the model has no such factor.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> curves = response_curves(model, "factor_1")["view1"]
    >>> len(curves), curves.shape[1] == (model.loadings["view1"]["factor_1"] != 0).sum()
    (21, np.True_)
    """
    if factor not in model.factor_names:
        raise DataError(f"no factor '{factor}'; there are {name_some(model.factor_names, 20)}")
    dimension = int(model.active[model.factor_names.index(factor)])
    loc = model.sample_estimates.loc
    sign = float(model.orientation[dimension])
    tail = (1 - CENTRAL) / 2
    low, high = np.quantile(sign * loc[:, dimension].numpy(), [tail, 1 - tail]).tolist()
    positions = np.linspace(low, high, n_points)
    rows = loc[random_rows(len(loc), _AVERAGED, seed)]
    z = rows.repeat(n_points, 1, 1)
    z[:, :, dimension] = sign * torch.as_tensor(positions, dtype=z.dtype)[:, None]
    curves = {}
    for i, name in enumerate(model.view_names):
        decoder = model.module.decoder(i)
        features = decoder.driven_by(dimension)
        own = effect_of_one(model, i)
        spread = np.sqrt(model.preprocessing.views[name].variance) if own is None else own.numpy()
        scale = spread[features.numpy()]
        values = np.empty((n_points, len(features)))
        most = max(1, _AT_ONCE // max(1, len(rows) * len(features)))
        for first in range(0, n_points if len(features) else 0, most):
            predicted = decoder.some(z[first : first + most].flatten(0, 1), features)
            for at, point in enumerate(torch.split(predicted, len(rows)), first):
                values[at] = point.double().mean(dim=0).numpy() / scale
        curves[name] = pd.DataFrame(
            values,
            index=pd.Index(positions, name=factor),
            columns=model.features(name)[features.numpy()],
        )
    return curves
