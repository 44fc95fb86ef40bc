"""How much features count: in the objective, in inference and in the background."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from toy_parts import Laplace

from poems.nn.background import Background
from poems.nn.background_scores import conditional_scores
from poems.nn.inference import infer
from poems.nn.likelihoods import GaussianLikelihood, Likelihood, likelihood_terms
from poems.nn.model import POEMS
from poems.nn.objective import Terms, elbo_terms
from poems.scaling.batch import Batch
from poems.settings.parts import LIKELIHOODS
from poems.settings.schema import Settings
from poems.training.background import fit_background

f64 = torch.float64
KINDS = {**{name: LIKELIHOODS.find(name) for name in LIKELIHOODS}, "from outside": Laplace}


def a_model(n_features: int = 6, **changes: object) -> tuple[POEMS, Settings]:
    torch.manual_seed(1)
    settings = Settings().updated(n_latent=3, encoder_layers=(8,), encoder_dropout=0.0, **changes)
    return POEMS({"a": torch.ones(n_features), "b": torch.full((4,), 2.0)}, settings), settings


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_likelihoods_terms_are_those_of_its_features_times_their_weights(
    kind: str, weighted: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In value and in every derivative, of views of this kind alone and beside another's."""
    monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda: compiled)
    made = [KINDS[kind], KINDS[kind], GaussianLikelihood, Laplace]
    sizes, counts = [3, 2, 2, 2], torch.rand(9, dtype=f64) + 0.1
    likelihoods: list[Likelihood] = [
        each(torch.rand(size, dtype=f64) + 0.5) for each, size in zip(made, sizes, strict=True)
    ]
    eta = torch.randn(6, 9, dtype=f64)
    parts = zip(likelihoods, torch.split(eta, sizes, dim=1), strict=True)
    draw = torch.Generator().manual_seed(0)
    x = torch.cat([each.sample(own, draw).detach() for each, own in parts], dim=1)
    eta.requires_grad_()
    measured, observed = torch.rand(6, 4) > 0.3, torch.rand(6, 9) > 0.2
    weight = torch.rand(6, dtype=f64) if weighted else None
    per_view, prior = likelihood_terms(
        likelihoods, x, eta, measured, observed, weight, feature_weights=counts
    )
    parameters = [p for each in likelihoods for p in each.parameters()]
    found = torch.autograd.grad(per_view.sum() + prior, [eta, *parameters])
    there = observed & measured.repeat_interleave(torch.tensor(sizes), dim=1)
    expected, total = [], torch.zeros((), dtype=f64)
    edges = torch.tensor([0, *sizes]).cumsum(0).tolist()
    for likelihood, (first, last) in zip(likelihoods, pairwise(edges), strict=True):
        some = slice(first, last)
        entries = -likelihood.log_prob(x[:, some], eta[:, some]).where(there[:, some], 0.0)
        of_samples = entries @ counts[some]
        expected.append(of_samples.sum() if weight is None else of_samples @ weight)
        total = total + expected[-1] - likelihood.log_prior().to(f64) @ counts[some]
    torch.testing.assert_close(per_view, torch.stack(expected))
    for one, two in zip(found, torch.autograd.grad(total, [eta, *parameters]), strict=True):
        torch.testing.assert_close(one, two)


def terms_of(model: POEMS, settings: Settings, batch: Batch) -> Terms:
    torch.manual_seed(2)
    return elbo_terms(model, batch, settings, n_samples=10, kl_weight=1.0)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_weight_scales_all_that_is_a_features_own_and_nothing_else_of_it(
    reduction: str, batch: Batch
) -> None:
    """So its loadings, threshold and noise stay what they were: all of it grows alike."""
    model, settings = a_model(reduction=reduction)
    counts = torch.rand(10) + 0.1
    results = []
    for weights in (torch.ones(10), counts):
        model.feature_weights.copy_(weights)
        model.zero_grad()
        terms = terms_of(model, settings, batch)
        terms.loss.backward()  # type: ignore[no-untyped-call]
        decoders = [decoder for _, decoder in model.sparse_decoders()]
        noise = [model.likelihood(i).log_scale for i in range(2)]
        own = [[d.loadings for d in decoders], [d.bias for d in decoders], noise]
        results.append([terms.rates, *(torch.cat([p.grad for p in group]) for group in own)])
    for before, after in zip(*results, strict=True):
        expected = before * counts.view(-1, *[1] * (before.dim() - 1))
        torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_one_are_no_weights(batch: Batch) -> None:
    model, settings = a_model()
    assert torch.equal(model.feature_weights, torch.ones(10))
    terms = terms_of(model, settings, batch)
    likelihoods = [model.likelihood(i) for i in range(2)]
    torch.manual_seed(2)
    (z,), _ = model.encode(batch).posterior.rsample()
    per_view, _ = likelihood_terms(
        likelihoods,
        batch.joined(),
        model.decode_jointly(z),
        batch.measured,
        batch.observed_jointly(),
    )
    assert torch.equal(torch.stack(list(terms.nll.values())), (per_view / 10).detach())


def twice(x: Tensor, dim: int = 0) -> Tensor:
    """With the first of the features a second time, after those of its view."""
    a, b = torch.split(x, [6, 4], dim=dim)
    return torch.cat([a, a.narrow(dim, 0, 1), b], dim=dim)


def copied(model: POEMS) -> POEMS:
    """A model of seven features in the first view, the last of which is the first again."""
    other, _ = a_model(7, normalise=False)
    state = model.state_dict()
    for name, value in state.items():
        if name.startswith(("decoders.0.", "likelihoods.0.")) and value.shape[:1] == (6,):
            state[name] = torch.cat([value, value[:1]])
        elif name.startswith("encoders.0.") and value.shape[1:] == (6,):
            state[name] = torch.cat([value, 0.0 * value[:, :1]], dim=1)
        elif name.removeprefix("background.") in ("loadings", "weak", "offset", "precision"):
            state[name] = twice(value)
        elif name == "feature_weights":
            state[name] = torch.ones(11)
    other.background = Background([7, 4], model.background.n_background, model.n_latent)
    other.load_state_dict(state)
    return other.eval()


@torch.no_grad()
@pytest.mark.parametrize("n_background", [0, 2])
def test_a_feature_of_weight_two_says_what_two_copies_say(batch: Batch, n_background: int) -> None:
    model, _ = a_model(normalise=False)
    background = Background([6, 4], n_background, model.n_latent)
    background.loadings.normal_()
    background.weak.normal_()
    background.precision.uniform_(0.5, 2.0)
    model.background = background
    for _, decoder in model.sparse_decoders():
        # Linear, as relu(t) - relu(-t) = t: a step of scoring then ends at the one mode there is.
        half = decoder.mixing.shape[0] // 2
        decoder.mixing[half:] = -decoder.mixing[:half]
        decoder.heads[:, half:] = -decoder.heads[:, :half]
        decoder.loadings.normal_()
    model.feature_weights[0] = 2.0
    observed = batch.observed["a"]
    assert observed is not None
    values = {**batch.values, "a": torch.cat([batch.values["a"], batch.values["a"][:, :1]], dim=1)}
    masks = {**batch.observed, "a": torch.cat([observed, observed[:, :1]], dim=1)}
    both = replace(batch, values=values, observed=masks)
    start = torch.randn(10, 3)
    one = infer(model.eval(), batch, start, moments=True)
    two = infer(copied(model), both, start, moments=True)
    assert one.moments is not None
    assert two.moments is not None
    torch.testing.assert_close(one.moments.scatter, two.moments.scatter, rtol=1e-3, atol=1e-4)
    for name in ("loc", "variance", "background", "shares"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name), rtol=1e-3, atol=1e-4)
    if n_background:
        residuals = torch.randn(10, 10).masked_fill(~batch.entries(), 0.0)
        found = conditional_scores(background, batch, residuals, start, model.feature_weights)
        expected = conditional_scores(
            copied(model).background, both, twice(residuals, dim=1), start, torch.ones(11)
        )
        for mine, other in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, other)


def residual_cohort(copies: int) -> tuple[Batch, Tensor]:
    """Two views with a dense factor each; one factor's view has its features several times."""
    generator = torch.Generator().manual_seed(4)
    b = torch.randn(300, 2, generator=generator)
    values = {
        name: b[:, [k]] * 0.7 + 0.7 * torch.randn(300, 20, generator=generator)
        for k, name in enumerate("ab")
    }
    values["b"] = values["b"].repeat(1, copies)
    measured = torch.ones(300, 2, dtype=torch.bool)
    return Batch(values, dict.fromkeys(values), measured), b


def test_the_background_of_copies_is_that_of_the_features_themselves() -> None:
    """Loadings, noise and scores: copies say once what they say, and lose nothing by it."""
    found = []
    for copies in (1, 5):
        batch, _ = residual_cohort(copies)
        settings = Settings().updated(n_latent=2, decoder="dense")
        model = POEMS({k: torch.ones(x.shape[1]) for k, x in batch.values.items()}, settings).eval()
        for parameter in model.decoders.parameters():
            torch.nn.init.zeros_(parameter)
        model.feature_weights[20:] = 1.0 / copies
        inferred = fit_background(model, batch)
        own = model.background
        kept = own.loadings[:40] @ own.loadings[:40].T
        found.append((inferred.background.shape[1], kept, own.precision[:40]))
    (n_one, one, precision), (n_many, many, other) = found
    # A factor next to zero may be left out of one and not of the other: what they add is compared.
    assert min(n_one, n_many) >= 2
    torch.testing.assert_close(many, one, atol=0.02, rtol=0)
    torch.testing.assert_close(other, precision, rtol=0.05, atol=0)
