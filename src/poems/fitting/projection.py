"""Samples in a fitted model's latent space, and what it predicts of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import pandas as pd
import torch

from poems.data import MultiOmics
from poems.data.disk.view import require_in_memory
from poems.errors import SettingsError
from poems.findings import Finding, count
from poems.fitting.embeddings import decoded_embedding, gram_embedding
from poems.fitting.tables import (
    background_frame,
    component_frame,
    factor_frame,
    shares_frame,
)
from poems.nn.estimates import SampleEstimates, estimate_samples
from poems.scaling.preprocessing import prepare
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


@dataclass(frozen=True, eq=False)
class Projection:
    """New samples in a fitted model's latent space.

    ``latent`` and ``latent_variance``: (n_samples, n_active); ``gates``:
    (n_samples, n_views); ``component_probabilities``: (n_samples,
    n_components), or ``None`` for a prior without components. ``findings`` say
    what was absent or unknown. Of exact posteriors also ``background``, the scores of the
    background factors, and ``precision_shares`` of the views (n_samples, n_views).
    """

    latent: pd.DataFrame
    latent_variance: pd.DataFrame
    gates: pd.DataFrame
    component_probabilities: pd.DataFrame | None
    findings: tuple[Finding, ...]
    background: pd.DataFrame | None = None
    precision_shares: pd.DataFrame | None = None


def project(fitted: FittedPoems, cohort: MultiOmics) -> Projection:
    """Compute what :meth:`FittedPoems.transform` returns."""
    batch, findings = prepare(fitted.preprocessing, cohort)
    estimates = estimate_samples(fitted.module, batch)
    return Projection(
        latent=factor_frame(fitted, estimates.loc * fitted.orientation, cohort.samples),
        latent_variance=factor_frame(fitted, estimates.variance, cohort.samples),
        gates=pd.DataFrame(
            estimates.gates.numpy(), index=cohort.samples, columns=list(fitted.view_names)
        ),
        component_probabilities=component_frame(estimates, cohort.samples),
        findings=(*cohort.findings, *findings, *unsettled(estimates)),
        background=background_frame(estimates, cohort.samples),
        precision_shares=shares_frame(fitted, estimates, cohort.samples),
    )


def unsettled(estimates: SampleEstimates) -> tuple[Finding, ...]:
    """Say how many samples' posteriors had not come to rest, if any."""
    n = estimates.unsettled
    if not n:
        return ()
    text = (
        f"the posterior of {count(n, 'sample')} of {len(estimates.loc)} was still moving after the "
        "last step of inference: take their latents with care"
    )
    return (Finding("note", "inference-unsettled", text),)


def embedding(fitted: FittedPoems, metric: Metric) -> pd.DataFrame:
    """Compute what :meth:`FittedPoems.embedding` returns."""
    loc = fitted.sample_estimates.loc
    if metric == "latent":
        return fitted.latent
    if metric == "network":
        if fitted.network is None:
            raise SettingsError(
                f"this model of {len(fitted.samples)} samples has no network of its samples; "
                "choose the metric latent, gram or decoded"
            )
        points = fitted.network
    elif metric == "gram":
        points = gram_embedding(loc, fitted.feature_estimates.gram)[:, fitted.active.copy()]
    elif metric == "decoded":
        points = decoded_embedding(fitted.module, loc, fitted.n_active)
    else:
        raise SettingsError(f"no metric '{metric}'; there are {', '.join(get_args(Metric))}")
    columns = [f"{metric}_{i + 1}" for i in range(points.shape[1])]
    return pd.DataFrame(points.numpy(), index=fitted.samples, columns=columns)


@torch.no_grad()
def reconstruct(fitted: FittedPoems, cohort: MultiOmics | None) -> dict[str, pd.DataFrame]:
    """Compute what :meth:`FittedPoems.reconstruct` returns."""
    if cohort is None:
        estimates, samples = fitted.sample_estimates, fitted.samples
        # Of a view that was not measured there is neither.
        measured = estimates.gates > 0
        if estimates.shares is not None:
            measured |= estimates.shares > 0
    else:
        require_in_memory(cohort, "reconstruct()")
        batch, _ = fitted.preprocessing.apply(cohort)
        estimates, samples = estimate_samples(fitted.module, batch), cohort.samples
        measured = batch.measured
    return {
        name: pd.DataFrame(
            fitted.preprocessing.views[name].invert(eta.numpy()),
            index=samples,
            columns=fitted.features(name),
        )
        for name, eta in fitted.module.predict(
            estimates.loc, estimates.background, _log_sizes(fitted, estimates), measured
        ).items()
    }


def _log_sizes(fitted: FittedPoems, estimates: SampleEstimates) -> dict[str, torch.Tensor]:
    """Log sizes by view, of views whose samples have any."""
    found = estimates.log_sizes
    if found is None:
        return {}
    return {name: found[:, i] for i, name in enumerate(fitted.view_names)}
