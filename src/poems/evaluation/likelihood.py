"""The likelihood of held-out samples: exact for linear models, a lower bound for POEMS.

A model says how likely a new sample is by its marginal density, p(x) = ∫ p(x | z) p(z) dz,
whatever its encoder makes of that sample. It compares models of any kind, so long as
all densities are of the same values in the same units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.evaluation.proposals import Proposal, log_joint, propose
from poems.fitting.result import FittedPoems
from poems.nn.model import POEMS
from poems.scaling.batch import Batch

_Floats = npt.NDArray[np.float64]


def linear_gaussian_log_prob(
    x: npt.ArrayLike,
    loadings: npt.ArrayLike,
    noise_variance: npt.ArrayLike,
    mean: npt.ArrayLike | float = 0.0,
) -> _Floats:
    r"""Compute the log density of samples under a linear factor model, exactly.

    .. math::
        x = W z + b + \epsilon, \; z \sim N(0, I), \; \epsilon_j \sim N(0, \psi_j)
        \quad \Rightarrow \quad x \sim N(b, W W^T + \mathrm{diag}\, \psi),

    by the Woodbury identity, so that nothing of size n_features squared is formed.

    Parameters
    ----------
    x
        Samples, of shape (n_samples, n_features). Missing entries are ``NaN``
        and are integrated out.
    loadings
        W, of shape (n_features, n_factors). Factors of covariance S other than
        I are had by passing W S^(1/2).
    noise_variance
        The variances psi, of shape (n_features,), above 0.
    mean
        The offsets b, of shape (n_features,), or one for all.

    Returns
    -------
    Array of shape (n_samples,), in nats, of the observed entries of each sample.

    Raises
    ------
    DataError
        If shapes do not agree, or a noise variance is not above 0.

    Examples
    --------
    >>> linear_gaussian_log_prob([[1.0, -1.0], [1.0, np.nan]], [[1.0], [0.0]], [1.0, 1.0]).round(3)
    array([-2.934, -1.516])
    """
    given, weights = np.asarray(x, dtype=np.float64), np.asarray(loadings, dtype=np.float64)
    psi = np.asarray(noise_variance, dtype=np.float64)
    if given.ndim != 2 or weights.ndim != 2 or not given.shape[1] == len(weights) == len(psi):
        raise DataError(
            "x must be (n_samples, n_features), loadings (n_features, n_factors) and "
            f"noise_variance (n_features,); they are {given.shape}, {weights.shape}, {psi.shape}"
        )
    if not (psi > 0).all():
        raise DataError(f"{int((~(psi > 0)).sum())} noise variances are not above 0")
    residual = given - np.asarray(mean, dtype=np.float64)
    present = ~np.isnan(residual)
    patterns, pattern_of = np.unique(present, axis=0, return_inverse=True)
    log_prob = np.empty(len(given))
    for number, observed in enumerate(patterns):
        rows = np.flatnonzero(pattern_of.ravel() == number)
        r, w, p = residual[np.ix_(rows, observed)], weights[observed], psi[observed]
        root = np.linalg.cholesky(np.eye(w.shape[1]) + (w.T / p) @ w)
        explained = np.linalg.solve(root, (w.T / p) @ r.T)
        squares = (r**2 / p).sum(axis=1) - (explained**2).sum(axis=0)
        log_det = np.log(p).sum() + 2 * np.log(np.diag(root)).sum()
        log_prob[rows] = -0.5 * (squares + log_det + observed.sum() * np.log(2 * np.pi))
    return log_prob


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound of log p(x), both of shape (n_samples,).

    ``log_prob`` in nats; ``effective_draws``, how many equally weighted draws
    the weighted ones are worth. Where it is near 1 the bound may be loose.
    """

    log_prob: Tensor
    effective_draws: Tensor


def log_prob(
    model: FittedPoems, cohort: MultiOmics, *, n_draws: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Bound the log density of samples, held out ones above all, from below.

    The density is that of the measured values of the features that the model
    uses, in the units of the input: preprocessing is undone by its Jacobian. Of
    counts and other values of a likelihood on their own scale it is their probability.
    Values are not winsorised before they are judged, so that clipping cannot
    make a sample look likely.

    The bound is that of importance sampling (Burda et al., 2016, arXiv
    1509.00519): log of the mean of p(x | z) p(z) / q(z) over draws from q. It is
    below log p(x) on average, whatever q is. Here q is not the encoder's
    posterior, which is poor on new samples, but what
    :func:`poems.evaluation.proposals.propose` finds for each sample.

    Parameters
    ----------
    model
        The fitted model, with its own prior.
    cohort
        The samples. Views and features are matched by name.
    n_draws
        Draws per sample; more draws, a tighter bound.
    seed
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        A row per sample: ``log_prob``, in nats; ``n_entries``, the number of
        values that it is the density of; ``effective_draws``, see :class:`Bound`.

    Raises
    ------
    DataError
        If the cohort does not suit the model.
    SettingsError
        If ``n_draws`` is below 1.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=20, n_factors=3, seed=0).cohort
    >>> model = poems.fit(cohort.take(range(40)), epochs=20, progress=False)
    >>> table = log_prob(model, cohort.take(range(40, 60)), n_draws=50)
    >>> table.columns.tolist()
    ['log_prob', 'n_entries', 'effective_draws']
    """
    clipped, _ = model.preprocessing.apply(cohort)
    unlimited = {
        name: replace(
            scaling,
            lower=np.full_like(scaling.lower, -np.inf),
            upper=np.full_like(scaling.upper, np.inf),
        )
        for name, scaling in model.preprocessing.views.items()
    }
    batch, _ = replace(model.preprocessing, views=unlimited).apply(cohort)
    start = model.module.encode(clipped).posterior.mean
    bound = log_prob_bound(model.module, batch, start, n_draws=n_draws, seed=seed)

    jacobian = np.zeros(cohort.n_samples)
    n_entries = np.zeros(cohort.n_samples, dtype=np.int64)
    for i, (name, scaling) in enumerate(model.preprocessing.views.items()):
        mask = batch.observed[name]
        there = np.ones(batch.values[name].shape, bool) if mask is None else mask.numpy()
        there = there & batch.measured[:, [i]].numpy()
        n_entries += there.sum(axis=1)
        if scaling.own is not None and scaling.own.kind != "heavy":
            # Judged as they were measured.
            continue
        slope = np.broadcast_to(-np.log(scaling.scale), there.shape)
        if scaling.log1p:
            # The slope of log(1 + x) is 1 / (1 + x), and the scaled value holds its logarithm.
            slope = slope - (batch.values[name].numpy() * scaling.scale + scaling.offset)
        jacobian += np.where(there, slope, 0.0).sum(axis=1)
    return pd.DataFrame(
        {
            "log_prob": bound.log_prob.double().numpy() + jacobian,
            "n_entries": n_entries,
            "effective_draws": bound.effective_draws.double().numpy(),
        },
        index=cohort.samples,
    )


def log_prob_bound(
    module: POEMS, batch: Batch, start: Tensor, *, n_draws: int = 500, seed: int = 0
) -> Bound:
    """Bound the log density of preprocessed samples from below, see :func:`log_prob`.

    Parameters
    ----------
    module
        The trained model, in evaluation mode.
    batch
        Samples on the model's scale, on its device.
    start
        Latents from which the search for likely ones begins, of shape
        (n_samples, n_latent): the encoder's means.
    n_draws, seed
        As in :func:`log_prob`.

    Raises
    ------
    SettingsError
        If ``n_draws`` is below 1.
    """
    if n_draws < 1:
        raise SettingsError(f"n_draws must be at least 1, not {n_draws}")
    generator = torch.Generator(device=start.device).manual_seed(seed)
    proposal = propose(module, batch, start, generator)
    with torch.no_grad():
        log_weights = torch.stack(
            [_log_weight(module, batch, proposal, generator) for _ in range(n_draws)]
        )
    total = torch.logsumexp(log_weights, dim=0)
    effective = torch.exp(2 * total - torch.logsumexp(2 * log_weights, dim=0))
    return Bound(total - math.log(n_draws), effective)


def _log_weight(
    module: POEMS, batch: Batch, proposal: Proposal, generator: torch.Generator
) -> Tensor:
    """Draw latents once per sample; compute log p(x, z) - log q(z), of shape (n_samples,)."""
    z = proposal.sample(generator)
    return log_joint(module, batch, z) - proposal.log_prob(z)
