"""Samples in a fitted model's latent space, and what it predicts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch
from torch import Tensor

from poems.data import MultiOmics, read
from poems.data.disk.view import require_in_memory
from poems.data.naming.near_features import FeatureMatch
from poems.errors import SettingsError
from poems.findings import Finding, count
from poems.fitting.embeddings import decoded_embedding, gram_embedding
from poems.fitting.fit_tables import numbered
from poems.fitting.tables import factor_frame
from poems.nn.estimates import SampleEstimates, estimate_samples
from poems.notebook import Shown
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.preprocessing import prepare
from poems.scaling.renaming import renamed
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


@dataclass(frozen=True, eq=False, repr=False)
class Projection(Shown):
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


@dataclass(frozen=True, eq=False, repr=False)
class Inferred(Shown):
    """Samples on a model's scale, and what it says of them: computed once, read by many.

    Parameters
    ----------
    cohort
        The samples.
    data
        Their values on the model's scale, in memory or on disk.
    estimates
        Latents, gates and components of all of them, in order.
    findings
        What was absent or unknown.
    features
        View name to the features that the columns of its values are.
    """

    cohort: MultiOmics
    data: Batch | BackedBatches
    estimates: SampleEstimates
    findings: tuple[Finding, ...]
    features: Mapping[str, pd.Index]

    def parts(self) -> Iterator[tuple[Batch, SampleEstimates]]:
        """Pass over the samples in their order, a bounded number at a time."""
        first = 0
        for chunk in self.data.chunks():
            yield chunk, self.estimates.rows(slice(first, first + len(chunk)))
            first += len(chunk)


def inferred(fitted: FittedPoems, cohort: MultiOmics | Mapping[str, Any]) -> Inferred:
    """Infer the samples of a cohort, or of what it is read from.

    Raises
    ------
    DataError
        If no view or no feature is known, or a sample has nothing measured.
    """
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    data, findings = prepare(fitted.preprocessing, given)
    return Inferred(given, data, estimate_samples(fitted.module, data), findings, _features(fitted))


def inferred_in_fit(fitted: FittedPoems, cohort: MultiOmics) -> Inferred:
    """Return what :func:`inferred` does of the training cohort, which the fit inferred already.

    Parameters
    ----------
    fitted
        A model as it comes from the fit.
    cohort
        The cohort it was fitted to, unchanged.
    """
    data, findings = prepare(fitted.preprocessing, cohort)
    return Inferred(cohort, data, fitted.sample_estimates, findings, _features(fitted))


def _features(fitted: FittedPoems) -> dict[str, pd.Index]:
    return {name: fitted.features(name) for name in fitted.view_names}


def project(
    fitted: FittedPoems,
    cohort: MultiOmics,
    match: FeatureMatch = "exact",
    names: Mapping[str, str] | None = None,
) -> Projection:
    """Compute what :meth:`FittedPoems.transform` returns."""
    wanted = {name: each.features for name, each in fitted.preprocessing.views.items()}
    return projection_of(fitted, inferred(fitted, renamed(cohort, wanted, match, names)))


def projection_of(fitted: FittedPoems, found: Inferred) -> Projection:
    """Return samples that were inferred as tables of the factors that were not pruned."""
    cohort, estimates, findings = found.cohort, found.estimates, found.findings
    shares = estimates.shares
    views = list(fitted.view_names)
    return Projection(
        latent=factor_frame(fitted, estimates.loc * fitted.orientation, cohort.samples),
        latent_variance=factor_frame(fitted, estimates.variance, cohort.samples),
        gates=pd.DataFrame(estimates.gates.numpy(), index=cohort.samples, columns=views),
        component_probabilities=_numbered(estimates.components, cohort.samples, "component"),
        findings=(*cohort.findings, *findings, *unsettled(estimates)),
        background=_numbered(estimates.background, cohort.samples, "background"),
        precision_shares=None
        if shares is None
        else pd.DataFrame(shares.numpy().copy(), index=cohort.samples, columns=views),
    )


def _numbered(values: Tensor | None, samples: pd.Index, name: str) -> pd.DataFrame | None:
    return None if values is None else numbered(values.numpy(), samples, name)


def unsettled(estimates: SampleEstimates) -> tuple[Finding, ...]:
    """Say how many samples' posteriors had not come to rest, if any."""
    n = estimates.unsettled
    if not n:
        return ()
    text = (
        f"the posterior of {count(n, 'sample')} of {len(estimates.loc)} was still moving after the "
        f"last step of inference: take {'its latent' if n == 1 else 'their latents'} with care"
    )
    return (Finding("note", "inference-unsettled", text),)


def embedding(fitted: FittedPoems, metric: Metric) -> pd.DataFrame:
    """Compute what :meth:`FittedPoems.embedding` returns."""
    stored = fitted.stored_embedding(metric)
    if stored is not None:
        return stored
    loc = fitted.sample_estimates.loc
    if metric == "gram":
        points = gram_embedding(loc, fitted.feature_estimates.gram)[:, fitted.active.copy()]
    elif metric == "decoded":
        points = decoded_embedding(fitted.module, loc, fitted.n_active)
    else:
        raise SettingsError(f"no metric '{metric}'; there are {', '.join(get_args(Metric))}")
    return numbered(points.numpy(), fitted.samples, metric)


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
