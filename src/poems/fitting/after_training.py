"""What follows training: neither a failure nor an interrupt here costs the trained model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from poems.data import MultiOmics
from poems.data.quality import DEPTH_DIFFERS
from poems.diagnosis.check import Diagnosis
from poems.diagnosis.nuisance import nuisance_findings
from poems.findings import Finding, name_some
from poems.fitting.diagnosing import diagnose_tables, diagnosed
from poems.fitting.embeddings import network_embedding
from poems.fitting.failures import failure
from poems.fitting.redraws import network_redraws
from poems.fitting.result import FittedPoems
from poems.nn.likelihoods import kinds_of
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import MOST_SAMPLES, bounded, random_rows
from poems.settings.groups import ModelSettings
from poems.training.background import fit_background, most_factors
from poems.training.interrupts import hold_again, interrupts_let_through
from poems.training.link_background import Foretold, fit_link_background

# Networks hold a number for every two samples: beyond this they take gigabytes and minutes.
LARGEST_NETWORK = 5000


def learn_background(
    module: POEMS, data: Batch | BackedBatches, options: ModelSettings, seed: int
) -> tuple[Finding, ...]:
    """Find the background of a trained model and set it; a fault here costs the background."""
    if options.inference != "exact" or options.background == 0:
        return ()
    before = module.background
    try:
        some = data if len(data) <= MOST_SAMPLES else data.take(_some(len(data), seed))
        batch, findings = bounded(some, seed, "the background", "samples", "background-subset")
        with interrupts_let_through():
            found = fit_background(module, batch, options.background)
            most = most_factors(len(batch), options.background)
            told = fit_link_background(module, batch, found.loc, most, seed)
        return (*findings, *_of_links(module, told))
    except KeyboardInterrupt:
        if not hold_again():
            raise
        text = "the fit was interrupted before its background factors were found: it has none"
        missing = Finding("warning", "background-interrupted", text)
    # Broad on purpose: any fault here, of any library, would throw away the training.
    except Exception as error:
        missing = failure("the model has no background factors", error, code="background-failed")
    module.background = before
    return (missing,)


def _of_links(module: POEMS, told: Mapping[str, Foretold]) -> Iterator[Finding]:
    """Say of views that are not Gaussian which have a background, and what it foretells."""
    has = [v for v in told if module.background.factors_of([module.views.index(v)]).any()]
    without = [view for view in told if view not in has]
    gains = ", ".join(f"{told[v].gain:.2g} ({v}; standard error {told[v].error:.1g})" for v in has)
    if has:
        text = (
            "dense background factors are added to the linear predictor of views that are not "
            "Gaussian where they make entries likelier that were hidden from them; nats an "
            f"entry: {gains}"
        )
        yield Finding("note", "background-links", text, items=tuple(has))
    if without:
        text = (
            f"no dense background factors are added to {name_some(without, 20)}: entries that "
            "were hidden from them were not made likelier beyond a standard error"
        )
        yield Finding("note", "background-views", text, items=tuple(without))


def _some(n_samples: int, seed: int) -> Tensor:
    return random_rows(n_samples, MOST_SAMPLES, seed)


def with_diagnosis(
    fitted: FittedPoems, training: Batch | BackedBatches, held_out: Batch | None
) -> FittedPoems:
    """Diagnose the fit; what keeps this from being done does not cost the model."""
    try:
        with interrupts_let_through():
            return diagnosed(fitted, training, held_out)
    except KeyboardInterrupt:
        if not hold_again():
            raise
        text = "the fit was interrupted before it was diagnosed: only its tables were looked at"
        missing = Finding("warning", "diagnosis-interrupted", text)
    # Broad on purpose: any fault here, of any library, would throw away the training.
    except Exception as error:
        text = "the fit could not be diagnosed beside its data"
        missing = failure(text, error, code="diagnosis-failed")
    return _diagnosed_by_tables(replace(fitted, findings=(*fitted.findings, missing)))


def _diagnosed_by_tables(fitted: FittedPoems) -> FittedPoems:
    try:
        diagnosis = diagnose_tables(fitted)
    # Broad on purpose, as above.
    except Exception as error:
        missing = failure("the fit's tables could not be diagnosed", error, code="diagnosis-failed")
        findings = (*fitted.findings, missing)
        return replace(fitted, diagnosis=Diagnosis(()), findings=findings)
    findings = (*fitted.findings, *diagnosis.findings)
    return replace(fitted, diagnosis=diagnosis, findings=findings)


def with_nuisances(fitted: FittedPoems, cohort: MultiOmics) -> FittedPoems:
    """Say which factors are depth, the mean of samples or batches; a fault costs that alone."""
    kinds = kinds_of(fitted.settings.model, tuple(cohort.views))
    sized = frozenset(name for name, kind in kinds.items() if kind == "counts")
    told = [each.view for each in fitted.findings if each.code == DEPTH_DIFFERS]
    warned = frozenset(view for view in told if view is not None)
    try:
        found = nuisance_findings(fitted.latent, cohort, sized=sized, warned=warned)
    # Broad on purpose: any fault here, of any library, would throw away the training.
    except Exception as error:
        text = "whether factors go with depth or batches was not looked at"
        found = [failure(text, error, code="nuisances-failed")]
    return replace(fitted, findings=(*fitted.findings, *found))


def with_network(fitted: FittedPoems, data: Batch | BackedBatches) -> FittedPoems:
    """Add the network of the samples; without one, latents are clustered."""
    try:
        return _networked(fitted, data)
    except KeyboardInterrupt:
        if not hold_again():
            raise
        text = "the fit was interrupted before the network of samples: latents are clustered"
        missing = Finding("warning", "network-interrupted", text)
    # Broad on purpose: any fault here, of any library, would throw away the training.
    except Exception as error:
        text = "there is no network of samples, and latents are clustered"
        missing = failure(text, error, code="network-failed")
    return replace(fitted, findings=(*fitted.findings, missing))


def _networked(fitted: FittedPoems, data: Batch | BackedBatches) -> FittedPoems:
    if len(data) > LARGEST_NETWORK:
        left_out = Finding(
            "note",
            "network-left-out",
            f"{len(data)} samples are too many for a network of samples (at most "
            f"{LARGEST_NETWORK}): their latents are clustered",
        )
        return replace(fitted, findings=(*fitted.findings, left_out))
    # In the order of the tables: what is said of the third column is said of factor 3.
    active = torch.from_numpy(fitted.active)
    own = fitted.sample_estimates.loc[:, active]
    variances = fitted.sample_estimates.variance[:, active]
    weights = fitted.module.weights_of_views()
    network = network_embedding(own, data, weights, variances=variances)
    redraws = network_redraws(own, variances, data, weights, fitted.seed)
    return replace(fitted, network=network, redraws=redraws)
