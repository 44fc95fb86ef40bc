"""The objective and its named terms. The scaling of every term is decided here alone.

Minimised, with sums over features and latents and the mean over samples:

    L = mean_n [ sum_v sum_j w_vj o_nvj (-log p(x_nvj | z_n)) + beta KL(q(z_n | x_n) || p(z)) ]
        + (1 / N) sum_v sum_j w_vj [ spike-and-slab penalty + noise prior ]_vj

The weights w_vj are how much a feature counts (:mod:`poems.scaling.redundancy`). They multiply all
that is a feature's own alike, so that its loadings, their threshold and its noise are what they
would be without; what changes is its say about z and about what features share.

``reduction="mean"`` is the paper's published code instead: means over features
and over latents, and priors divided by the batch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from poems.nn.decode import ALL, Turns
from poems.nn.likelihoods.interface import Likelihood
from poems.nn.likelihoods.terms import likelihood_terms
from poems.nn.loadings_prior import penalty_rates
from poems.nn.model import POEMS
from poems.nn.profiling import NO_PROFILE, Profile
from poems.scaling.batch import Batch
from poems.settings.schema import Settings


@dataclass(frozen=True)
class Terms:
    """The terms of the objective for one batch, as zero-dimensional tensors.

    ``nll`` maps view name to the negative log-likelihood per sample; ``kl`` is
    unweighted; ``penalty`` and ``noise_prior`` carry their division by N.
    ``loss`` is what is differentiated: with a proximal step the penalty is in
    ``objective`` only, and ``rates`` are the L1 rates in it of the sparse
    decoders' loadings, of shape (n_features, n_latent).
    """

    nll: dict[str, Tensor]
    kl: Tensor
    penalty: Tensor
    noise_prior: Tensor
    objective: Tensor
    loss: Tensor
    rates: Tensor


def elbo_terms(
    model: POEMS,
    batch: Batch,
    settings: Settings,
    *,
    n_samples: int,
    kl_weight: float,
    gate_share: float = 1.0,
    turns: Turns = ALL,
    profile: Profile = NO_PROFILE,
) -> Terms:
    """Compute the objective of one batch.

    Parameters
    ----------
    model
        The model; its decoders hold the current prior rates.
    batch
        Some samples.
    settings
        ``training.reduction`` and ``sparsity.proximal`` matter here.
    n_samples
        Number N of training samples.
    kl_weight
        Weight beta of the KL term at this point of its warm-up.
    gate_share
        Share of the gate in the views' weights at this point, the rest being equal ones.
    turns
        Whose zero loadings get their derivative.
    profile
        Is told how long the parts take.
    """
    mean, proximal = settings.training.reduction == "mean", settings.sparsity.proximal
    with profile.span("encoder"):
        encoded = model.encode(batch, gate_share)
        z, weights = encoded.posterior.rsample()

    predictions = []
    for draw in z:
        with profile.span("decoder"):
            predicted = model.decode_jointly(draw, turns)
        profile.watch_backward("decoder, backward", draw, [predicted])
        predictions.append(predicted)

    likelihoods = [model.likelihood(i) for i in range(len(model.views))]
    with profile.span("likelihood"):
        per_view, noise = _likelihood(
            likelihoods, batch, predictions, weights, model.feature_weights, mean=mean
        )
        nll = dict(zip(model.views, per_view.detach().unbind(), strict=True))

    with profile.span("prior"):
        kl = model.prior.kl(encoded.posterior, z, weights).mean()
        if mean:
            kl = kl / model.n_latent

        divisor = prior_divisor(settings, len(batch), n_samples)
        penalty, rates = z.new_zeros(()), z.new_zeros(0, model.n_latent)
        if decoders := [decoder for _, decoder in model.sparse_decoders()]:
            rates = penalty_rates(decoders, divisor) * _of_loadings(model)[:, None]
            with torch.set_grad_enabled(torch.is_grad_enabled() and not proximal):
                loadings = torch.cat([decoder.loadings for decoder in decoders])
                penalty = torch.dot(rates.flatten(), loadings.abs().flatten())
        noise = noise / divisor

    smooth = per_view.sum() + kl_weight * kl + noise
    objective = smooth.detach() + penalty if proximal else smooth + penalty
    loss = smooth if proximal else objective
    return Terms(nll, kl, penalty, noise, objective, loss, rates)


def _likelihood(
    likelihoods: Sequence[Likelihood],
    batch: Batch,
    predictions: Sequence[Tensor],
    weights: Tensor,
    feature_weights: Tensor,
    *,
    mean: bool,
) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood a sample of each view, of shape (n_views,), and the noise prior."""
    x, observed = batch.joined_targets(), batch.observed_jointly()
    # The weights of a sample's draws sum to one: of a single draw they say nothing.
    given = weights if len(predictions) > 1 else [None]
    of_draws = [
        likelihood_terms(
            likelihoods,
            x,
            batch.shifted(predicted),
            batch.measured,
            observed,
            weight,
            feature_weights,
        )
        for predicted, weight in zip(predictions, given, strict=True)
    ]
    (first, noise), *others = of_draws
    per_view = sum((nll for nll, _ in others), first) / len(batch)
    if mean:
        per_view = per_view / per_view.new_tensor(list(batch.n_features.values()))
    return per_view, noise


def _of_loadings(model: POEMS) -> Tensor:
    """How much each feature of the sparse decoders counts: (n_features,)."""
    weights = model.weights_of_views()
    return torch.cat([weights[name] for name, _ in model.sparse_decoders()])


def prior_divisor(settings: Settings, n_batch: int, n_samples: int) -> int:
    """Return what the priors on the parameters are divided by in the objective of one batch."""
    return n_batch if settings.training.reduction == "mean" else n_samples
