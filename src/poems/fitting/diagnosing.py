"""The diagnosis of a fitted model: at the end of a fit, from its tables, on held-out samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from poems.data import MultiOmics
from poems.diagnosis.check import Check, Diagnosis, Samples, superseded
from poems.diagnosis.convergence import convergence_checks, worth_of
from poems.diagnosis.gate import gate_checks, precision_shares
from poems.diagnosis.loadings import factor_checks, loading_checks
from poems.diagnosis.posterior import (
    LEAST_INFORMATION,
    information,
    justified_variance,
    posterior_checks,
)
from poems.diagnosis.principal import fit_principal, noise_shares, predict
from poems.diagnosis.reconstruction import (
    ALONE,
    Explained,
    explained_views,
    reconstruction_checks,
)
from poems.findings import Finding, count
from poems.fitting.explaining import (
    active_rows,
    chance_of,
    explained_of,
    training_means,
    with_alone,
)
from poems.fitting.result import FittedPoems
from poems.nn.estimates import SampleEstimates, backed_shares, estimate_samples
from poems.scaling.batch import Batch, SampleSource
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import (
    MOST_SAMPLES,
    bounded,
    feature_subset,
    load_features,
    random_rows,
)
from poems.scaling.preprocessing import prepare
from poems.settings.groups import TrainingSettings


def diagnosed(
    fitted: FittedPoems, training: Batch | BackedBatches, held_out: Batch | None
) -> FittedPoems:
    """Return the model with its diagnosis, whose findings join the others.

    Parameters
    ----------
    fitted
        A model without a diagnosis.
    training
        The samples it was trained on. On disk, principal components and the
        experts are judged on a random subset, with a finding.
    held_out
        Those held out of its training, if any. Views that were measured on
        enough of them are judged by how they are reconstructed there.
    """
    if isinstance(training, BackedBatches):
        return _diagnosed_backed(fitted, training, held_out)
    means = training_means(fitted.preprocessing)
    principal = fit_principal(training, means, max(fitted.n_active, 1), fitted.seed)
    answers, seen = _answers(fitted, training), _known(fitted, training)
    checks = [
        *_gate_checks(fitted, training, answers.gates, seen.shares),
        *_checks_of_tables(fitted, principal.n_supported, answers),
    ]
    axes = principal.axes
    explained = explained_of(fitted, training, seen, axes, principal.noise)
    explained = with_alone(fitted, training, explained)
    checks += _reconstruction(fitted, explained, principal.n_supported)
    diagnosis = Diagnosis(superseded(checks, _newer_checks(fitted, held_out, axes, checks)))
    return replace(
        fitted,
        diagnosis=diagnosis,
        principal_axes=axes,
        findings=(*fitted.findings, *diagnosis.findings),
    )


def _diagnosed_backed(
    fitted: FittedPoems, training: BackedBatches, held_out: Batch | None
) -> FittedPoems:
    """Diagnose a fit to samples on disk, principal components on a subset that fits in memory."""
    rows = random_rows(len(training), MOST_SAMPLES, fitted.seed)
    some = training.take(rows)
    features = feature_subset(some, len(some), fitted.seed)
    batch = load_features(some, features)
    means = training_means(fitted.preprocessing)
    if features is not None:
        means = {name: mean[features[name]] for name, mean in means.items()}
    principal = fit_principal(batch, means, max(fitted.n_active, 1), fitted.seed)
    pca = explained_views(batch, predict(principal.axes, batch, means), means)
    n_samples = dict(zip(fitted.view_names, training.measured.sum(dim=0).tolist(), strict=True))
    own, total = dict(fitted.r2), fitted.feature_estimates.total
    if held_out is not None:
        loc = fitted.sample_estimates.loc[torch.from_numpy(training.rows)]
        own = backed_shares(fitted.module, training, loc, training_means(fitted.preprocessing))
    explained = {
        name: Explained(
            float(own[name]),
            pca.get(name),
            principal.noise[name],
            n_samples[name],
            total=total.get(name),
            chance=chance_of(fitted, fitted.sample_estimates),
        )
        for name in fitted.view_names
    }
    explained = with_alone(fitted, batch, explained, means)
    shares = precision_shares(fitted.module, some, active_rows(fitted))
    seen = fitted.sample_estimates.rows(torch.from_numpy(training.rows))
    checks = [
        *gate_checks(
            seen.gates.numpy(),
            _array(shares),
            fitted.view_names,
            posterior=_array(seen.shares),
        ),
        *_checks_of_tables(fitted, principal.n_supported, _answers(fitted, some)),
        *_reconstruction(fitted, explained, principal.n_supported),
    ]
    # Axes of some features cannot be stored as those of the model's features.
    axes = principal.axes if features is None else None
    diagnosis = Diagnosis(superseded(checks, _newer_checks(fitted, held_out, axes, checks)))
    noted = _subset_findings(training, len(some), batch if features is not None else None)
    return replace(
        fitted,
        diagnosis=diagnosis,
        principal_axes=axes,
        findings=(*fitted.findings, *noted, *diagnosis.findings),
    )


def _subset_findings(
    training: BackedBatches, n_samples: int, of_features: Batch | None
) -> tuple[Finding, ...]:
    """Say what the diagnosis rests on where that is not everything."""
    parts = []
    if n_samples < len(training):
        parts.append(f"{n_samples} of {len(training)} samples")
    if of_features is not None:
        counts = ", ".join(
            f"{name} {width} of {training.n_features[name]}"
            for name, width in of_features.n_features.items()
        )
        parts.append(
            f"some of the features ({counts}), for which reason no principal axes are stored with "
            "the model and held-out samples are not compared with PCA"
        )
    if not parts:
        return ()
    text = (
        "the diagnosis compares with principal components, and judges the experts' precision, on "
        f"a random subset: {' and '.join(parts)}; R² of the model is of all samples and features"
    )
    return (Finding("note", "diagnosis-subset", text),)


def _newer_checks(
    fitted: FittedPoems,
    held_out: Batch | None,
    axes: Mapping[str, Tensor] | None,
    training: Iterable[Check],
) -> tuple[Check, ...]:
    """How held-out samples are reconstructed, if there are any."""
    if held_out is None:
        return ()
    estimates = estimate_samples(fitted.module, held_out)
    return _reconstruction_of_new(fitted, held_out, estimates, axes, training)


def _reconstruction_of_new(
    fitted: FittedPoems,
    batch: Batch,
    estimates: SampleEstimates,
    axes: Mapping[str, Tensor] | None,
    training: Iterable[Check],
) -> tuple[Check, ...]:
    """Judge held-out samples; what a view holds by itself was asked of the training samples."""
    noise = None if axes is None else noise_shares(axes)
    alone = {check.view: check.value for check in training if check.quantity == ALONE}
    explained = {
        name: replace(found, alone=alone.get(name))
        for name, found in explained_of(fitted, batch, estimates, axes, noise).items()
    }
    return reconstruction_checks(explained, "held out")


def diagnose_tables(fitted: FittedPoems) -> Diagnosis:
    """Diagnose a model without its data: there is no PCA then, and no precision of the experts."""
    measured = fitted.sample_estimates.gates > 0
    explained = {
        name: Explained(
            float(fitted.r2[name]),
            None,
            None,
            int(measured[:, i].sum()),
            total=fitted.feature_estimates.total.get(name),
            chance=chance_of(fitted, fitted.sample_estimates),
        )
        for i, name in enumerate(fitted.view_names)
    }
    checks = (
        *gate_checks(
            fitted.gates.to_numpy(),
            None,
            fitted.view_names,
            posterior=_array(fitted.sample_estimates.shares),
        ),
        *_checks_of_tables(fitted, None, None),
        *reconstruction_checks(explained, widest=_widest(fitted)),
    )
    return Diagnosis(checks)


def diagnose_held_out(fitted: FittedPoems, cohort: MultiOmics) -> Diagnosis:
    """Diagnose the gate and the reconstruction on other samples, the rest as it is stored."""
    prepared, noticed = prepare(fitted.preprocessing, cohort)
    batch, noted = bounded(prepared, fitted.seed, "the diagnosis")
    noticed += noted
    stored = fitted.diagnosis or diagnose_tables(fitted)
    estimates = estimate_samples(fitted.module, batch)
    checks = [
        _seen_before(fitted, cohort),
        *_gate_checks(fitted, batch, estimates.gates, estimates.shares, "held out"),
        *_reconstruction_of_new(fitted, batch, estimates, fitted.principal_axes, stored.checks),
    ]
    return Diagnosis(superseded(stored.checks, checks), (*cohort.findings, *noticed))


def _gate_checks(
    fitted: FittedPoems,
    batch: Batch,
    gates: Tensor,
    posterior: Tensor | None,
    samples: Samples = "training",
) -> tuple[Check, ...]:
    shares = precision_shares(fitted.module, batch, active_rows(fitted))
    return gate_checks(gates.numpy(), _array(shares), fitted.view_names, samples, _array(posterior))


def _array(values: Tensor | None) -> npt.NDArray[np.floating[Any]] | None:
    return None if values is None else values.numpy()


@torch.no_grad()
def _answers(fitted: FittedPoems, source: SampleSource) -> _Answers:
    """Ask the encoders."""
    fitted.module.eval()
    found = [(fitted.module.encode(part), part.measured) for part in source.chunks()]
    return _Answers(
        torch.cat([each.gates for each, _ in found]),
        torch.cat([each.posterior.variance for each, _ in found]),
        torch.cat([measured for _, measured in found]),
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """What the encoders say of some samples, by whose answers training went.

    ``gates`` and ``measured``: (n_samples, n_views); ``variance``: (n_samples, n_latent).
    """

    gates: Tensor
    variance: Tensor
    measured: Tensor


def _known(fitted: FittedPoems, training: Batch) -> SampleEstimates:
    """Return what the model says of its training samples, from its tables if these are all."""
    if len(training) == len(fitted.samples):
        return fitted.sample_estimates
    return estimate_samples(fitted.module, training)


def _seen_before(fitted: FittedPoems, cohort: MultiOmics) -> Check:
    """Were held-out samples trained on, by their names?"""
    seen = int(cohort.samples.isin(fitted.samples).sum())
    meaning = remedy = ""
    if seen:
        meaning = (
            f"{count(seen, 'sample')} of {cohort.n_samples} bear the name of a training sample: "
            "what the model has seen flatters it"
        )
        remedy = "give other samples"
    return Check(
        "not-held-out",
        "samples named in training",
        float(seen),
        0.0,
        "warning" if seen else "ok",
        samples="held out",
        meaning=meaning,
        remedy=remedy,
    )


def _checks_of_tables(
    fitted: FittedPoems, n_supported: int | None, answers: _Answers | None
) -> tuple[Check, ...]:
    """What the tables tell, and the encoders' answers: posterior, loadings, factors, training.

    An exact posterior is as wide as the data justify. Training went by the encoders' answers,
    so that these are judged where they are known.
    """
    settings, samples = fitted.settings, fitted.sample_estimates
    active = active_rows(fitted)
    sparse = settings.model.decoder == "sparse"
    n_latent = settings.model.n_latent
    told = information(samples.loc[:, active].numpy(), samples.variance[:, active].numpy())
    errors = (
        (error / counts.sqrt()).numpy()
        for error, counts in zip(
            fitted.module.standard_errors(),
            fitted.module.weights_of_views().values(),
            strict=True,
        )
    )
    variance, measured = samples.variance, samples.gates > 0
    if answers is not None:
        variance, measured = answers.variance, answers.measured
    justified = justified_variance(
        {name: size[:, active].numpy() for name, size in fitted.feature_estimates.size.items()},
        dict(zip(fitted.view_names, errors, strict=True)),
        measured.numpy(),
    )
    mean_variance = variance[:, active].double().mean(dim=0).numpy()
    weights = {name: float(each.sum()) for name, each in fitted.module.weights_of_views().items()}
    training = convergence_checks(
        fitted.status,
        fitted.history,
        n_terms=1 if settings.training.reduction == "mean" else sum(weights.values()),
        kl_weight=settings.training.kl_weight,
        sparse=sparse,
        usual_epochs=TrainingSettings().n_epochs(len(fitted.samples)),
        worth=worth_of(dict(fitted.r2), weights),
    )
    checks = posterior_checks(
        told,
        mean_variance / justified,
        fitted.factor_names,
        settings.training.kl_weight,
        None if n_supported is None else min(n_supported, n_latent),
        exact=settings.model.inference == "exact",
    )
    if sparse:
        exact = settings.sparsity.proximal
        tables = fitted.loadings if exact else fitted.inclusion
        included = {
            name: (table != 0 if exact else table > 0.5).to_numpy()
            for name, table in tables.items()
        }
        finished = all(check.signature == "not-converged" for check in training)
        informative = int((told >= LEAST_INFORMATION).sum())
        checks += loading_checks(included, n_latent, exact=exact, finished=finished)
        checks += factor_checks(fitted.n_active, informative, n_latent, n_supported)
    return (*training, *checks)


def _reconstruction(
    fitted: FittedPoems, explained: Mapping[str, Explained], n_supported: int
) -> tuple[Check, ...]:
    return reconstruction_checks(
        explained,
        weighted=fitted.settings.model.redundancy != "none",
        widest=_widest(fitted),
        n_supported=n_supported,
    )


def _widest(fitted: FittedPoems) -> int:
    return max(len(fitted.features(name)) for name in fitted.view_names)
