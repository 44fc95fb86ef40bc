"""Time and memory of a decoder's step against its density and sizes, with a picture.

    python benchmarks/speed/density.py [--threads 1] [--rounds 7] [--out speed]

First the time of POEMS's step (forward and backward, zero loadings visited in turns of four, as in
training; and with none visited) at shares of non-zero loadings from 0 to 100 %, D fixed, with a
straight line through the points: its slope is what a non-zero loading costs. Then time and added
memory over the number of features, samples in the batch, factors, views and the density, one varied
at a time, beside the loop over features and the vectorised decoder as published. Rounds alternate
between decoders; times are medians, of CPU time with one thread, which does not grow while others
have the processor, and of wall time with more. Memory is what one step adds to the highest of a
fresh process (VmHWM after it was reset), in which the decoder took a small step before. With --out
the tables and scaling.png are written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from decoders import random_weights
from measuring import PUBLISHED, Step, ViewsDecoder, interleaved, parser, show, trained
from poems.nn.decode import NONE, decode
from poems_benchmark.running.memory import forget_peak_memory, memory_mb, peak_memory_mb

DENSITIES = (0.0, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
SHOWN = ("POEMS", "vectorised, dropout 0.2", "loop over features")
MARKS = {"POEMS": "o", "vectorised, dropout 0.2": "s", "loop over features": "^"}


@dataclass(frozen=True)
class Case:
    """The sizes of a step."""

    features: int = 1000
    samples: int = 64
    factors: int = 32
    views: int = 1
    density: float = 0.05
    hidden: int = 100

    def step(self, decoder: ViewsDecoder) -> Step:
        weights = random_weights(self.features, self.factors, self.hidden, density=self.density)
        each, more = divmod(self.features, self.views)
        sizes = [each + (view < more) for view in range(self.views)]
        return Step(decoder, weights, self.samples, sizes)


# What is varied, its axis' label, and its values.
AXES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "features": ("features D", (250, 1000, 4000, 20_000)),
    "samples": ("samples in the batch N", (16, 64, 128, 512)),
    "factors": ("factors K", (4, 16, 64, 128)),
    "views": ("views (D = 1,000 in all)", (1, 2, 4, 8)),
    "density": ("non-zero loadings, %", (0.01, 0.1, 0.3, 0.6, 1.0)),
}


def decoder_of(name: str) -> ViewsDecoder:
    return trained() if name == "POEMS" else PUBLISHED[name]


def clock_for(threads: int) -> Callable[[], float]:
    return time.process_time if threads == 1 else time.perf_counter


def line_table(rounds: int, threads: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Time of a step over the density, and the straight lines through it."""
    decoders = {
        "in turns": lambda: trained("sparse"),
        "no zeros visited": lambda: partial(decode, kernel="sparse", turns=NONE),
        "blockwise kernel": lambda: trained("blockwise"),
    }
    rows, non_zeros = {}, []
    for density in DENSITIES:
        case = Case(density=density)
        steps = {name: case.step(make()) for name, make in decoders.items()}
        non_zeros.append(int(torch.count_nonzero(steps["in turns"].inputs[1])))
        rows[f"{100 * density:g} %"] = interleaved(steps, rounds, clock=clock_for(threads))
    times = pd.DataFrame.from_dict(rows, orient="index") * 1e3
    lines = {}
    for name in list(decoders)[:2]:
        slope, intercept, r2 = straight_line(np.array(non_zeros), times[name].to_numpy())
        per_unit = slope * 1e6 / (case.samples * case.hidden)
        lines[name] = {
            "ms at 0 %": intercept,
            "ms a % of density": slope * case.features * case.factors / 100,
            "µs a non-zero": 1e3 * slope,
            "ps a non-zero, sample and hidden unit": 1e3 * per_unit,
            "R²": r2,
        }
    times.insert(0, "non-zero loadings", non_zeros)
    return times, pd.DataFrame.from_dict(lines, orient="index")


def straight_line(x: Any, y: Any) -> tuple[float, float, float]:
    """Fit y = slope x + intercept by least squares; return both and R²."""
    slope, intercept = np.polyfit(x, y, 1)
    left = y - (slope * x + intercept)
    return float(slope), float(intercept), float(1 - left.var() / y.var())


def added_memory(name: str, case: Case) -> float:
    """Return by how many MB a step raises this process's memory; called in one of its own."""
    torch.set_num_threads(1)
    # Loads compiled code, and what libraries keep for themselves.
    Case(features=64, views=case.views, factors=8, hidden=16).step(decoder_of(name))()
    step = case.step(decoder_of(name))
    forget_peak_memory()
    before = memory_mb()
    step()
    after = peak_memory_mb()
    return float("nan") if before is None or after is None else after - before


def scaling_table(rounds: int, threads: int) -> pd.DataFrame:
    """Time and added memory of every decoder, one size varied at a time; a row a point."""
    rows = []
    context = get_context("forkserver")
    # Children are forks of a process that has the libraries, and has computed nothing.
    context.set_forkserver_preload(
        ["torch", "pandas", "poems.nn.kernels.sparse", "poems.fitting.fit"]
    )
    for axis, (_, values) in AXES.items():
        for value in values:
            case = replace(Case(), **{axis: value})
            # The loop takes seconds where there are many features.
            steps = {name: case.step(decoder_of(name)) for name in SHOWN}
            torch.set_num_threads(threads)
            fewer = max(2, round(rounds * 2000 / max(case.features, 2000)))
            times = interleaved(steps, fewer, warmup=0, clock=clock_for(threads))
            del steps
            for name, seconds in times.items():
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    memory = pool.submit(added_memory, name, case).result()
                rows.append(
                    {"varied": axis, "value": value, "decoder": name}
                    | {"ms": 1e3 * seconds, "MB": memory}
                )
            print(axis, value, {name: f"{1e3 * s:.1f} ms" for name, s in times.items()}, flush=True)
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw time and added memory over every size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    from poems.plots.style import colours

    figure = Figure(figsize=(15, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(AXES), sharex="col", sharey="row")
    colour = colours(SHOWN)
    for column, (axis, (text, values)) in enumerate(AXES.items()):
        part = table[table["varied"] == axis]
        shown = [100 * value if axis == "density" else value for value in values]
        for row, quantity in enumerate(("ms", "MB")):
            ax = axes[row, column]
            for name in SHOWN:
                of_decoder = part[part["decoder"] == name]
                # A step of few entries may add nothing to a process's pages.
                ax.plot(
                    shown,
                    of_decoder[quantity].clip(lower=0.1),
                    marker=MARKS[name],
                    color=colour[name],
                    label=name,
                )
            ax.set(xscale="log", yscale="log")
            ax.xaxis.set_major_locator(FixedLocator(shown))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_xticklabels([f"{value:,g}" for value in shown])
            ax.grid(visible=True, which="major", alpha=0.3)
        axes[1, column].set_xlabel(text)
    axes[0, 0].set_ylabel("ms a step")
    axes[1, 0].set_ylabel("MB that a step adds")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(SHOWN), frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=7)
    args = arguments.parse_args()
    torch.set_num_threads(args.threads)
    base = Case()
    shape = f"D {base.features}, B {base.samples}, K {base.factors}, H {base.hidden}"
    told = f"{shape}, threads: {args.threads}"
    times, lines = line_table(args.rounds, args.threads)
    show(times, f"Median ms of a step over the density, {told}", args.out, "density")
    show(lines, "Straight lines through them", args.out, "density-line", digits=3)
    table = scaling_table(args.rounds, args.threads)
    for quantity in ("ms", "MB"):
        wide = table.pivot(index=["varied", "value"], columns="decoder", values=quantity)
        wide = wide.loc[list(AXES), list(SHOWN)]
        what = "Median ms of a step" if quantity == "ms" else "MB that a step adds"
        about = f"{what}, the others as in {told}, density {base.density:.0%}"
        show(wide, about, args.out, f"scaling-{quantity.lower()}", digits=1)
    if args.out is not None:
        draw(table, args.out / "scaling.png")


if __name__ == "__main__":
    main()
