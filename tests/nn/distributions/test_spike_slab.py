from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta as beta_distribution
from torch import Tensor

from poems.nn.distributions.spike_slab import (
    inclusion_log_odds,
    penalty_rate,
    soft_threshold,
    theta_logit_update,
    universal_spike_rate,
)

rates = st.floats(0.1, 30.0)
probabilities = st.floats(0.001, 0.999)
weights = st.floats(-5.0, 5.0)


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def laplace(w: float, rate: float) -> float:
    return 0.5 * rate * math.exp(-rate * abs(w))


@given(weights, probabilities, rates, rates)
def test_inclusion_is_the_posterior_of_the_two_laplace_densities(
    w: float, theta: float, spike: float, slab: float
) -> None:
    odds = inclusion_log_odds(
        tensor(w)[:, None], tensor(math.log(theta / (1 - theta))), tensor(spike), slab
    )
    naive = theta * laplace(w, slab)
    naive /= naive + (1 - theta) * laplace(w, spike)
    assert torch.sigmoid(odds).item() == pytest.approx(naive, rel=1e-9)


def test_without_the_density_ratio_a_loading_of_zero_has_the_odds_of_theta() -> None:
    args = (torch.zeros(2, 1), torch.tensor([0.3]), torch.tensor([50.0, 5.0]), 1.0)
    torch.testing.assert_close(
        inclusion_log_odds(*args, density_ratio=False), torch.full((2, 1), 0.3)
    )
    ratio = torch.log(torch.tensor([[1 / 50], [1 / 5]]))
    torch.testing.assert_close(inclusion_log_odds(*args), 0.3 + ratio)


@given(weights, weights, st.floats(1.0, 1000.0))
def test_inclusion_rises_with_the_size_of_the_loading(w1: float, w2: float, spike: float) -> None:
    odds = inclusion_log_odds(tensor(w1, w2)[:, None], tensor(0.0), tensor(spike, spike), 1.0)
    small, large = (odds[0], odds[1]) if abs(w1) <= abs(w2) else (odds[1], odds[0])
    assert small <= large


@given(st.floats(0.0, 1.0), rates, rates)
def test_the_penalty_rate_lies_between_slab_and_spike(p: float, spike: float, slab: float) -> None:
    rate = penalty_rate(tensor(p)[:, None], tensor(spike), slab).item()
    assert min(spike, slab) * (1 - 1e-12) <= rate <= max(spike, slab) * (1 + 1e-12)
    assert rate == pytest.approx(slab * p + spike * (1 - p))


@pytest.mark.parametrize("spike", [1.0, 1e3, 1e9, 1e30])
def test_extreme_spikes_stay_finite_and_spare_what_is_in(spike: float) -> None:
    loadings = torch.tensor([[0.0], [1e-12], [1.0], [50.0]])
    lambda_spike = torch.full((4,), spike)
    inclusion = torch.sigmoid(inclusion_log_odds(loadings, torch.zeros(1), lambda_spike, 1.0))
    rate = penalty_rate(inclusion, lambda_spike, 1.0)
    assert torch.isfinite(rate).all()
    # A loading that is surely in pays the slab's rate; subtracting two spikes would lose it.
    if spike > 1:
        assert rate[3].item() == 1.0
    assert torch.isfinite(theta_logit_update(inclusion, 1.0, 4.0)).all()


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(1.0, 5.0), st.floats(1.0, 50.0)
)
def test_theta_is_the_mode_of_its_posterior(p: list[float], a: float, b: float) -> None:
    theta = torch.sigmoid(theta_logit_update(tensor(*p)[:, None], a, b)).item()
    total = a + b + len(p) - 2
    mode = (sum(p) + a - 1) / total
    # The half pseudo-count on either side moves it by less than this.
    assert theta == pytest.approx((mode * total + 0.5) / (total + 1))
    assert 0 < theta < 1


def test_theta_maximises_the_expected_posterior() -> None:
    p, a, b = torch.rand(500, 1, dtype=torch.float64), 1.0, 500.0
    theta = torch.sigmoid(theta_logit_update(p, a, b)).item()
    grid = np.linspace(0.001, 0.999, 999)
    posterior = beta_distribution(a + p.sum().item(), b + 500 - p.sum().item())
    assert abs(theta - grid[np.argmax(posterior.logpdf(grid))]) < 2e-3


@pytest.mark.parametrize("a", [0.1, 1.0])
@pytest.mark.parametrize("b", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("inclusion", [0.0, 1.0])
def test_theta_is_finite_where_the_mode_lies_at_an_end(
    a: float, b: float, inclusion: float
) -> None:
    theta = theta_logit_update(torch.full((3, 2), inclusion), a, b)
    assert torch.isfinite(theta).all()
    assert torch.equal(theta > 0, torch.full((2,), inclusion == 1.0))


def test_the_universal_rate_follows_its_formula() -> None:
    rate = universal_spike_rate(tensor(100.0, 25.0), tensor(0.5, 2.0), tensor(800.0, 800.0), 1.5)
    expected = [1.5 * math.sqrt(2 * n * math.log(800)) / s for n, s in ((100, 0.5), (25, 2.0))]
    torch.testing.assert_close(rate, tensor(*expected))
    assert (universal_spike_rate(tensor(9.0), tensor(1.0), tensor(1.0), 1.5) > 0).all()


@given(weights, st.floats(0.0, 3.0))
def test_soft_threshold_solves_its_least_squares_problem(v: float, t: float) -> None:
    solution = soft_threshold(tensor(v), tensor(t)).item()

    def cost(x: float) -> float:
        return 0.5 * (x - v) ** 2 + t * abs(x)

    for other in (solution - 1e-3, solution + 1e-3, 0.0, v):
        assert cost(solution) <= cost(other) + 1e-12
    if abs(v) <= t:
        assert solution == 0.0
