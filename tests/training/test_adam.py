from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from poems.nn.decode import Turns
from poems.training.adam import FlatAdamW
from poems.training.proximal import ProximalAdam


@pytest.mark.parametrize("compiled", [True, False])
def test_steps_are_those_of_pytorch(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda: compiled)
    torch.manual_seed(0)
    start, gradients = torch.randn(7), torch.randn(20, 7)
    flat = nn.Parameter(start.clone())
    adam = FlatAdamW(flat, n_decayed=4, weight_decay=0.3)
    parts = [nn.Parameter(start[:4].clone()), nn.Parameter(start[4:].clone())]
    groups = [
        {"params": [part], "weight_decay": decay}
        for part, decay in zip(parts, (0.3, 0.0), strict=True)
    ]
    reference = torch.optim.AdamW(groups)
    for number, gradient in enumerate(gradients):
        rate = 0.1 / (1 + number)
        flat.grad = gradient.clone()
        adam.step(rate)
        parts[0].grad, parts[1].grad = gradient[:4].clone(), gradient[4:].clone()
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
    torch.testing.assert_close(flat.detach(), torch.cat([part.detach() for part in parts]))


@pytest.mark.parametrize("absent", [False, True])
def test_the_compiled_proximal_step_is_the_other_one(
    absent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Tensor] = []
    for compiled in (True, False):
        monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda told=compiled: told)
        torch.manual_seed(0)
        loadings = torch.randn(9, 4) * (torch.rand(9, 4) < 0.5)
        optimizer = ProximalAdam(loadings)
        for number in range(12):
            present = torch.rand(9) < 0.7
            optimizer.step(
                torch.randn(9, 4),
                3.0 * torch.rand(9, 4),
                learning_rate=0.05,
                turns=Turns(4, number % 4),
                present=present if absent else None,
            )
        found.append(loadings)
    assert torch.equal(found[0] == 0, found[1] == 0)
    assert (found[0] == 0).any()
    torch.testing.assert_close(*found)
