"""The cohort as a model is given it: checked, scaled, and small enough for memory."""

from __future__ import annotations

from dataclasses import dataclass

from poems.data import MultiOmics, quality_findings
from poems.errors import DataError
from poems.findings import Finding, said_once
from poems.fitting.approximations import approximations
from poems.fitting.memory import require_fit_memory
from poems.nn.likelihoods import kinds_of
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.own_scale import own_scale_views
from poems.scaling.preprocessing import Preprocessing, fit_preprocessing, prepare
from poems.scaling.screening import Screening
from poems.settings.schema import Settings


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that a fit needs besides the model."""

    cohort: MultiOmics
    settings: Settings
    seed: int
    preprocessing: Preprocessing
    data: Batch | BackedBatches
    findings: tuple[Finding, ...]


def prepare_fit(
    cohort: MultiOmics, settings: Settings, seed: int, noted: tuple[Finding, ...] = ()
) -> Prepared:
    """Check the cohort and bring it to the model's scale; ``noted`` was found before."""
    kinds = kinds_of(settings.model, tuple(cohort.views))
    quality = quality_findings(
        cohort, log1p=settings.preprocessing.log1p, own_scale=own_scale_views(kinds)
    )
    fatal = [finding for finding in quality if finding.severity == "error"]
    if fatal:
        raise DataError("the cohort cannot be fitted: " + "; ".join(map(_named, fatal)))
    preprocessing, left_out = fit_preprocessing(
        cohort, settings.preprocessing, kinds, _screening(settings)
    )
    kept = {name: len(each.features) for name, each in preprocessing.views.items()}
    require_fit_memory(cohort, kept, settings)
    data, touched = prepare(preprocessing, cohort)
    # Features left out are named by the checks, and unknown to the model because of that.
    told = ("features-left-out", "features-unknown")
    done = [finding for finding in (*left_out, *touched) if finding.code not in told]
    findings = said_once((*cohort.findings, *quality, *noted, *done))
    if isinstance(data, BackedBatches):
        findings = (*findings, *approximations(data, settings))
    return Prepared(cohort, settings, seed, preprocessing, data, findings)


def _named(finding: Finding) -> str:
    of = "" if finding.view is None else f"view '{finding.view}': "
    return of + finding.message


def prepared_scaling(cohort: MultiOmics, settings: Settings) -> Preprocessing:
    """Learn how the views are scaled, as a fit does first.

    Raises
    ------
    DataError
        If the cohort cannot be fitted.
    """
    kinds = kinds_of(settings.model, tuple(cohort.views))
    return fit_preprocessing(cohort, settings.preprocessing, kinds, _screening(settings))[0]


def _screening(settings: Settings) -> Screening | None:
    """The rule that sets features aside: of sparse decoders with a threshold of their own."""
    given = settings.sparsity.lambda_spike is not None or settings.model.decoder != "sparse"
    if settings.preprocessing.screening == "none" or given:
        return None
    return Screening(settings.model.n_latent, settings.sparsity.lambda_spike_scale)
