from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from poems.nn.decode import NONE, Turns
from poems.training.proximal import ProximalAdam

f64 = torch.float64


@pytest.fixture(autouse=True, params=["compiled", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every property holds of the step for processors and of that for all other devices."""
    if request.param == "plain":
        monkeypatch.setattr("poems.training.proximal.compiled_for", lambda device: False)


def stepped(n_steps: int = 5) -> tuple[Tensor, ProximalAdam]:
    """Loadings after some steps without a penalty."""
    loadings = torch.randn(6, 3, dtype=f64)
    optimizer = ProximalAdam(loadings)
    for _ in range(n_steps):
        optimizer.step(torch.randn_like(loadings), torch.zeros_like(loadings), learning_rate=0.05)
    return loadings, optimizer


def test_without_a_penalty_it_is_adam() -> None:
    start = torch.randn(4, 3, dtype=f64)
    gradients = torch.randn(7, 4, 3, dtype=f64)
    parameter = torch.nn.Parameter(start.clone())
    adam = torch.optim.Adam([parameter], lr=0.05)
    loadings = start.clone()
    optimizer = ProximalAdam(loadings)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        adam.step()
        optimizer.step(gradient, torch.zeros_like(start), learning_rate=0.05)
    torch.testing.assert_close(loadings, parameter.detach())


def test_the_step_minimises_the_penalised_problem_in_adams_metric() -> None:
    loadings, optimizer = stepped()
    moments = [x.clone() for x in (optimizer._second, optimizer._weight2)]
    gradient, rate = torch.randn_like(loadings), 5.0 * torch.rand_like(loadings)
    # Where Adam alone would go, and the metric of that step.
    free, twin = loadings.clone(), ProximalAdam(loadings.clone())
    for name in ("_first", "_second", "_weight1", "_weight2"):
        getattr(twin, name).copy_(getattr(optimizer, name))
    twin._loadings = free
    twin.step(gradient, torch.zeros_like(rate), learning_rate=0.05)
    second = (0.999 * moments[0] + 0.001 * gradient.square()) / (0.999 * moments[1] + 0.001)
    metric = (second.sqrt() + 1e-8) / 0.05
    optimizer.step(gradient, rate, learning_rate=0.05)
    for w, v, r, m in zip(
        *(x.flatten().tolist() for x in (loadings, free, rate, metric)), strict=True
    ):

        def cost(x: float, v: float = v, r: float = r, m: float = m) -> float:
            return 0.5 * m * (x - v) ** 2 + r * abs(x)

        best = minimize_scalar(cost, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        assert cost(w) <= best.fun + 1e-9
        assert abs(w - best.x) < 1e-4


def test_small_entries_become_exact_zeros_and_signs_are_kept() -> None:
    loadings, optimizer = stepped()
    before = loadings.clone()
    for _ in range(3):
        optimizer.step(
            torch.zeros_like(loadings), torch.full_like(loadings, 1.0), learning_rate=0.05
        )
    assert 0 < (loadings == 0).sum() < loadings.numel()
    large = before.abs() > 1.0
    assert (loadings * before >= 0)[large].all()
    assert (loadings.abs() <= before.abs() + 0.3).all()


def test_zero_loadings_move_in_their_turn_alone() -> None:
    loadings = torch.zeros(4, 2, dtype=f64)
    loadings[1] = 1.0
    optimizer = ProximalAdam(loadings)
    gradient, rate = -torch.ones_like(loadings), torch.zeros_like(loadings)
    optimizer.step(gradient, rate, learning_rate=0.1, turns=NONE)
    assert (loadings[[0, 2, 3]] == 0).all()
    assert (loadings[1] > 1.0).all()
    optimizer.step(gradient, rate, learning_rate=0.1, turns=Turns(2, 0))
    assert (loadings[[0, 2]] > 0).all()
    assert (loadings[3] == 0).all()


def test_what_a_zero_loading_missed_does_not_count() -> None:
    # Visited now and then, it has the moments of its own gradients: the same steps as if
    # there had been nothing between.
    seldom, often = torch.zeros(2, 1, dtype=f64), torch.zeros(2, 1, dtype=f64)
    rate = torch.full((2, 1), 0.9, dtype=f64)
    first, second = ProximalAdam(seldom), ProximalAdam(often)
    gradient = -torch.ones(2, 1, dtype=f64)
    for _ in range(6):
        first.step(gradient, rate, learning_rate=0.1, turns=NONE)
        first.step(gradient, rate, learning_rate=0.1)
        second.step(gradient, rate, learning_rate=0.1)
    assert (often > 0).all()
    # Once off zero they take part in every step, so the first visit is what can be compared.
    one, other = torch.zeros(1, 1, dtype=f64), torch.zeros(1, 1, dtype=f64)
    first, second = ProximalAdam(one), ProximalAdam(other)
    for _ in range(5):
        first.step(gradient[:1], rate[:1], learning_rate=0.1, turns=NONE)
    first.step(gradient[:1], rate[:1], learning_rate=0.1)
    second.step(gradient[:1], rate[:1], learning_rate=0.1)
    assert torch.equal(one, other)
    assert one > 0


def test_a_zero_comes_back_when_its_gradient_outweighs_the_penalty() -> None:
    loadings = torch.zeros(2, 1, dtype=f64)
    optimizer = ProximalAdam(loadings)
    gradient = torch.tensor([[-2.0], [-0.5]], dtype=f64)
    for step in range(40):
        optimizer.step(
            gradient, torch.ones(2, 1, dtype=f64), learning_rate=0.01, turns=Turns(4, step % 4)
        )
    assert loadings[0] > 0
    assert loadings[1] == 0


def test_features_that_no_sample_has_stay_as_they_are() -> None:
    loadings, optimizer = stepped()
    before = loadings.clone()
    present = torch.tensor([True, False, True, True, False, True])
    optimizer.step(
        torch.ones_like(loadings),
        torch.full_like(loadings, 9.0),
        learning_rate=0.1,
        present=present,
    )
    assert torch.equal(loadings[~present], before[~present])
    assert not torch.equal(loadings[present], before[present])
