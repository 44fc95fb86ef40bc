"""Derivatives by hand are those of the formula, whatever is missing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poems.nn.likelihoods import LIKELIHOODS, Likelihood
from poems.nn.likelihoods.terms import likelihood_terms

pytest.importorskip("numba")

BY_HAND = ("negative_binomial", "zinb", "ordinal", "beta")
SIZES = (3, 4)


def drawn(name: str, seed: int, dtype: torch.dtype) -> tuple[list[Likelihood], torch.Tensor]:
    """Likelihoods of two views whose parameters are anywhere, and values of them."""
    generator = torch.Generator().manual_seed(seed)
    made = [LIKELIHOODS[name](torch.ones(n)).to(dtype) for n in SIZES]
    with torch.no_grad():
        for likelihood in made:
            for parameter in likelihood.parameters():
                parameter.add_(2.0 * torch.randn(parameter.shape, generator=generator))
    eta = 2.0 * torch.randn(30, sum(SIZES), generator=generator, dtype=dtype)
    parts = zip(made, torch.split(eta, SIZES, dim=1), strict=True)
    with torch.no_grad():
        x = torch.cat([each.sample(part.float(), generator) for each, part in parts], dim=1)
    return made, x.to(dtype)


def graph_of(value: torch.Tensor) -> list[str]:
    """Names of the steps that a value was made by."""
    names, waiting = [], [value.grad_fn]
    while waiting:
        step = waiting.pop()
        if step is not None:
            names.append(step.name())
            waiting += [before for before, _ in step.next_functions]
    return names


@pytest.mark.parametrize("name", BY_HAND)
@given(seed=st.integers(0, 10**6), gaps=st.booleans(), reach=st.sampled_from([1.0, 40.0]))
@settings(max_examples=15, deadline=None)
def test_terms_by_hand_are_those_of_autograd(
    name: str, seed: int, gaps: bool, reach: float
) -> None:
    likelihoods, x = drawn(name, seed, torch.float64)
    generator = torch.Generator().manual_seed(seed)
    eta = reach * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    measured, observed = torch.ones(len(x), 2, dtype=torch.bool), None
    if gaps:
        measured = torch.rand(len(x), 2, generator=generator) < 0.7
        observed = torch.rand(x.shape, generator=generator) < 0.8
        x = x.where(observed, torch.nan)
    upstream = torch.randn(x.shape[1], generator=generator, dtype=x.dtype)
    found = []
    # With weights it is autograd's turn.
    for weight in (None, torch.ones(len(x), dtype=x.dtype)):
        at = eta.clone().requires_grad_()
        parameters = [p for each in likelihoods for p in each.parameters()]
        nll, prior = Likelihood.joint_terms(likelihoods, x, at, measured, observed, weight)
        assert ("_Terms" in str(graph_of(nll))) == (weight is None)
        total = (nll * upstream).sum() + prior.sum()
        found.append((nll, prior, *torch.autograd.grad(total, [at, *parameters])))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", BY_HAND)
def test_draws_of_several_weights_go_by_autograd(name: str) -> None:
    likelihoods, x = drawn(name, 0, torch.float32)
    measured = torch.ones(len(x), 2, dtype=torch.bool)
    eta, weight = torch.zeros_like(x), torch.full((len(x),), 0.5)
    whole, prior = likelihood_terms(likelihoods, x, eta, measured, None)
    half, same = likelihood_terms(likelihoods, x, eta, measured, None, weight)
    torch.testing.assert_close(half, 0.5 * whole)
    torch.testing.assert_close(same, prior)


@pytest.mark.parametrize("value", [3.0, -1.0, float("nan")])
def test_a_value_that_is_no_level_is_refused(value: float) -> None:
    likelihoods = [LIKELIHOODS["ordinal"](torch.ones(2))]
    x, measured = torch.full((4, 2), value), torch.ones(4, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match="levels from 0 to 2"):
        likelihood_terms(likelihoods, x, torch.zeros(4, 2), measured, None)


@pytest.mark.parametrize("value", [0.0, 5.0, 63.0, 64.0, 70.5, 4000.0, 1e6])
@pytest.mark.parametrize("log_dispersion", [-18.0, -3.0, 3.0])
def test_counts_of_any_size_keep_their_digits(value: float, log_dispersion: float) -> None:
    likelihood = LIKELIHOODS["negative_binomial"](torch.ones(1)).double()
    x, measured = torch.full((1, 1), value).double(), torch.ones(1, 1, dtype=torch.bool)
    with torch.no_grad():
        likelihood.log_dispersion.fill_(log_dispersion)
    nll, _ = type(likelihood).joint_terms([likelihood], x, torch.log(x + 1.0), measured, None)
    expected = -likelihood.log_prob(x, torch.log(x + 1.0))[0]
    torch.testing.assert_close(nll, expected, rtol=1e-8, atol=1e-8)
