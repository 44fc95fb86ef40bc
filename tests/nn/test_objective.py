from __future__ import annotations

import pytest
import torch

from poems.nn.distributions.posteriors import GaussianPosterior
from poems.nn.loadings_prior import penalty_rates, update_priors
from poems.nn.model import POEMS, Encoded
from poems.nn.objective import Terms, elbo_terms, prior_divisor
from poems.scaling.batch import Batch
from poems.settings.schema import Settings


def make(**changes: object) -> tuple[POEMS, Settings]:
    torch.manual_seed(1)
    settings = Settings().updated(n_latent=3, encoder_layers=(8,), encoder_dropout=0.0, **changes)
    model = POEMS({"a": torch.ones(6), "b": torch.full((4,), 2.0)}, settings)
    if decoders := [decoder for _, decoder in model.sparse_decoders()]:
        noise = torch.cat([model.likelihood(i).scale.detach() for i in range(2)])
        update_priors(decoders, 1.0, noise, torch.full_like(noise, 9))
    return model, settings


def terms_of(
    model: POEMS, settings: Settings, batch: Batch, n_samples: int = 10, kl_weight: float = 1.0
) -> Terms:
    torch.manual_seed(2)
    return elbo_terms(model, batch, settings, n_samples=n_samples, kl_weight=kl_weight)


def fix_posterior(model: POEMS, z: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every sample have the latents ``z``, without noise and with equal gates."""

    def encode(batch: Batch, gate_share: float) -> Encoded:
        posterior = GaussianPosterior(z, torch.full_like(z, 60.0))
        return Encoded(posterior, batch.measured / batch.measured.sum(dim=1, keepdim=True))

    monkeypatch.setattr(model, "encode", encode)


def test_the_terms_are_those_of_the_formula(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model, settings = make()
    z = torch.randn(10, 3)
    fix_posterior(model, z, monkeypatch)
    terms = terms_of(model, settings, batch, n_samples=50, kl_weight=0.3)
    kl = GaussianPosterior(z, torch.full_like(z, 60.0)).kl_standard_normal().mean()
    torch.testing.assert_close(terms.kl, kl)
    priors = torch.zeros(())
    for i, name in enumerate(model.views):
        likelihood, eta = model.likelihood(i), model.decode(z)[name]
        density = torch.distributions.Normal(eta, likelihood.scale).log_prob(batch.values[name])
        there = batch.measured[:, i, None].expand_as(density)
        if (mask := batch.observed[name]) is not None:
            there = there & mask
        torch.testing.assert_close(terms.nll[name], -density[there].sum() / 10)
        # Three degrees of freedom and half of the feature's variance as the scale.
        shape = 1.5 * 0.5 * likelihood.feature_variance / likelihood.scale**2
        priors = priors + (5.0 * likelihood.log_scale + shape).sum() / 50
    torch.testing.assert_close(terms.noise_prior, priors)
    penalty = sum(
        (penalty_rates([d]) * d.loadings.abs()).sum() / 50 for _, d in model.sparse_decoders()
    )
    torch.testing.assert_close(terms.penalty, penalty)
    smooth = sum(terms.nll.values()) + 0.3 * kl + priors
    torch.testing.assert_close(terms.objective, smooth + penalty)
    torch.testing.assert_close(terms.loss, smooth)


def test_without_a_proximal_step_the_penalty_is_differentiated(batch: Batch) -> None:
    model, settings = make(proximal=False)
    terms = terms_of(model, settings, batch)
    assert terms.loss is terms.objective
    _, decoder = model.sparse_decoders()[0]
    (grad,) = torch.autograd.grad(terms.penalty, decoder.loadings)
    # The rates are held fixed: their own dependence on the loadings is not followed.
    torch.testing.assert_close(grad, penalty_rates([decoder]) * decoder.loadings.sign() / 10)


def test_a_proximal_step_leaves_the_penalty_out_of_the_gradient(batch: Batch) -> None:
    model, settings = make()
    results = []
    for rate in (1.0, 500.0):
        for _, decoder in model.sparse_decoders():
            decoder.lambda_spike.fill_(rate)
        terms = terms_of(model, settings, batch)
        model.zero_grad()
        terms.loss.backward()  # type: ignore[no-untyped-call]
        results.append((terms, model.decoder(0).loadings.grad.clone()))
    assert results[1][0].penalty > results[0][0].penalty
    assert torch.equal(results[0][0].loss, results[1][0].loss)
    assert torch.equal(results[0][1], results[1][1])


def test_twice_the_data_halve_the_priors_alone(batch: Batch) -> None:
    # Two draws of the same noise: every sample and its twin have the same latents.
    model, settings = make()
    double = batch.take(torch.arange(10).repeat(2))
    encode = model.encode

    def noiseless(data: Batch, gate_share: float) -> Encoded:
        encoded = encode(data, gate_share)
        loc = encoded.posterior.mean
        return Encoded(GaussianPosterior(loc, torch.full_like(loc, 60.0)), encoded.gates)

    model.encode = noiseless  # type: ignore[method-assign]
    once = terms_of(model, settings, batch, n_samples=10)
    twice = terms_of(model, settings, double, n_samples=20)
    torch.testing.assert_close(twice.kl, once.kl)
    for name in model.views:
        torch.testing.assert_close(twice.nll[name], once.nll[name])
    torch.testing.assert_close(twice.penalty, once.penalty / 2)
    torch.testing.assert_close(twice.noise_prior, once.noise_prior / 2)


def test_means_are_sums_over_their_sizes(batch: Batch) -> None:
    model, settings = make()
    sums = terms_of(model, settings, batch, n_samples=50)
    means = terms_of(model, settings.updated(reduction="mean"), batch, n_samples=50)
    torch.testing.assert_close(means.nll["a"], sums.nll["a"] / 6)
    torch.testing.assert_close(means.nll["b"], sums.nll["b"] / 4)
    torch.testing.assert_close(means.kl, sums.kl / 3)
    # The published code divides the priors by the batch size, 10, not by the 50 samples.
    torch.testing.assert_close(means.penalty, sums.penalty * 5)
    torch.testing.assert_close(means.noise_prior, sums.noise_prior * 5)
    assert prior_divisor(settings, 10, 50) == 50
    assert prior_divisor(settings.updated(reduction="mean"), 10, 50) == 10


@pytest.mark.parametrize("gate", ["learned", "equal"])
@pytest.mark.parametrize("with_gradients", [True, False])
def test_draws_of_a_mixture_count_by_their_gates(
    gate: str, with_gradients: bool, batch: Batch
) -> None:
    model, settings = make(fusion="moe", gate=gate)
    with torch.set_grad_enabled(with_gradients):
        terms = terms_of(model, settings, batch)
        torch.manual_seed(2)
        z, weights = model.encode(batch).posterior.rsample()
        assert len(z) == 2
        expected = torch.zeros(())
        rows = batch.rows(1)
        assert rows is not None
        for draw, weight in zip(z, weights, strict=True):
            nll = model.likelihood(1).nll(
                batch.values["b"][rows], model.decode(draw)["b"][rows], None
            )
            expected = expected + (weight[rows] * nll).sum() / len(batch)
    torch.testing.assert_close(terms.nll["b"], expected.detach())


@pytest.mark.parametrize("fusion", ["poe", "poe_prior", "moe"])
@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_garbage_in_unmeasured_rows_changes_neither_loss_nor_gradient(
    fusion: str, prior: str, batch: Batch
) -> None:
    results = []
    for garbage in (0.0, torch.nan, torch.inf, 1e30):
        model, settings = make(fusion=fusion, prior=prior)
        values = dict(batch.values)
        values["b"] = values["b"].clone()
        values["b"][:3] = garbage
        terms = terms_of(model, settings, Batch(values, batch.observed, batch.measured))
        terms.loss.backward()  # type: ignore[no-untyped-call]
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        results.append([terms.objective.detach(), *grads])
    for other in results[1:]:
        assert len(other) == len(results[0])
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_the_decoder_is_not_judged_by_missing_entries(batch: Batch) -> None:
    model, settings = make()
    z = torch.randn(10, 3)
    nll = []
    for garbage in (0.0, 1e15):
        # The encoder may see what fills the entry, so the latents are held.
        with pytest.MonkeyPatch.context() as patch:
            fix_posterior(model, z, patch)
            batch.values["a"][4, 2] = garbage
            nll.append(terms_of(model, settings, batch).nll["a"])
    assert torch.equal(*nll)


def test_the_order_of_views_does_not_matter(batch: Batch) -> None:
    model, settings = make(gate="equal")
    swapped, _ = make(gate="equal")
    swapped.views = ("b", "a")
    for parts in (swapped.encoders, swapped.decoders, swapped.likelihoods):
        first, second = parts[0], parts[1]
        parts[0], parts[1] = second, first
    other = Batch(
        {name: batch.values[name] for name in ("b", "a")},
        {name: batch.observed[name] for name in ("b", "a")},
        batch.measured.flip(1),
    )
    one, two = terms_of(model, settings, batch), terms_of(swapped, settings, other)
    torch.testing.assert_close(one.objective, two.objective)
    for name in ("a", "b"):
        torch.testing.assert_close(one.nll[name], two.nll[name])


def test_a_mixture_weighs_the_draw_of_each_expert_by_its_gate(batch: Batch) -> None:
    model, settings = make(fusion="moe")
    terms = terms_of(model, settings, batch)
    torch.manual_seed(2)
    encoded = model.encode(batch)
    z, weights = encoded.posterior.rsample()
    assert torch.equal(weights, encoded.gates.T)
    expected = torch.zeros(())
    for draw, weight in zip(z, weights, strict=True):
        rows = batch.measured[:, 1]
        nll = model.likelihood(1).nll(batch.values["b"][rows], model.decode(draw)["b"][rows], None)
        expected = expected + (weight[rows] * nll).sum() / 10
    torch.testing.assert_close(terms.nll["b"], expected)
    density = encoded.posterior.log_prob(z) - model.prior.log_prob(z)
    torch.testing.assert_close(terms.kl, (weights * density).sum(dim=0).mean())


def test_a_view_that_the_batch_lacks_has_no_likelihood(batch: Batch) -> None:
    model, settings = make()
    terms = terms_of(model, settings, batch.take(torch.tensor([0, 1, 2])))
    assert terms.nll["b"].item() == 0.0
    assert torch.isfinite(terms.objective)
