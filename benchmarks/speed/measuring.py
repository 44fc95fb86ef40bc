"""What the scripts of this folder share: a decoder's step, rounds, child processes, tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import pandas as pd
import torch
from torch import Tensor

from decoders import Decoder, Weights, by_view, loop_decode, vectorised_decode
from poems.nn.decode import Kernel, Turns, decode
from poems.training.optimizer import REVISIT
from poems_benchmark.running.threads import threads_of_children
from poems_benchmark.scores.report import markdown_table

Result = TypeVar("Result")
ViewsDecoder = Callable[..., Tensor]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Begin a script's arguments: its docstring is the help, ``--out`` takes what it writes."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, help="folder for the tables, as csv and Markdown")
    return made


def in_turn(round_: int) -> Turns:
    """Whose zero loadings are visited in this step of a training."""
    return Turns(REVISIT, round_ % REVISIT)


class Step:
    """One training step of a decoder: its predictions, and the derivatives of all its inputs.

    Parameters
    ----------
    decoder
        Takes z, W, A (n_views, n_hidden, n_latent), u, b and the views' sizes.
    weights
        Those of all views, one after the other; A is used for each view.
    sizes
        Number of features of each view.
    n_samples
        Samples in the batch.
    """

    def __init__(
        self, decoder: ViewsDecoder, weights: Weights, n_samples: int, sizes: list[int]
    ) -> None:
        rng = torch.Generator().manual_seed(1)
        W, A, u, b = weights
        like = {"generator": rng, "dtype": W.dtype}
        z = torch.randn(n_samples, W.shape[1], **like)
        mixing = A.repeat(len(sizes), 1, 1)
        self.inputs = [x.clone().requires_grad_() for x in (z, W, mixing, u, b)]
        self._decoder, self._sizes = decoder, sizes
        self._upstream = torch.randn(n_samples, len(W), **like)

    def __call__(self) -> Tensor:
        for x in self.inputs:
            x.grad = None
        eta = self._decoder(*self.inputs, self._sizes)
        eta.backward(self._upstream)
        return eta

    def results(self) -> list[Tensor]:
        """Take a step; return the predictions and the derivatives of z, W, A, u and b."""
        eta = self()
        return [eta.detach(), *(x.grad for x in self.inputs if x.grad is not None)]


def published(decoder: Decoder) -> ViewsDecoder:
    """Let a published decoder take several views."""
    return partial(by_view, decoder)


PUBLISHED: Mapping[str, ViewsDecoder] = {
    "loop over features": published(loop_decode),
    "vectorised, dropout 0.2": published(partial(vectorised_decode, dropout=0.2)),
    "vectorised, no dropout": published(partial(vectorised_decode, dropout=0.0)),
}


def trained(kernel: Kernel = "auto") -> ViewsDecoder:
    """Return POEMS's decoder as training calls it: zero loadings visited in their turns."""
    n_steps = 0

    def decoder(*inputs: Any) -> Tensor:
        nonlocal n_steps
        n_steps += 1
        return decode(*inputs, kernel=kernel, turns=in_turn(n_steps))

    return decoder


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time contenders in alternating rounds, so that what else the machine does falls on all.

    Each runs twice in a round and the second run is timed: the first brings back the caches that
    the contender before it, which may have moved a hundred megabytes, has left. Returns the median
    of each, in seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(-warmup, rounds):
        for name, contender in contenders.items():
            contender()
            start = clock()
            contender()
            if round_ >= 0:
                times[name].append(clock() - start)
    return {name: median(seconds) for name, seconds in times.items()}


def in_child(function: Callable[..., Result], *arguments: Any, threads: int = 1) -> Result:
    """Call a function in a fresh process, whose libraries are told the number of threads."""
    with (
        threads_of_children(threads),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(function, *arguments).result()


def show(table: pd.DataFrame, title: str, out: Path | None, name: str, digits: int = 2) -> None:
    """Print a table and, with a folder, write it as ``name``.csv and ``name``.md."""
    cells = table.map(lambda value: _cell(value, digits))
    print(f"\n{title}\n{cells.to_string()}", flush=True)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / f"{name}.csv")
    names = [str(each) for each in table.index.names if each is not None] or [""]
    keys = [row if isinstance(row, tuple) else (row,) for row in table.index]
    rows = [[*map(str, key), *row] for key, row in zip(keys, cells.to_numpy(), strict=True)]
    head = [*names, *map(str, table.columns)]
    text = f"{title}\n\n{markdown_table(head, rows)}\n"
    (out / f"{name}.md").write_text(text, "utf-8")


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.{digits}f}"
    return str(value)
