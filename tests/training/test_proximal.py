from __future__ import annotations

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from poems.training.proximal import proximal_step


def stepped(n_steps: int = 5) -> tuple[Tensor, torch.optim.AdamW, Tensor]:
    """A parameter after some steps of AdamW, and the second moment computed anew."""
    parameter = torch.nn.Parameter(torch.randn(6, 3, dtype=torch.float64))
    other = torch.nn.Parameter(torch.randn(2))
    optimizer = torch.optim.AdamW(
        [{"params": [other]}, {"params": [parameter], "lr": 0.05}], lr=1.0, weight_decay=0.0
    )
    moment = torch.zeros_like(parameter)
    for _ in range(n_steps):
        parameter.grad, other.grad = torch.randn_like(parameter), torch.randn_like(other)
        moment = 0.999 * moment + 0.001 * parameter.grad.square()
        optimizer.step()
    return parameter, optimizer, moment / (1 - 0.999**n_steps)


def test_the_step_minimises_the_penalised_problem_in_adams_metric() -> None:
    parameter, optimizer, moment = stepped()
    before = parameter.detach().clone()
    rate = 5.0 * torch.rand_like(before)
    proximal_step(parameter, optimizer, rate)
    metric = (moment.sqrt() + 1e-8) / 0.05
    for w, v, r, m in zip(
        *(x.flatten().tolist() for x in (parameter, before, rate, metric)), strict=True
    ):

        def cost(x: float, v: float = v, r: float = r, m: float = m) -> float:
            return 0.5 * m * (x - v) ** 2 + r * abs(x)

        best = minimize_scalar(cost, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        assert cost(w) <= best.fun + 1e-9
        assert abs(w - best.x) < 1e-4


def test_small_entries_become_exact_zeros_and_signs_are_kept() -> None:
    parameter, optimizer, moment = stepped()
    before = parameter.detach().clone()
    proximal_step(parameter, optimizer, torch.full_like(before, 4.0))
    threshold = 0.05 * 4.0 / (moment.sqrt() + 1e-8)
    assert torch.equal(parameter == 0, before.abs() <= threshold)
    assert 0 < (parameter == 0).sum() < before.numel()
    assert (parameter * before >= 0).all()


def test_a_rate_of_zero_changes_nothing() -> None:
    parameter, optimizer, _ = stepped()
    before = parameter.detach().clone()
    proximal_step(parameter, optimizer, torch.zeros_like(before))
    assert torch.equal(parameter, before)


def test_entries_that_never_had_a_gradient_are_zeroed_at_once() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.0)
    parameter.grad = torch.tensor([0.0, 1.0])
    optimizer.step()
    proximal_step(parameter, optimizer, torch.full((2,), 0.5))
    assert parameter[0] == 0
    assert parameter[1] > 0.5


def test_without_a_step_of_adam_nothing_is_shrunk() -> None:
    parameter, optimizer, _ = stepped()
    before = parameter.detach().clone()
    optimizer.zero_grad()
    optimizer.step()
    proximal_step(parameter, optimizer, torch.full_like(before, 9.0))
    assert torch.equal(parameter, before)
    # Nor does it matter that Adam has no moments yet.
    fresh = torch.nn.Parameter(torch.ones(2))
    proximal_step(fresh, torch.optim.AdamW([fresh]), torch.ones(2))
    assert torch.equal(fresh, torch.ones(2))


def test_no_gradient_flows_through_the_step() -> None:
    parameter, optimizer, _ = stepped()
    proximal_step(parameter, optimizer, torch.ones_like(parameter))
    assert parameter.requires_grad
    assert parameter.is_leaf
