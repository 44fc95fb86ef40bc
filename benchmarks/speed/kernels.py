"""One training step of the sparse decoder, by kernel and density, beside published decoders.

    python benchmarks/speed/kernels.py [--threads 1 2] [--rounds 15] [--out speed]

Forward and backward (derivatives of z, W, A, u and b) at B 64, D 1000, K 32, H 100 and several
shares of non-zero loadings. Every decoder is first checked against the formula in double precision,
on the very pattern that is timed. Rounds alternate between the decoders: medians, and ratios of
medians, of processor time with one thread. Zero loadings have their derivative in turns of four
steps, as in training; in all of them (``all``) or in none (``none``) where that is said. The
blockwise kernel always computes all.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from decoders import Weights, loop_decode, random_weights, vectorised_decode
from measuring import (
    PUBLISHED,
    Step,
    ViewsDecoder,
    in_turn,
    interleaved,
    parser,
    published,
    show,
    trained,
)
from poems.nn.decode import ALL, NONE, Kernel, Turns, decode

BASE = "POEMS"
KERNELS: dict[str, tuple[Kernel, Turns | None]] = {
    BASE: ("auto", None),
    "POEMS, all": ("auto", ALL),
    "POEMS, none": ("auto", NONE),
    "blockwise": ("blockwise", None),
}


def poems_decoder(kernel: Kernel, turns: Turns | None) -> ViewsDecoder:
    return trained(kernel) if turns is None else partial(decode, kernel=kernel, turns=turns)


def check(weights: Weights, n_samples: int) -> None:
    """Hold every decoder against the formula, in double precision.

    Zero loadings count where they are visited. Published decoders take relu'(0) = 0 and are not
    asked for the derivatives of features without any loading.
    """
    exact = Weights(*(x.double() for x in weights))
    W, sizes = exact.W, [len(exact.W)]
    expected = Step(partial(decode, kernel="reference"), exact, n_samples, sizes).results()
    for name, (kernel, turns) in KERNELS.items():
        chosen = in_turn(3) if turns is None else turns
        decoder = partial(decode, kernel=kernel, turns=chosen)
        every = kernel == "blockwise"
        found = Step(decoder, exact, n_samples, sizes).results()
        mask = torch.ones_like(W) if every else chosen.visited(W).to(W.dtype)
        if kernel == "auto":  # Either kernel may have been chosen.
            mask = (chosen.visited(W) & (found[2] != 0)).to(W.dtype)
        compare(name, found, expected, mask)
    alive = (W != 0).any(dim=1, keepdim=True).to(W.dtype).expand_as(W)
    plain = {"loop over features": loop_decode, "vectorised": partial(vectorised_decode, dropout=0)}
    for name, decoder in plain.items():
        found = Step(published(decoder), exact, n_samples, sizes).results()
        compare(name, found, expected, alive)


def compare(name: str, found: list[Tensor], expected: list[Tensor], mask: Tensor) -> None:
    for part, x, y in zip(("eta", "z", "W", "A", "u", "b"), found, expected, strict=True):
        here = (x * mask, y * mask) if part == "W" else (x, y)
        torch.testing.assert_close(
            *here, rtol=1e-8, atol=1e-8, msg=lambda text, part=part: f"{name}, {part}: {text}"
        )


def time_decoders(args: Any, threads: int) -> pd.DataFrame:
    """Median seconds: a row a decoder, a column a density."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    columns = {}
    for density in args.densities:
        weights = random_weights(args.features, args.latents, args.hidden, density=density)
        if threads == args.threads[0]:
            check(weights, args.samples)
        decoders = {name: poems_decoder(*which) for name, which in KERNELS.items()}
        steps = {
            name: Step(decoder, weights, args.samples, [args.features])
            for name, decoder in (decoders | dict(PUBLISHED)).items()
        }
        columns[density] = interleaved(steps, args.rounds, clock=clock)
    return pd.DataFrame(columns)


def percent(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=lambda density: f"{100 * density:g} %")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--samples", type=int, default=64)
    arguments.add_argument("--features", type=int, default=1000)
    arguments.add_argument("--latents", type=int, default=32)
    arguments.add_argument("--hidden", type=int, default=100)
    arguments.add_argument(
        "--densities", type=float, nargs="+", default=[0.01, 0.03, 0.1, 0.3, 0.6, 1.0]
    )
    arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--rounds", type=int, default=15)
    args = arguments.parse_args()
    out: Path | None = args.out
    shape = f"B {args.samples}, D {args.features}, K {args.latents}, H {args.hidden}"
    for threads in args.threads:
        times = time_decoders(args, threads)
        told = f"{shape}, threads: {threads}, by share of non-zero loadings"
        show(percent(times * 1e3), f"Median ms of a step, {told}", out, f"kernels-ms-{threads}")
        ratios = times / times.loc[BASE]
        show(
            percent(ratios),
            f"Times as slow as {BASE}, {told}",
            out,
            f"kernels-ratio-{threads}",
        )


if __name__ == "__main__":
    main()
