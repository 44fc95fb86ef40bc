"""Families at the ends of what a float can hold."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from poems.nn.likelihoods import Likelihood, OwnScaleLikelihood
from poems.settings.parts import LIKELIHOODS

OWN = [name for name in LIKELIHOODS if LIKELIHOODS.find(name).kind != "continuous"]
VALUES = {
    "binary": st.sampled_from([0.0, 1.0]),
    "counts": st.integers(0, 10**7).map(float),
    "fractions": st.floats(1e-6, 1 - 1e-6),
    "levels": st.sampled_from([0.0, 1.0, 2.0]),
    "heavy": st.floats(-1e6, 1e6),
}
ETA = st.floats(-80.0, 80.0) | st.sampled_from([0.0, -1e3, 1e3])


def made(name: str, moved: float) -> Likelihood:
    likelihood = LIKELIHOODS.find(name)(torch.ones(1))
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter += moved
    return likelihood


@pytest.mark.parametrize("name", OWN)
@given(data=st.data(), eta=ETA, moved=st.floats(-6.0, 6.0))
def test_densities_and_their_derivatives_are_finite_in_single_precision(
    name: str, data: st.DataObject, eta: float, moved: float
) -> None:
    likelihood = made(name, moved)
    x = torch.tensor([[data.draw(VALUES[likelihood.kind])]])
    at = torch.tensor([[eta]], requires_grad=True)
    log_prob = likelihood.log_prob(x, at)
    slopes = torch.autograd.grad(log_prob.sum(), [at, *likelihood.parameters()])
    told: list[Tensor] = [
        log_prob,
        *slopes,
        likelihood.score(x, at),
        likelihood.information(at),
        likelihood.variance(at),
        likelihood.deviance(x, at),
    ]
    assert all(bool(part.isfinite().all()) for part in told)
    assert (likelihood.deviance(x, at) >= 0).all()
    assert (likelihood.information(at) >= 0).all()


@pytest.mark.parametrize("name", OWN)
@given(data=st.data())
def test_residuals_about_the_intercept_are_finite_and_zero_at_the_best_prediction(
    name: str, data: st.DataObject
) -> None:
    likelihood = made(name, 0.0)
    assert isinstance(likelihood, OwnScaleLikelihood)
    values = [[data.draw(VALUES[likelihood.kind])] for _ in range(4)]
    x = torch.tensor(values)
    if likelihood.kind == "binary":
        x[:2] = torch.tensor([[0.0], [1.0]])
    if likelihood.kind == "counts":
        x[0] = 1.0
    there = torch.ones(4, 1, dtype=torch.bool)
    eta = likelihood.begin(x, torch.zeros(4), there)
    assert likelihood.residual(x, eta.expand(4, 1)).isfinite().all()
    assert (likelihood.effect_of_residuals() > 0).all()


@given(dispersion=st.floats(-12.0, 5.0), count=st.integers(0, 5000), eta=st.floats(-5.0, 8.0))
def test_single_precision_tells_negative_binomials_as_double_does(
    dispersion: float, count: int, eta: float
) -> None:
    """Also next to a Poisson, where log-gammas of large numbers nearly cancel."""
    found = []
    for dtype in (torch.float32, torch.float64):
        likelihood = LIKELIHOODS.find("negative_binomial")(torch.ones(1, dtype=dtype))
        with torch.no_grad():
            for parameter in likelihood.parameters():
                parameter.fill_(torch.tensor(dispersion, dtype=torch.float32))
        x = torch.tensor([[float(count)]], dtype=dtype)
        at = torch.tensor([[eta]], dtype=torch.float32).to(dtype)
        found.append(likelihood.log_prob(x, at).detach().double())
    torch.testing.assert_close(*found, rtol=1e-4, atol=2e-2)
