"""The scripts of benchmarks/speed: they import, and the floor counts what it says it counts."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from poems.nn.decode import ALL, NONE, Turns

FOLDER = Path(__file__).parents[2] / "benchmarks" / "speed"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
def floor(speed: None) -> ModuleType:
    return importlib.import_module("floor")


def loadings(density: float) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    W = torch.randn(13, 5, generator=rng)
    return W * (torch.rand(13, 5, generator=rng) < density)


def counted(W: Tensor, n: int, h: int, turns: Turns) -> int:
    """Go through the kernel's loops, one operation after the other."""
    total = 0
    for row, visited in zip(W.tolist(), turns.visited(W).tolist(), strict=True):
        s = sum(w != 0 for w in row)
        r = sum(visited)
        for _ in range(s):
            total += h + h  # weights of the inputs and of the outputs
            total += n + n  # w z, times the slope into the prediction
            total += h  # weights of the inputs, again
            total += h + h + h  # w q, into the mixing and into the heads
            total += n + n  # w g, times the slope into the latents
        for _ in range(r):
            total += n  # g z
            total += h + h  # u A, times the sums into the loading's derivative
        if s == 0:
            for _ in range(r):
                total += n  # the sum over samples
            continue
        if s == 1:
            total += 2 * (h + h)  # two half-spaces: a comparison and a masked addition each
            total += n + n  # on which side, and its sum
            for _ in range(r):
                total += 2 * (n + n)
                total += h + h
            continue
        for _sample in range(n):
            for _unit in range(h):
                total += s + 1 + s  # the input, its sign, the slopes
                total += s + 1 + r
    return total


@pytest.mark.parametrize("density", [0.0, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("turns", [ALL, NONE, Turns(4, 1)])
def test_the_floor_counts_every_operation(floor: ModuleType, density: float, turns: Turns) -> None:
    W = loadings(density)
    assert floor.count_step(W, 7, 6, turns).operations == counted(W, 7, 6, turns)


def test_the_floor_is_time_for_operations_and_bytes(floor: ModuleType) -> None:
    assert floor.Counts(operations=10, bytes=30).seconds(5.0, 10.0) == 5.0


@pytest.mark.parametrize("name", ["kernels", "fits", "brca_size"])
def test_scripts_import(speed: None, name: str) -> None:
    assert importlib.import_module(name).main.__module__ == name


def test_every_decoder_of_the_comparison_is_the_formula(speed: None) -> None:
    weights = importlib.import_module("decoders").random_weights(40, 6, 9, density=0.3)
    importlib.import_module("kernels").check(weights, 11)
