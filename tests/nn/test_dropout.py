from __future__ import annotations

import pytest
import torch

from poems.nn.dropout import Dropout, rectified


@pytest.mark.parametrize("shape", [(7,), (3, 5, 11)])
def test_the_compiled_pass_gives_what_the_two_operations_give(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for compiled in (True, False):
        monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda found=compiled: found)
        torch.manual_seed(1)
        x = torch.randn(shape, requires_grad=True)
        gradient = torch.randn(shape)
        kept = rectified(x * 1.0, Dropout(0.3))
        kept.backward(gradient)
        assert x.grad is not None
        results.append((kept.detach(), x.grad))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two)


def test_units_are_dropped_as_often_as_is_asked_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    kept = rectified(torch.ones(1_000_000), Dropout(0.2))
    assert (kept == 0).float().mean().item() == pytest.approx(0.2, abs=0.002)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.003)
    # Neighbours, which come from the same draw of 64 bits, are independent.
    pairs = (kept.view(-1, 2) == 0).all(dim=1).float().mean().item()
    assert pairs == pytest.approx(0.04, abs=0.002)


def test_what_is_not_a_number_stays_so() -> None:
    x = torch.full((1000,), torch.nan)
    assert torch.isnan(rectified(x, Dropout(0.2))).all()


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(rectified(x.clone(), Dropout(0.9).eval()), torch.tensor([0.0, 2.0]))
