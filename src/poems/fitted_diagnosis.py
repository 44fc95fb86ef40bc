"""The diagnosis of a fitted model: at the end of a fit, from its tables, on held-out samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from poems.data import MultiOmics
from poems.diagnosis.check import Check, Diagnosis, Samples, superseded
from poems.diagnosis.convergence import convergence_checks
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
    Explained,
    explained_views,
    reconstruction_checks,
)
from poems.estimates import SampleEstimates, estimate_samples
from poems.findings import count
from poems.fitted import FittedPoems
from poems.nn.batch import Batch


def diagnosed(fitted: FittedPoems, training: Batch, held_out: Batch | None) -> FittedPoems:
    """Return the model with its diagnosis, whose findings join the others.

    Parameters
    ----------
    fitted
        A model without a diagnosis.
    training
        The samples it was trained on.
    held_out
        Those held out of its training, if any. Views that were measured on
        enough of them are judged by how they are reconstructed there.
    """
    means = _means(fitted)
    principal = fit_principal(training, means, max(fitted.n_active, 1), fitted.seed)
    seen = estimate_samples(fitted.module, training)
    checks = [
        *_gate_checks(fitted, training, seen),
        *_checks_of_tables(fitted, principal.n_supported),
    ]
    axes = principal.axes
    checks += reconstruction_checks(_explained(fitted, training, seen.loc, axes, principal.noise))
    newer: tuple[Check, ...] = ()
    if held_out is not None:
        loc = estimate_samples(fitted.module, held_out).loc
        explained = _explained(fitted, held_out, loc, axes, noise_shares(axes))
        newer = reconstruction_checks(explained, "held out")
    diagnosis = Diagnosis(superseded(checks, newer))
    return replace(
        fitted,
        diagnosis=diagnosis,
        principal_axes=axes,
        findings=(*fitted.findings, *diagnosis.findings),
    )


def diagnose_tables(fitted: FittedPoems) -> Diagnosis:
    """Diagnose a model without its data: there is no PCA then, and no precision of the experts."""
    measured = fitted.sample_estimates.gates > 0
    explained = {
        name: Explained(float(fitted.r2[name]), None, None, int(measured[:, i].sum()))
        for i, name in enumerate(fitted.view_names)
    }
    checks = (
        *gate_checks(fitted.gates.to_numpy(), None, fitted.view_names),
        *_checks_of_tables(fitted, None),
        *reconstruction_checks(explained),
    )
    return Diagnosis(checks)


def diagnose_held_out(fitted: FittedPoems, cohort: MultiOmics) -> Diagnosis:
    """Diagnose the gate and the reconstruction on other samples, the rest as it is stored."""
    batch, noticed = fitted.preprocessing.apply(cohort)
    estimates = estimate_samples(fitted.module, batch)
    axes = fitted.principal_axes
    noise = None if axes is None else noise_shares(axes)
    checks = [
        _seen_before(fitted, cohort),
        *_gate_checks(fitted, batch, estimates, "held out"),
        *reconstruction_checks(_explained(fitted, batch, estimates.loc, axes, noise), "held out"),
    ]
    stored = fitted.diagnosis or diagnose_tables(fitted)
    return Diagnosis(superseded(stored.checks, checks), (*cohort.findings, *noticed))


def _gate_checks(
    fitted: FittedPoems, batch: Batch, estimates: SampleEstimates, samples: Samples = "training"
) -> tuple[Check, ...]:
    shares = precision_shares(fitted.module, batch, _active(fitted))
    known = None if shares is None else shares.numpy()
    return gate_checks(estimates.gates.numpy(), known, fitted.view_names, samples)


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


def _checks_of_tables(fitted: FittedPoems, n_supported: int | None) -> tuple[Check, ...]:
    """What the tables alone tell: posterior, loadings, factors, training."""
    settings, samples = fitted.settings, fitted.sample_estimates
    active = _active(fitted)
    sparse = settings.model.decoder == "sparse"
    n_latent = settings.model.n_latent
    told = information(samples.loc[:, active].numpy(), samples.variance[:, active].numpy())
    justified = justified_variance(
        {name: size[:, active].numpy() for name, size in fitted.feature_estimates.size.items()},
        {name: noise.to_numpy() for name, noise in fitted.noise.items()},
        samples.gates.numpy() > 0,
    )
    variance = samples.variance[:, active].double().mean(dim=0).numpy()
    n_features = sum(len(fitted.features(name)) for name in fitted.view_names)
    training = convergence_checks(
        fitted.status,
        fitted.history,
        n_terms=1 if settings.training.reduction == "mean" else n_features,
        kl_weight=settings.training.kl_weight,
        sparse=sparse,
    )
    checks = posterior_checks(
        told,
        variance / justified,
        fitted.factor_names,
        settings.training.kl_weight,
        None if n_supported is None else min(n_supported, n_latent),
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


def _explained(
    fitted: FittedPoems,
    batch: Batch,
    loc: Tensor,
    axes: Mapping[str, Tensor] | None,
    noise: Mapping[str, float] | None,
) -> dict[str, Explained]:
    """What the model, and PCA where there is one, explain of some samples."""
    means = _means(fitted)
    with torch.no_grad():
        model = explained_views(batch, fitted.module.decode(loc), means)
    pca = {} if axes is None else explained_views(batch, predict(axes, batch, means), means)
    n_samples = dict(zip(fitted.view_names, batch.measured.sum(dim=0).tolist(), strict=True))
    return {
        name: Explained(value, pca.get(name), (noise or {}).get(name), n_samples[name])
        for name, value in model.items()
    }


def _means(fitted: FittedPoems) -> dict[str, Tensor]:
    """Mean of each feature over the samples of the fit, on the model's scale."""
    return {
        name: torch.tensor(scaling.fill, dtype=torch.float32)
        for name, scaling in fitted.preprocessing.views.items()
    }


def _active(fitted: FittedPoems) -> Tensor:
    return torch.from_numpy(fitted.active.copy())
