"""Cohorts of known truth made from a real one: a fit's effects kept, its residuals permuted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from poems.data.container import MultiOmics, View
from poems.fitting.result import FittedPoems
from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.scaling.sizes import from_counts, size_columns
from poems.settings.schema import Settings


def has_own_scale(model: FittedPoems) -> bool:
    """Whether values of any view are on their own scale: 0 and 1, counts, levels, fractions."""
    views = range(len(model.view_names))
    return any(isinstance(model.module.likelihood(i), OwnScaleLikelihood) for i in views)


def latents_of_truth(model: FittedPoems, rng: np.random.Generator) -> torch.Tensor:
    """Return what the samples' latents are to be in the new cohort: (n_samples, n_latent).

    Posterior means where all views are Gaussian. They vary less than factors do, the less the
    values tell of them: where values are 0 and 1, the factors of a cohort made of them had half
    of the real ones' size. So where a view is on its own scale, latents are drawn from the
    posterior (plausible values: Mislevy 1991).

    Examples
    --------
    >>> import poems
    >>> model = poems.fit(poems.simulate(60, 40, seed=0).cohort, epochs=5, progress=False)
    >>> latents = latents_of_truth(model, np.random.default_rng(0))
    >>> torch.equal(latents, model.sample_estimates.loc)
    True
    """
    known = model.sample_estimates
    if not has_own_scale(model):
        return known.loc
    noise = torch.from_numpy(rng.standard_normal(known.loc.shape)).to(known.loc)
    return known.loc + known.variance.sqrt() * noise


@torch.no_grad()
def permuted_cohort(model: FittedPoems, cohort: MultiOmics, *, seed: int) -> MultiOmics:
    """Give each sample's predictions the residuals of another one.

    x*_nvj = eta_vj(z_n) + (x_mvj - eta_vj(z_m)), m a permutation of the samples
    on which the view was measured, drawn anew for each view; z are the posterior
    means, or drawn (:func:`latents_of_truth`).
    What the model says of the cohort is the truth about this one: its factors drive the
    features with non-zero loadings, and nothing else is related to them. Where values are
    no prediction and a residual added up, these are quantile residuals: u, drawn evenly between
    P(X < x) and P(X <= x) at eta_vj(z_m), and the value up to which the probability is u at
    eta_vj(z_n) (Dunn & Smyth 1996; a sample keeps its size). Residuals move as rows, so that
    features whose noise is correlated stay so, and missing entries move with them. A sample that
    would have no count at all, where sizes follow from counts, has one where it nearly had.

    Parameters
    ----------
    model
        The fit, whose loadings become the truth.
    cohort
        The cohort that it was fitted on.
    seed
        Seed of the latents and permutations.

    Returns
    -------
    The new cohort, on the model's scale (to be fitted with
    :func:`permuted_settings`), with the features that the model uses.
    """
    rng = np.random.default_rng(seed)
    batch, _ = model.preprocessing.apply(cohort)
    latents = latents_of_truth(model, rng)
    predicted = model.module.predict(latents)
    linear = model.module.linear_predictors(latents)
    views = {}
    for i, name in enumerate(model.view_names):
        x, eta = batch.values[name].numpy(), predicted[name].numpy()
        measured, observed = batch.measured[:, i].numpy(), batch.observed[name]
        likelihood, rows = model.module.likelihood(i), np.flatnonzero(measured)
        values = np.full_like(x, np.nan)
        if isinstance(likelihood, OwnScaleLikelihood):
            at = torch.from_numpy(rows)
            own = batch.shifted_view(name, linear[name][at], at)
            given = batch.targets[name][at].numpy()
            there = None if observed is None else observed[at].numpy()
            scale = model.preprocessing.views[name].own
            counted = scale is not None and from_counts(scale.sizes)
            values[rows] = _of_quantiles(likelihood, given, own, there, rng, counted=counted)
        else:
            residual = x - eta
            if observed is not None:
                residual[~observed.numpy()] = np.nan
            values[rows] = eta[rows] + residual[rng.permutation(rows)]
        views[name] = View(values, model.features(name), measured)
    rules = (model.settings.preprocessing.sizes_of(name) for name in model.view_names)
    obs = size_columns(rules, cohort.obs)
    return MultiOmics(views, cohort.samples, obs)


def _of_quantiles(
    likelihood: OwnScaleLikelihood,
    x: npt.NDArray[np.float32],
    eta: torch.Tensor,
    observed: npt.NDArray[np.bool_] | None,
    rng: np.random.Generator,
    *,
    counted: bool,
) -> npt.NDArray[np.float64]:
    """Permute quantile residuals of values (n_rows, n_features), missing ones with them.

    ``counted``: each row has a count, for a sample of none has no size.
    """
    distribution = likelihood.distribution(eta)
    assert distribution is not None, "asked of families that have one alone"
    there = np.ones(x.shape, dtype=bool) if observed is None else observed
    known = np.where(there, x, likelihood.placeholder).astype(np.float64)
    upto = distribution.cdf(known)
    if likelihood.discrete:
        below = distribution.cdf(known - 1.0)
        upto = below + rng.random(x.shape) * (upto - below)
    moved = rng.permutation(len(x))
    # Half a rounding error inside: no quantile is infinite.
    inside = np.clip(upto[moved], 1e-12, 1.0 - 1e-12)
    found: npt.NDArray[np.float64] = np.where(there[moved], distribution.ppf(inside), np.nan)
    if counted:
        empty = np.flatnonzero(there[moved].any(axis=1) & (np.nansum(found, axis=1) == 0))
        short = np.where(there[moved], distribution.cdf(np.zeros(x.shape)) - inside, np.inf)
        found[empty, short[empty].argmin(axis=1)] = 1.0
    return found


def permuted_settings(settings: Settings) -> Settings:
    """Return the settings for a permuted cohort: values are logged and features chosen already."""
    return settings.updated(log1p=(), most_variable=None, screening="none")
