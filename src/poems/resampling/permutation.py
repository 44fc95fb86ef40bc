"""Cohorts of known truth made from a real one: a fit's effects kept, its residuals permuted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from poems.data.container import MultiOmics, View
from poems.fitting.result import FittedPoems
from poems.settings.schema import Settings


@torch.no_grad()
def permuted_cohort(model: FittedPoems, cohort: MultiOmics, *, seed: int) -> MultiOmics:
    """Give each sample's predictions the residuals of another one.

    x*_nvj = eta_vj(z_n) + (x_mvj - eta_vj(z_m)), m a permutation of the samples
    on which the view was measured, drawn anew for each view. What the model
    says of the cohort is the truth about this one: its factors drive the
    features with non-zero loadings, and nothing else is related to them.
    Residuals move as rows, so that features whose noise is correlated stay so,
    and missing entries move with them.

    Parameters
    ----------
    model
        The fit, whose latents and loadings become the truth.
    cohort
        The cohort that it was fitted on.
    seed
        Seed of the permutations.

    Returns
    -------
    The new cohort, on the model's scale (to be fitted with
    :func:`permuted_settings`), with the features that the model uses.
    """
    rng = np.random.default_rng(seed)
    batch, _ = model.preprocessing.apply(cohort)
    predicted = model.module.predict(model.sample_estimates.loc)
    views = {}
    for i, name in enumerate(model.view_names):
        x, eta = batch.values[name].numpy(), predicted[name].numpy()
        measured, observed = batch.measured[:, i].numpy(), batch.observed[name]
        residual = x - eta
        if observed is not None:
            residual[~observed.numpy()] = np.nan
        rows = np.flatnonzero(measured)
        values = np.full_like(x, np.nan)
        values[rows] = eta[rows] + residual[rng.permutation(rows)]
        views[name] = View(values, model.features(name), measured)
    obs = pd.DataFrame(index=cohort.samples)
    return MultiOmics(views, cohort.samples, obs)


def permuted_settings(settings: Settings) -> Settings:
    """Return the settings for a permuted cohort: values are logged and features chosen already."""
    return settings.updated(log1p=(), most_variable=None, screening="none")
