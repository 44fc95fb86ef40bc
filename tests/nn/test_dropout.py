from __future__ import annotations

import pytest
import torch

from poems.nn.dropout import Dropout


@pytest.mark.parametrize("shape", [(7,), (3, 5, 11)])
def test_what_is_kept_and_its_derivative_are_scaled_and_the_rest_is_zero(
    shape: tuple[int, ...],
) -> None:
    torch.manual_seed(1)
    x = torch.randn(shape, requires_grad=True)
    gradient = torch.randn(shape)
    dropout = Dropout(0.3)
    kept = dropout(x)
    kept.backward(gradient)
    assert x.grad is not None
    assert dropout.scale == pytest.approx(1 / 0.7, rel=1e-4)
    there = kept.detach() != 0
    torch.testing.assert_close(kept.detach(), torch.where(there, x.detach() * dropout.scale, 0.0))
    torch.testing.assert_close(x.grad, torch.where(there, gradient * dropout.scale, 0.0))


def test_units_are_dropped_as_often_as_is_asked_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    kept = Dropout(0.2)(torch.ones(1_000_000))
    assert (kept == 0).float().mean().item() == pytest.approx(0.2, abs=0.002)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.003)
    # Neighbours, which come from the same draw of 64 bits, are independent.
    pairs = (kept.view(-1, 2) == 0).all(dim=1).float().mean().item()
    assert pairs == pytest.approx(0.04, abs=0.002)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_all_shares_are_drawn_for(share: float) -> None:
    torch.manual_seed(0)
    dropped = (Dropout(share)(torch.ones(1_000_000)) == 0).float().mean().item()
    assert dropped == pytest.approx(share, abs=4 * (share * (1 - share) / 1e6) ** 0.5)


def test_what_is_not_a_number_stays_so() -> None:
    x = torch.full((1000,), torch.nan)
    assert torch.isnan(Dropout(0.2)(x)).all()


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(Dropout(0.9).eval()(x), x)
