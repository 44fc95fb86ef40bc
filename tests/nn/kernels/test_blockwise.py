from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from poems.nn.kernels import blockwise
from poems.nn.kernels.blockwise import blockwise_decode, blockwise_jacobian, hidden_blocks

f64 = torch.float64
Parts = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def parts(n: int = 5, d: int = 7, k: int = 3, h: int = 4, dead: tuple[int, ...] = ()) -> Parts:
    """Inputs of the decoder; the features in ``dead`` have loadings of zero."""
    z, W, A = (torch.randn(*shape, dtype=f64) for shape in ((n, k), (d, k), (h, k)))
    u, b = torch.randn(d, h, dtype=f64), torch.randn(d, dtype=f64)
    W[:, 0] *= torch.rand(d, dtype=f64) > 0.5
    W[list(dead)] = 0.0
    return tuple(value.requires_grad_() for value in (z, W, A, u, b))  # type: ignore[return-value]


class HalfRelu(torch.autograd.Function):
    """relu whose derivative at zero is one half."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype))


def naive(
    z: Tensor,
    W: Tensor,
    A: Tensor,
    u: Tensor,
    b: Tensor,
    mask: Callable[[int], Tensor] = lambda j: torch.ones(()),
) -> Tensor:
    """Feature by feature, as the formula reads; ``mask`` gives a feature's dropout."""
    columns = []
    for j in range(W.shape[0]):
        hidden = HalfRelu.apply((z * W[j]) @ A.T)
        columns.append((hidden * mask(j)) @ u[j] + b[j])
    return torch.stack(columns, dim=1)


@pytest.fixture(params=[1, 50, 1 << 18], ids=["single", "several", "one"])
def block_entries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Sizes that make one block a feature, several blocks, and a single one."""
    monkeypatch.setattr(blockwise, "_BLOCK_ENTRIES", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block_entries")
@pytest.mark.parametrize("dead", [(), (1, 4), tuple(range(7))], ids=["none", "some", "all"])
def test_values_and_gradients_equal_the_loop_over_features(dead: tuple[int, ...]) -> None:
    inputs = parts(dead=dead)
    eta, expected = blockwise_decode(*inputs), naive(*inputs)
    torch.testing.assert_close(eta, expected)
    out = torch.randn_like(eta)
    for got, wanted in zip(
        torch.autograd.grad(eta, inputs, out),
        torch.autograd.grad(expected, inputs, out),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.tuples(*[st.integers(1, 6)] * 4),
    entries=st.integers(1, 100),
    seed=st.integers(0, 2**31),
)
def test_any_shape_and_block_size_equals_the_loop(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int, int, int], entries: int, seed: int
) -> None:
    monkeypatch.setattr(blockwise, "_BLOCK_ENTRIES", entries)
    torch.manual_seed(seed)
    inputs = parts(*sizes, dead=(0,))
    torch.testing.assert_close(blockwise_decode(*inputs), naive(*inputs))


@pytest.mark.parametrize("n_samples", [1, 2])
def test_decoding_leaves_its_inputs_alone(n_samples: int) -> None:
    inputs = parts(n_samples, dead=(1,))
    before = [value.detach().clone() for value in inputs]
    eta = blockwise_decode(*inputs)
    eta.sum().backward()
    eta.detach().fill_(0.0)
    for old, new in zip(before, inputs, strict=True):
        assert torch.equal(old, new)


@pytest.mark.usefixtures("block_entries")
def test_gradients_equal_finite_differences() -> None:
    assert torch.autograd.gradcheck(blockwise_decode, parts(4, 5, 2, 3))


@pytest.mark.usefixtures("block_entries")
def test_gradients_with_dropout_equal_finite_differences() -> None:
    inputs = parts(4, 5, 2, 3)

    def decode(*values: Tensor) -> Tensor:
        torch.manual_seed(7)
        return blockwise_decode(*values, dropout=0.4)

    assert torch.autograd.gradcheck(decode, inputs)


def test_dropout_drops_single_hidden_units_and_keeps_the_mean() -> None:
    # With positive z, w and A every unit is active, and with u = 1 each adds 1 / (1 - p) or 0.
    n, d, h, p = 400, 6, 8, 0.25
    ones = torch.ones(n, 1), torch.ones(d, 1), torch.ones(h, 1), torch.ones(d, h), torch.zeros(d)
    eta = blockwise_decode(*ones, dropout=p)
    units = eta * (1 - p)
    torch.testing.assert_close(units, units.round())
    assert eta.mean().item() == pytest.approx(h, rel=0.02)
    variance = h * p / (1 - p)
    assert eta.var().item() == pytest.approx(variance, rel=0.15)
    # Samples and features are dropped independently.
    assert torch.corrcoef(eta.T).fill_diagonal_(0).abs().max() < 0.25


@pytest.mark.usefixtures("block_entries")
def test_dropout_equals_the_loop_with_the_masks_that_were_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = parts()
    drawn: dict[int, Tensor] = {}
    original = blockwise._dropout_mask

    def recorded(block: int, like: Tensor, dropout: float, seed: int) -> Tensor:
        mask = original(block, like, dropout, seed)
        if block in drawn:
            assert torch.equal(drawn[block], mask)
        drawn[block] = mask.clone()
        return mask

    monkeypatch.setattr(blockwise, "_dropout_mask", recorded)
    eta = blockwise_decode(*inputs, dropout=0.5)
    masks = torch.cat([drawn[block] for block in sorted(drawn)]).transpose(1, 2)
    assert set(masks.unique().tolist()) == {0.0, 2.0}
    expected = naive(*inputs, mask=lambda j: masks[j])
    torch.testing.assert_close(eta, expected)
    out = torch.randn_like(eta)
    for got, wanted in zip(
        torch.autograd.grad(eta, inputs, out),
        torch.autograd.grad(expected, inputs, out),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


def test_blocks_are_dropped_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise, "_BLOCK_ENTRIES", 1)
    n, h = 200, 4
    ones = torch.ones(n, 1), torch.ones(2, 1), torch.ones(h, 1), torch.ones(2, h), torch.zeros(2)
    eta = blockwise_decode(*ones, dropout=0.5)
    assert torch.corrcoef(eta.T)[0, 1].abs() < 0.3


def test_dropout_follows_the_generator() -> None:
    inputs = parts()
    first, second = (blockwise_decode(*inputs, dropout=0.5) for _ in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    third = blockwise_decode(*inputs, dropout=0.5)
    torch.manual_seed(3)
    assert torch.equal(third, blockwise_decode(*inputs, dropout=0.5))


def test_a_feature_without_loadings_predicts_its_offset_and_gets_a_gradient() -> None:
    z, W, A, u, b = parts(dead=(2,))
    eta = blockwise_decode(z, W, A, u, b)
    assert torch.equal(eta[:, 2], b[2].expand(5))
    (grad,) = torch.autograd.grad(eta[:, 2].sum(), W)
    torch.testing.assert_close(grad[2], 0.5 * z.sum(dim=0) * (u[2] @ A))
    assert grad[2].abs().min() > 0


def test_a_feature_revives_when_data_call_for_it() -> None:
    z = torch.randn(200, 2, dtype=f64)
    x = torch.stack([z[:, 0].abs(), 1.5 * z[:, 1].relu()], dim=1)
    W = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=f64, requires_grad=True)
    _, _, A, u, b = parts(1, 2, 2, 16)
    optimizer = torch.optim.Adam([W, A, u, b], lr=0.03)
    errors = []
    for _ in range(150):
        error = (blockwise_decode(z, W, A, u, b) - x).square().mean(dim=0)
        errors.append(error[1].item())
        optimizer.zero_grad()
        error.sum().backward()
        optimizer.step()
    assert W[1, 1].abs() > 0.1
    assert errors[-1] < 0.1 * errors[0]


class LargestTensor(TorchDispatchMode):
    """Notes the number of entries of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, Tensor):
                self.entries = max(self.entries, value.numel())
        return out


@contextmanager
def saved_sizes() -> Iterator[list[int]]:
    sizes: list[int] = []

    def pack(value: Tensor) -> Tensor:
        sizes.append(value.numel())
        return value

    with saved_tensors_hooks(pack, lambda value: value):
        yield sizes


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_hidden_layer_never_exists_for_all_features(
    dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, d, k, h = 16, 300, 5, 20
    entries = 4 * n * h
    monkeypatch.setattr(blockwise, "_BLOCK_ENTRIES", entries)
    inputs = parts(n, d, k, h, dead=(3,))
    with LargestTensor() as seen, saved_sizes() as saved:
        blockwise_decode(*inputs, dropout=dropout).sum().backward()
    # Inputs, outputs and one block: nothing of the order of samples x features x hidden (or
    # latent) entries is made, let alone kept for the backward pass.
    assert seen.entries <= max(entries, n * d, d * h)
    assert max(saved) <= max(n * d, d * h)
    with LargestTensor() as naive_seen:
        naive_hidden = torch.einsum("nk,dk,hk->ndh", *(value.detach() for value in inputs[:3]))
    assert naive_seen.entries >= naive_hidden.numel() > seen.entries


def test_blocks_cover_every_feature_once() -> None:
    for n_features, n_samples, n_hidden in ((1, 1, 1), (1000, 64, 100), (7, 10**6, 100), (0, 5, 5)):
        blocks = hidden_blocks(n_features, n_samples, n_hidden)
        covered = [j for block in blocks for j in range(n_features)[block]]
        assert covered == list(range(n_features))


@pytest.mark.usefixtures("block_entries")
def test_jacobian_averages_equal_those_of_torch() -> None:
    z, W, A, u, b = (value.detach() for value in parts(9, 7, 3, 4, dead=(2,)))

    def one(row: Tensor) -> Tensor:
        return (torch.relu((A[None] * W[:, None]) @ row) * u).sum(dim=1) + b

    exact = torch.func.vmap(torch.func.jacrev(one))(z)
    mean, mean_abs, gram = blockwise_jacobian(z, W, A, u)
    torch.testing.assert_close(mean, exact.mean(dim=0))
    torch.testing.assert_close(mean_abs, exact.abs().mean(dim=0))
    torch.testing.assert_close(gram, torch.einsum("njk,njl->kl", exact, exact) / len(z))
    assert torch.equal(mean_abs == 0, W == 0)
