"""Scores of held-out samples for any likelihood: R squared, and deviance explained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from poems.diagnosis.reconstruction import explained_views
from poems.evaluation.held_out import withheld
from poems.fitting.explaining import training_means
from poems.fitting.result import FittedPoems
from poems.nn.compared import compared, shares_of_values
from poems.nn.estimates import estimate_samples
from poems.scaling.batch import Batch


@torch.no_grad()
def held_out_scores(model: FittedPoems, batch: Batch, *, across: bool = False) -> pd.DataFrame:
    """Score predictions of samples that were not fitted, whatever the views' likelihoods.

    Parameters
    ----------
    model
        The fitted model.
    batch
        Held-out samples, as the model's preprocessing gives them. Predicted are the values;
        of counts, at the sample's own total.
    across
        Predict each view from the other views alone, on samples that have both.

    Returns
    -------
    DataFrame
        A row a view that was measured: ``r2``, the share of the values' variance about the
        training means, each feature standardised; ``deviance``, the share of the deviance of a
        model without factors, ``NaN`` for Gaussian views, where it says the same.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(60, 20, 3, n_views=2, kinds={"view1": "bernoulli"}).cohort
    >>> model = poems.fit(cohort.take(range(45)), epochs=20, progress=False)
    >>> batch, _ = model.preprocessing.apply(cohort.take(range(45, 60)))
    >>> held_out_scores(model, batch)["deviance"].isna().tolist()
    [False, True]
    """
    rows = {}
    for i, name in enumerate(model.view_names):
        there = batch.measured[:, i]
        if across:
            there = there & (batch.measured.sum(dim=1) > 1)
        if not there.any():
            continue
        part = batch.take(there.nonzero()[:, 0])
        seen = withheld(part, name) if across else part
        found = estimate_samples(model.module, seen)
        known = found.loc, found.background, seen.measured
        beside = compared(model.module, part, *known)
        means = training_means(model.preprocessing) | dict(beside.means)
        share = explained_views(beside.batch, beside.predicted, means)[name]
        values = shares_of_values(model.module, part, *known)
        own = name in values
        rows[name] = {"r2": values.get(name, share), "deviance": share if own else np.nan}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["r2", "deviance"])
