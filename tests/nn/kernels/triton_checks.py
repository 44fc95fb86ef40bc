"""The Triton kernel beside the reference, in Triton's interpreter: run by test_triton.py."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from decoder_cases import assert_same, parts, results
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from poems.nn.decode import NONE, Turns, decode
from poems.nn.kernels import triton_sparse

assert os.environ.get("TRITON_INTERPRET") == "1", "set it before Triton is imported"

f64 = torch.float64


@pytest.fixture(scope="module", autouse=True)
def _triton_for_the_processor() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_sparse, "_PART", 7)
        patch.setattr("poems.nn.decode._sparse_kernel", lambda device: triton_sparse)
        yield


@settings(max_examples=15)
@given(
    n=st.integers(1, 20),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    k=st.integers(1, 5),
    h=st.integers(1, 20),
    density=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    seed=st.integers(0, 100),
)
def test_the_kernel_agrees_with_the_reference(
    n: int, sizes: list[int], k: int, h: int, density: float, seed: int
) -> None:
    inputs = parts(n, sizes, k, h, density, seed)
    assert_same(results(inputs, sizes, "sparse"), results(inputs, sizes, "reference"))


@pytest.mark.parametrize(
    ("n", "sizes", "k", "h", "density"),
    [
        pytest.param(1, [3], 1, 1, 0.5, id="one of everything"),
        pytest.param(130, [2, 1], 3, 40, 0.6, id="more samples and units than a block"),
        pytest.param(64, [2], 4, 32, 1.0, id="whole blocks"),
        pytest.param(70, [4], 3, 35, 0.0, id="no loadings"),
        pytest.param(3, [100], 1, 2, 0.9, id="sums in parts"),
    ],
)
def test_blocks_may_be_full_or_not(
    n: int, sizes: list[int], k: int, h: int, density: float
) -> None:
    inputs = parts(n, sizes, k, h, density)
    assert_same(results(inputs, sizes, "sparse"), results(inputs, sizes, "reference"))


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_single_precision_is_close_and_repeats_itself(density: float) -> None:
    sizes = [4, 2]
    exact = results(parts(40, sizes, 6, 20, density), sizes, "reference")
    single = parts(40, sizes, 6, 20, density, dtype=torch.float32)
    first, second = (results(single, sizes, "sparse") for _ in range(2))
    for x, again, y in zip(first, second, exact, strict=True):
        assert torch.equal(x, again)
        assert (x.double() - y).abs().max() < 2e-6 * y.abs().max()


@pytest.mark.parametrize("turns", [Turns(3, 0), Turns(3, 2), Turns(50, 40), NONE])
def test_zero_loadings_get_their_derivative_in_their_turn(turns: Turns) -> None:
    sizes = [5, 5]
    inputs = parts(12, sizes, 4, 6, 0.3)
    full, some = results(inputs, sizes, "reference"), results(inputs, sizes, "sparse", turns)
    visited = turns.visited(inputs[1])
    wanted = (*full[:2], full[2].where(visited, 0.0), *full[3:])
    assert_same(some, wanted)


def test_no_derivative_of_zero_loadings_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z, *fixed = parts(5, [6], 3, 4, 0.5)
    W, A, u, b = (x.detach() for x in fixed)
    asked = []
    original = triton_sparse.sparse_backward

    def noted(kept: object, g: Tensor, every: int, phase: int) -> tuple[Tensor, ...]:
        asked.append((every, phase))
        return original(kept, g, every, phase)  # type: ignore[arg-type]

    monkeypatch.setattr(triton_sparse, "sparse_backward", noted)
    got = torch.autograd.grad(decode(z, W, A, u, b, [6], kernel="sparse").sum(), z)
    expected = torch.autograd.grad(decode(z, W, A, u, b, [6], kernel="reference").sum(), z)
    torch.testing.assert_close(got, expected)
    assert asked == [(NONE.every, NONE.phase)]


def test_what_is_not_a_number_stays_visible() -> None:
    z, W, A, u, b = parts(6, [5], 3, 4, 1.0)
    with torch.no_grad():
        z[2, 1] = float("nan")
        W[3, [0, 2]] = 0.0
    eta = decode(z, W, A, u, b, [5], kernel="sparse")
    assert bool(eta[2].isnan().all())
    assert bool(eta[[0, 1, 3, 4, 5]].isfinite().all())


def test_what_is_kept_grows_with_the_loadings_alone() -> None:
    z, W, A, u, b = (x.detach() for x in parts(9, [40], 8, 16, 0.1))
    _, kept = triton_sparse.sparse_forward(z, W, A, u, b, torch.zeros(40, dtype=torch.long))
    assert kept.slopes.shape == (int((W != 0).sum()), 9)
