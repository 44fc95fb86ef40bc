from __future__ import annotations

import torch
from torch import nn

from poems.nn.joint import joint, lay_buffers_jointly, lay_jointly, spread


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(n, 2)) for n in (3, 1, 2)]


def test_parameters_that_lie_together_are_joined_without_a_copy() -> None:
    parts = parameters()
    expected = torch.cat([part.detach().clone() for part in parts])
    copied = joint(parts)
    assert torch.equal(copied, expected)
    values, gradient = torch.cat([part.detach().reshape(-1) for part in parts]), torch.zeros(12)
    lay_jointly(parts, values, gradient)
    assert torch.equal(joint(parts), expected)
    assert joint(parts).data_ptr() == values.data_ptr()
    with torch.no_grad():
        parts[1].fill_(7.0)
    assert torch.equal(joint(parts)[3], torch.full((2,), 7.0))


def test_gradients_reach_the_parameters_either_way() -> None:
    given, found = torch.randn(6, 2), []
    for together in (False, True):
        parts = parameters()
        if together:
            values = torch.cat([part.detach().reshape(-1) for part in parts])
            lay_jointly(parts, values, torch.zeros(12))
        (joint(parts).square() * given).sum().backward()
        found.append([part.grad for part in parts])
    for one, two in zip(*found, strict=True):
        assert one is not None
        assert two is not None
        torch.testing.assert_close(one, two)


def test_other_parameters_are_not_taken_for_those_that_lie_together() -> None:
    parts = parameters()
    values = torch.cat([part.detach().reshape(-1) for part in parts])
    lay_jointly(parts, values, torch.zeros(12))
    assert torch.equal(joint(parts[:2]), values.view(6, 2)[:4])
    assert torch.equal(joint([parts[0], parts[2]]), values.view(6, 2)[[0, 1, 2, 4, 5]])
    assert joint(parts[:1]) is parts[0]


def test_parameters_that_were_moved_elsewhere_are_found_there() -> None:
    parts = parameters()
    values = torch.cat([part.detach().reshape(-1) for part in parts])
    lay_jointly(parts, values, torch.zeros(12))
    for part in parts:
        part.data = part.data + 1.0
    assert torch.equal(joint(parts), values.view(6, 2) + 1.0)


def test_buffers_that_lie_together_are_changed_in_place() -> None:
    for together in (False, True):
        parts = [torch.arange(2.0), torch.arange(3.0)]
        if together:
            lay_buffers_jointly(parts)
        whole = joint(parts)
        assert whole.tolist() == [0.0, 1.0, 0.0, 1.0, 2.0]
        whole += 1.0
        spread(whole, parts)
        assert [part.tolist() for part in parts] == [[1.0, 2.0], [1.0, 2.0, 3.0]]
