"""One training step of the sparse decoder, by kernel and density, beside published decoders.

    python benchmarks/speed/kernels.py [--threads 1 2] [--rounds 15] [--out speed]

Forward and backward (derivatives of z, W, A, u and b) at B 64, D 1000, K 32, H 100 and several
shares of non-zero loadings. Every decoder is first checked against the formula in double precision,
on the very pattern that is timed. Rounds alternate between the decoders: medians, and ratios of
medians. Zero loadings have their derivative in turns of four steps, as in training; in all of them
(``all``) or in none (``none``) where that is said. The blockwise kernel always computes all.

Then the least that a step could take on this machine ("Floor", see floor.py), and the density from
which the blockwise kernel is the faster one ("Crossover"), here and for the default model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from decoders import Weights, loop_decode, random_weights, vectorised_decode
from floor import bandwidth, count_naive, count_step, operation_rate
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
    "sparse": ("sparse", None),
    "sparse, all": ("sparse", ALL),
    "sparse, none": ("sparse", NONE),
    "blockwise": ("blockwise", None),
}
FLOOR_DENSITIES = (0.01, 0.03, 0.10)
CROSSOVER_DENSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHAPES = {"B 64, K 32, H 100": (64, 32, 100), "default model: B 128, K 16, H 32": (128, 16, 32)}


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
        columns[density] = interleaved(steps, args.rounds)
    return pd.DataFrame(columns)


def percent(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=lambda density: f"{100 * density:g} %")


def floor_table(args: Any) -> pd.DataFrame:
    """Times of the sparse kernel over what its operations and bytes take at least, one thread."""
    torch.set_num_threads(1)
    rows: dict[Any, Mapping[str, float]] = {}
    for density in FLOOR_DENSITIES:
        weights = random_weights(args.features, args.latents, args.hidden, density=density)
        cases: dict[str, Turns | None] = {"in turns": None, "none": NONE}
        steps = {
            name: Step(poems_decoder("sparse", turns), weights, args.samples, [args.features])
            for name, turns in cases.items()
        }
        # Before and after, for a machine that is shared may change its pace.
        rates = [(operation_rate(), bandwidth())]
        times = interleaved(steps, args.rounds)
        rates.append((operation_rate(), bandwidth()))
        rate, bytes_a_second = (max(pair) for pair in zip(*rates, strict=True))
        for name, turns in cases.items():
            chosen = [in_turn(i) for i in range(4)] if turns is None else [turns]
            shape = (args.samples, args.hidden)
            counted = [count_step(weights.W, *shape, each) for each in chosen]
            naive = [count_naive(weights.W, *shape, each) for each in chosen]
            least = mean(each.seconds(rate, bytes_a_second) for each in counted)
            naive_least = mean(each.seconds(rate, bytes_a_second) for each in naive)
            rows[f"{100 * density:g} %", name] = {
                "10⁶ operations": mean(each.operations for each in counted) / 1e6,
                "MB": mean(each.bytes for each in counted) / 1e6,
                "10⁹ operations/s": rate / 1e9,
                "GB/s": bytes_a_second / 1e9,
                "floor ms": 1e3 * least,
                "of it bytes ms": 1e3 * mean(each.bytes for each in counted) / bytes_a_second,
                "time ms": 1e3 * times[name],
                "time / floor": times[name] / least,
                "naive 10⁶ operations": mean(each.operations for each in naive) / 1e6,
                "naive floor ms": 1e3 * naive_least,
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["density", "zeros visited"])
    return table


def mean(values: Any) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found)


def crossover_table(args: Any, threads: int) -> pd.DataFrame:
    """Time of the sparse kernel over that of the blockwise one, by density, and where it is 1."""
    torch.set_num_threads(threads)
    rows = {}
    for name, (n_samples, n_latent, n_hidden) in SHAPES.items():
        ratios = {}
        for density in CROSSOVER_DENSITIES:
            weights = random_weights(args.features, n_latent, n_hidden, density=density)
            steps = {
                kernel: Step(trained(kernel), weights, n_samples, [args.features])
                for kernel in ("sparse", "blockwise")
            }
            times = interleaved(steps, args.rounds)
            ratios[density] = times["sparse"] / times["blockwise"]
        rows[name] = ratios | {"equal at": 100 * crossing(ratios)}
    return pd.DataFrame.from_dict(rows, orient="index")


def crossing(ratios: Mapping[float, float]) -> float:
    """Interpolate where the ratio passes 1, in its logarithm; NaN if it does not."""
    points = sorted((density, math.log(ratio)) for density, ratio in ratios.items())
    for (low, below), (high, above) in pairwise(points):
        if below <= 0 < above:
            return low + (high - low) * -below / (above - below)
    return math.nan


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
    show(floor_table(args), f"Floor of the sparse kernel, {shape}, one thread", out, "floor")
    for threads in args.threads:
        table = percent_crossover(crossover_table(args, threads))
        told = f"D {args.features}, threads: {threads}"
        show(table, f"Crossover: sparse over blockwise, {told}", out, f"crossover-{threads}")


def percent_crossover(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(
        columns=lambda name: "equal at %" if name == "equal at" else f"{100 * name:g} %"
    )


if __name__ == "__main__":
    main()
