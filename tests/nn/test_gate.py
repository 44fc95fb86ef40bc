from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poems.nn.gate import masked_softmax, partly_equal
from poems.settings.parts import GATES


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=6))
def test_masked_softmax_is_a_softmax_over_what_is_measured(row: list[tuple[float, bool]]) -> None:
    logits = torch.tensor([[value for value, _ in row]], dtype=torch.float64)
    measured = torch.tensor([[flag for _, flag in row]])
    if not measured.any():
        return
    weights = masked_softmax(logits, measured)
    assert (weights[~measured] == 0).all()
    torch.testing.assert_close(weights[measured], torch.softmax(logits[measured], dim=0))


@pytest.mark.parametrize("name", GATES)
def test_weights_sum_to_one_and_vanish_where_unmeasured(name: str) -> None:
    measured = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 1]], dtype=torch.bool)
    loc = torch.randn(3, 3, 4) * measured.T[..., None]
    weights = GATES[name](3, 4, 8)(loc, measured)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert (weights[~measured] == 0).all()
    assert (weights[measured] > 0).all()
    assert weights[2, 2] == 1


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_mixture_with_equal_weights_is_of_what_was_measured(share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    measured = torch.rand(20, 4, generator=generator) < 0.6
    measured[:, 0] = True
    gate = masked_softmax(5.0 * torch.randn(20, 4, generator=generator), measured)
    weights = partly_equal(gate, measured, share)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(20))
    assert (weights[~measured] == 0).all()
    least = (1.0 - share) / measured.sum(dim=1, keepdim=True).expand(20, 4)
    assert (weights >= least - 1e-6)[measured].all()
    assert torch.equal(partly_equal(gate, measured, 1.0), gate)


def test_equal_weights_are_equal() -> None:
    measured = torch.tensor([[1, 1, 1], [1, 0, 1]], dtype=torch.bool)
    weights = GATES["equal"](3, 4, 8)(torch.randn(3, 2, 4), measured)
    torch.testing.assert_close(weights, torch.tensor([[1 / 3] * 3, [0.5, 0.0, 0.5]]))


@pytest.mark.parametrize("name", ["learned", "linear"])
def test_network_gates_read_the_locations_up_to_their_scale(name: str) -> None:
    gate, measured = GATES[name](2, 4, 8), torch.ones(5, 2, dtype=torch.bool)
    loc = torch.randn(2, 5, 4)
    weights = gate(loc, measured)
    assert weights.std(dim=0).min() > 1e-4
    torch.testing.assert_close(gate(1000.0 * loc, measured), weights, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["learned", "linear"])
def test_network_gates_are_told_what_was_measured(name: str) -> None:
    gate = GATES[name](3, 4, 8)
    loc = torch.randn(3, 1, 4)
    loc[2] = 0.0
    both = gate(loc, torch.tensor([[True, True, False]]))
    all_three = gate(loc, torch.ones(1, 3, dtype=torch.bool))
    # The ratio of the first two would stay the same if the mask acted in the softmax alone.
    assert not torch.allclose(both[0, 0] / both[0, 1], all_three[0, 0] / all_three[0, 1])
