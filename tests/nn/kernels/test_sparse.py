"""The sparse kernel beside the reference, in double precision."""

from __future__ import annotations

import multiprocessing
import tracemalloc

import numpy as np
import pytest
import torch
from decoder_cases import Parts, assert_same, parts, results
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from poems.errors import SettingsError
from poems.nn.decode import (
    NONE,
    Kernel,
    Turns,
    _sparse_kernel,
    choose_kernel,
    decode,
    decoder_jacobian,
)
from poems.nn.kernels.halfspaces import BLOCK, halfspace_sums
from poems.nn.kernels.vectors import LANES

f64 = torch.float64


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    k=st.integers(1, 9),
    h=st.integers(1, 20),
    density=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    seed=st.integers(0, 100),
)
@pytest.mark.parametrize("kernel", ["sparse", "blockwise"])
def test_kernels_agree_with_the_reference(
    kernel: Kernel, n: int, sizes: list[int], k: int, h: int, density: float, seed: int
) -> None:
    inputs = parts(n, sizes, k, h, density, seed)
    assert_same(results(inputs, sizes, kernel), results(inputs, sizes, "reference"))


@pytest.mark.parametrize("n_hidden", [7, 16, 40])
def test_norms_are_held_within_the_kernel_as_outside(n_hidden: int) -> None:
    sizes, norms = [9, 8], (1.4, 0.7)
    inputs = parts(12, sizes, 4, n_hidden, 0.4)
    got = results(inputs, sizes, "sparse", norms=norms)
    assert_same(got, results(inputs, sizes, "reference", norms=norms))
    z, W, A, u, b = (x.detach() for x in inputs)
    A = 1.4 * A / A.norm(dim=1, keepdim=True)
    u = 0.7 * u / u.norm(dim=1, keepdim=True)
    torch.testing.assert_close(got[0], decode(z, W, A, u, b, sizes, kernel="reference"))


@pytest.mark.parametrize("density", [0.03, 0.3, 1.0])
def test_single_precision_is_close(density: float) -> None:
    inputs = parts(64, [100, 50], 16, 32, density)
    exact = results(inputs, [100, 50], "reference")
    single: Parts = tuple(x.detach().float().requires_grad_() for x in inputs)  # type: ignore[assignment]
    got = tuple(x.double() for x in results(single, [100, 50], "sparse"))
    for x, y in zip(got, exact, strict=True):
        assert (x - y).abs().max() < 1e-5 * y.abs().max()


@pytest.mark.parametrize("turns", [Turns(3, 0), Turns(3, 2), Turns(50, 40), NONE])
def test_zero_loadings_get_their_derivative_in_their_turn(turns: Turns) -> None:
    sizes = [9, 8]
    inputs = parts(12, sizes, 4, 6, 0.3)
    full, some = results(inputs, sizes, "sparse"), results(inputs, sizes, "sparse", turns)
    visited = turns.visited(inputs[1])
    for at in (0, 1, 3, 4, 5):
        torch.testing.assert_close(some[at], full[at])
    torch.testing.assert_close(some[2], full[2].where(visited, 0.0))
    assert bool(visited[inputs[1] != 0].all())


def test_in_as_many_steps_as_turns_every_loading_is_visited_once() -> None:
    zeros = torch.zeros(11, 2)
    visits = sum(Turns(4, phase).visited(zeros).long() for phase in range(4))
    assert torch.equal(visits, torch.ones(11, 2, dtype=torch.long))


def test_no_derivative_of_zero_loadings_where_none_is_wanted() -> None:
    z, W, A, u, b = parts(5, [6], 3, 4, 0.5)
    fixed = [x.detach() for x in (W, A, u, b)]
    got = torch.autograd.grad(decode(z, *fixed, [6], kernel="sparse").sum(), z)
    expected = torch.autograd.grad(decode(z, *fixed, [6], kernel="reference").sum(), z)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_features_and_repeat_themselves(threads: int) -> None:
    sizes = [150, 120]
    inputs = parts(20, sizes, 5, 8, 0.4)
    expected = results(inputs, sizes, "reference")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        first, second = (results(inputs, sizes, "sparse") for _ in range(2))
    finally:
        torch.set_num_threads(before)
    assert_same(first, expected)
    for x, y in zip(first, second, strict=True):
        assert torch.equal(x, y)


def _decode_in_child(queue: multiprocessing.Queue[float]) -> None:
    inputs = parts(4, [200], 3, 5, 0.5)
    torch.set_num_threads(2)
    queue.put(float(decode(*inputs, [200], kernel="sparse").detach().sum()))


def test_threads_of_the_parent_are_not_waited_for_after_a_fork() -> None:
    inputs = parts(4, [200], 3, 5, 0.5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = float(decode(*inputs, [200], kernel="sparse").detach().sum())
    finally:
        torch.set_num_threads(before)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_decode_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(timeout=60)


def test_what_is_not_a_number_stays_visible() -> None:
    z, W, A, u, b = parts(6, [5], 3, 4, 1.0)
    with torch.no_grad():
        z[2, 1] = float("nan")
    eta = decode(z, W, A, u, b, [5], kernel="sparse")
    assert bool(eta[2].isnan().all())
    assert bool(eta[[0, 1, 3, 4, 5]].isfinite().all())


def test_slopes_are_kept_for_gradients_alone() -> None:
    z, W, A, u, b = parts(2000, [300], 16, 4, 1.0, dtype=torch.float32)
    peaks = []
    for wanted in (False, True):
        with torch.set_grad_enabled(wanted):
            tracemalloc.start()
            found = decode(z, W, A, u, b, [300], kernel="sparse")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        if not wanted:
            expected = found
    assert torch.equal(found, expected)
    assert peaks[1] - peaks[0] > 0.9 * 4 * 2000 * 300 * 16


def test_hidden_units_are_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = np.empty

    def counted(shape: object, *args: object, **kwargs: object) -> object:
        array = original(shape, *args, **kwargs)  # type: ignore[call-overload]
        made.append(array.size)
        return array

    monkeypatch.setattr(np, "empty", counted)
    n, d, k, h = 32, 400, 8, 16
    results(parts(n, [d], k, h, 0.1, dtype=torch.float32), [d], "sparse")
    assert 0 < max(made) <= n * d < n * d * h


@settings(max_examples=40, deadline=None)
@given(
    s=st.integers(1, 9),
    r=st.integers(1, 9),
    n=st.integers(1, 2 * BLOCK + 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 100),
)
def test_half_space_sums_equal_their_formula(
    s: int, r: int, n: int, dtype: type[np.floating], seed: int
) -> None:
    # Small whole numbers, exact in either kind, so that inputs that are zero are zero.
    rng = np.random.default_rng(seed)
    shapes = ((s, n), (s, 2 * LANES), (r, n))
    Q, P, V = (rng.integers(-9, 10, shape).astype(dtype) for shape in shapes)
    out, inputs = np.empty((r, 2 * LANES), dtype), np.empty((BLOCK, LANES), dtype)
    halfspace_sums(Q, P, V, out, inputs)
    np.testing.assert_array_equal(out, V @ (Q.T @ P > 0))


@pytest.mark.parametrize("most", [1, 10**9])
def test_the_jacobian_equals_the_blockwise_one(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poems.nn.kernels.sparse._MOST_SLOPES", most)
    z, W, A, u, _ = (x.detach() for x in parts(50, [30], 6, 7, 0.4))
    got = decoder_jacobian(z, W, A[0], u, kernel="sparse")
    for x, y in zip(got, decoder_jacobian(z, W, A[0], u, kernel="blockwise"), strict=True):
        torch.testing.assert_close(x, y)


@pytest.mark.parametrize("loadings", [torch.eye(50), torch.ones(50, 50)])
def test_on_processors_the_sparse_kernel_does_all_but_dropout(loadings: Tensor) -> None:
    assert choose_kernel(loadings) == "sparse"
    assert choose_kernel(loadings, dropout=0.1) == "blockwise"


def test_without_a_compiler_another_kernel_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = parts(6, [7, 3], 4, 5, 0.2)
    expected = results(inputs, [7, 3], "auto")
    monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda: False)
    assert choose_kernel(inputs[1]) == "blockwise"
    assert_same(results(inputs, [7, 3], "auto"), expected)


@pytest.mark.parametrize(("device", "remedy"), [("cpu", "pip install numba"), ("mps", "NVIDIA")])
def test_a_kernel_that_is_not_there_says_what_to_do(
    device: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.nn.compilers.has_compiler", lambda: False)
    with pytest.raises(SettingsError, match=rf"needs .*{remedy}.* use kernel='auto'"):
        _sparse_kernel(torch.device(device))
