"""The sparse decoder and less precision on a GPU, beside the processor and what the GPU can do.

    python benchmarks/gpu.py [--densities 0.01 0.03 0.1 0.2 0.3 1] [--rounds 20] [--out gpu]

Needs a GPU and Triton (`poems-omics[gpu]`); says so and ends where there is none.

1. Correct: predictions and derivatives of every kernel on the GPU, in single and in double
   precision, against the formula in double precision on the processor; and whether a second step
   repeats the first bit for bit. Ends here if they do not.
2. Times: a training step (forwards and backwards, zero loadings in turns) of the sparse kernel on
   the GPU and of the blockwise kernel there, in alternating rounds, and of the sparse kernel on the
   processor. `sparse / blockwise` passes 1 at the density from which the blockwise kernel is to be
   chosen (`_GPU_CROSSOVER` in poems/nn/decode.py).
3. Share of the ceilings: operations and bytes that a step needs at least (speed/floor.py), over
   the time that the GPU itself is busy in it, over what the GPU does of them in a second, measured
   before and after. A multiply-add, a comparison, a selection and a masked addition count one each.
4. Precision: encoders in TF32 and bfloat16 against double precision (values, derivatives, time),
   then a short fit's factors, matched to those of the same seed in single precision, beside what
   another run and another seed change.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import poems
from poems.fitting.result import FittedPoems
from poems.nn.decode import Kernel, Turns, decode
from poems.nn.model import POEMS
from poems.resampling.factor_matching import match_factors
from poems.scaling.batch import Batch
from poems.settings.schema import Settings
from poems.training.optimizer import REVISIT
from poems_benchmark.scores.report import markdown_table
from speed.decoders import random_weights
from speed.floor import count_step

PARTS = ("eta", "z", "W", "A", "u", "b")
PROCESSOR = torch.device("cpu")
# Norm of a difference, as a share of the result's. Derivatives of z, W and A jump where a sample is
# on the edge of a half-space, and in single precision some are on its other side: whatever the
# kernel, 3e-4 at B 64, D 1000, K 32, H 100. What is continuous has no such excuse.
MOST = {"float64": 1e-10, "float32": 1e-5}
MOST_JUMPING = {"float64": 1e-10, "float32": 5e-3}


@dataclass(frozen=True)
class Shape:
    """Samples, features of all views, latents and hidden units."""

    samples: int
    sizes: tuple[int, ...]
    latents: int
    hidden: int

    def __str__(self) -> str:
        features = "+".join(map(str, self.sizes))
        return f"B {self.samples}, D {features}, K {self.latents}, H {self.hidden}"


CHECKED = (Shape(64, (600, 400), 32, 100), Shape(131, (250, 1, 77), 5, 33), Shape(1, (50,), 1, 32))
TIMED = (
    Shape(64, (1000,), 32, 100),
    Shape(128, (1000, 1000, 503), 16, 32),
    Shape(128, (20_000, 20_000), 16, 32),
    Shape(1024, (20_000, 20_000), 16, 32),
)


class Step:
    """A training step of the decoder on a device: predictions, and derivatives of all inputs."""

    def __init__(
        self, shape: Shape, density: float, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        double = {"dtype": torch.float64}
        n_features, n_views = sum(shape.sizes), len(shape.sizes)
        W, A, u, b = random_weights(
            n_features, shape.latents, shape.hidden, density=density, **double
        )
        rng = torch.Generator().manual_seed(1)
        z = torch.randn(shape.samples, shape.latents, generator=rng, **double)
        mixing = torch.stack([A.roll(view, dims=0) for view in range(n_views)])
        upstream = torch.randn(shape.samples, n_features, generator=rng, **double)
        self.inputs = [x.to(device, dtype).requires_grad_() for x in (z, W, mixing, u, b)]
        self._upstream = upstream.to(device, dtype)
        self._sizes = shape.sizes

    def __call__(self, kernel: Kernel, turns: Turns) -> Tensor:
        for x in self.inputs:
            x.grad = None
        z, W, A, u, b = self.inputs
        eta = decode(z, W, A, u, b, self._sizes, kernel=kernel, turns=turns)
        eta.backward(self._upstream)
        return eta

    def results(self, kernel: Kernel, turns: Turns) -> list[Tensor]:
        """Take a step; return predictions and derivatives, on the processor."""
        eta = self(kernel, turns)
        grads = [x.grad for x in self.inputs if x.grad is not None]
        return [x.detach().cpu() for x in (eta, *grads)]


def correctness(densities: list[float], device: torch.device) -> pd.DataFrame:
    """Worst difference of each result from the formula, a row a kernel, precision and shape."""
    rows: dict[Any, dict[str, float | str]] = {}
    for shape in CHECKED:
        for density in sorted({0.0, *densities, 1.0}):
            exact = Step(shape, density, PROCESSOR, torch.float64)
            turns = Turns(REVISIT, 1)
            expected = exact.results("reference", turns)
            visited = turns.visited(exact.inputs[1].detach())
            for dtype in (torch.float64, torch.float32):
                step = Step(shape, density, device, dtype)
                for kernel in ("sparse", "blockwise"):
                    first, second = (step.results(kernel, turns) for _ in range(2))
                    key = (kernel, str(dtype).removeprefix("torch."), str(shape))
                    row = rows.setdefault(key, dict.fromkeys(PARTS, 0.0) | {"repeats": "yes"})
                    for part, x, again, y in zip(PARTS, first, second, expected, strict=True):
                        if part == "W" and kernel == "sparse":
                            y = y.where(visited, 0.0)
                        # Not max(), which would lose what is not a number.
                        row[part] = float(np.maximum(row[part], difference(x, y)))
                        if not torch.equal(x, again):
                            row["repeats"] = "NO"
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["kernel", "precision", "shape"])
    return table


def difference(x: Tensor, y: Tensor) -> float:
    """Norm of the difference as a share of that of y; NaN stays NaN."""
    error, size = ((z.double()).norm() for z in (x - y, y))
    return float(error / size) if float(error) != 0.0 else 0.0


def require_correct(table: pd.DataFrame) -> None:
    sparse = table.loc["sparse"]
    for dtype in MOST:
        for parts, most in (
            (("eta", "u", "b"), MOST[dtype]),
            (("z", "W", "A"), MOST_JUMPING[dtype]),
        ):
            worst = sparse.loc[dtype][list(parts)].to_numpy(dtype=float).max()
            if not worst <= most:
                named = ", ".join(parts)
                sys.exit(f"the sparse kernel is wrong in {dtype} ({named}): {worst:.1e} > {most:g}")
    if (sparse["repeats"] != "yes").any():
        sys.exit("the sparse kernel does not repeat itself bit for bit")


def waited(work: Callable[[], object]) -> float:
    """Seconds of a call, until the GPU is done with it."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 4
) -> dict[str, float]:
    """Median seconds of each contender, in alternating rounds, the second of two calls in each."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(-warmup, rounds):
        for name, contender in contenders.items():
            contender()
            seconds = waited(contender)
            if round_ >= 0:
                times[name].append(seconds)
    return {name: median(seconds) for name, seconds in times.items()}


def busy(work: Callable[[], object], repeats: int = 4 * REVISIT) -> float:
    """Mean seconds for which the GPU computes in a call, gaps between its kernels left out."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(repeats):
            work()
        torch.cuda.synchronize()
    found = [
        event.self_device_time_total
        for event in profiled.key_averages()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    return sum(found) / repeats / 1e6 if sum(found) else float("nan")


def in_turns(step: Step, kernel: Kernel) -> Callable[[], object]:
    """Take steps as training does, each with the next quarter of the zero loadings."""
    steps = count()
    return lambda: step(kernel, Turns(REVISIT, next(steps) % REVISIT))


def times(
    densities: list[float], device: torch.device, rounds: int, rates: tuple[float, float]
) -> pd.DataFrame:
    rows: dict[Any, dict[str, float]] = {}
    for shape in TIMED:
        for density in densities:
            gpu, cpu = (Step(shape, density, place) for place in (device, PROCESSOR))
            contenders = {
                "sparse": in_turns(gpu, "sparse"),
                "blockwise": in_turns(gpu, "blockwise"),
            }
            found = interleaved(contenders, rounds)
            # A step there may take many seconds.
            found |= interleaved({"processor": in_turns(cpu, "sparse")}, 3, warmup=1)
            computing = busy(contenders["sparse"])
            W = cpu.inputs[1].detach()
            counted = [
                count_step(W, shape.samples, shape.hidden, Turns(REVISIT, phase))
                for phase in range(REVISIT)
            ]
            rate, bytes_a_second = rates
            operations, n_bytes = (
                mean(getattr(each, name) for each in counted) for name in ("operations", "bytes")
            )
            rows[str(shape), f"{100 * density:g} %"] = {
                "sparse ms": 1e3 * found["sparse"],
                "of it computing ms": 1e3 * computing,
                "blockwise ms": 1e3 * found["blockwise"],
                "sparse / blockwise": found["sparse"] / found["blockwise"],
                "processor / sparse": found["processor"] / found["sparse"],
                "% of operations": 100 * operations / rate / computing,
                "% of bandwidth": 100 * n_bytes / bytes_a_second / computing,
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["shape", "not zero"])
    return table


def encoder_errors(
    device: torch.device, precisions: tuple[str, ...], clock: Callable[..., dict[str, float]]
) -> pd.DataFrame:
    """Relative errors of experts and of the first layer's derivatives, and ms of both passes."""
    sizes = {"first": 5000, "second": 2000}
    rng = torch.Generator().manual_seed(2)
    values = {name: torch.randn(512, size, generator=rng) for name, size in sizes.items()}
    there = torch.ones(512, len(sizes), dtype=torch.bool)
    batch = Batch(values, dict.fromkeys(sizes), there).to(device)
    double = Batch({name: x.double() for name, x in values.items()}, batch.observed, there)
    settings = Settings().updated(encoder_dropout=0.0)
    variances = {name: torch.ones(size) for name, size in sizes.items()}
    torch.manual_seed(0)
    start = POEMS(variances, settings).state_dict()

    def model(precision: str, place: torch.device) -> POEMS:
        made = POEMS(variances, settings.updated(precision=precision))
        made.load_state_dict(start)
        return made.train().to(place)

    def passes(network: POEMS, given: Batch) -> list[Tensor]:
        network.zero_grad()
        loc, log_precision = network.experts(given)
        (loc.sin().sum() + log_precision.sin().sum()).backward()
        first = network.get_parameter("encoders.0.hidden.0.weight").grad
        assert first is not None
        return [x.detach().cpu().double() for x in (loc, log_precision, first)]

    expected = passes(model("float32", PROCESSOR).double(), double)
    models = {precision: model(precision, device) for precision in precisions}
    rows = {}
    for precision, network in models.items():
        found = passes(network, batch)
        names = ("loc", "log precision", "derivatives")
        errors = [float((x - y).norm() / y.norm()) for x, y in zip(found, expected, strict=True)]
        rows[precision] = dict(zip(names, errors, strict=True))
    seconds = clock({p: lambda p=p: passes(models[p], batch) for p in precisions})
    for precision in precisions:
        rows[precision]["ms"] = 1e3 * seconds[precision]
    return pd.DataFrame.from_dict(rows, orient="index")


def fit_errors(device: torch.device, precisions: tuple[str, ...], epochs: int) -> pd.DataFrame:
    """Compare latents with those of a first fit in single precision, whatever their order."""
    cohort = poems.simulate(n_samples=500, n_features=2000, n_factors=8, seed=0).cohort

    def fit(precision: str, seed: int) -> tuple[FittedPoems, float]:
        start = time.perf_counter()
        model = poems.fit(
            cohort,
            seed=seed,
            epochs=epochs,
            precision=precision,
            device=str(device),
            progress=False,
        )
        return model, time.perf_counter() - start

    exact, _ = fit("float32", 0)
    rows = {}
    for precision, seed in (*((p, 0) for p in precisions), ("float32", 1)):
        model, seconds = fit(precision, seed)
        found = agreement(exact, model)
        rows[precision, seed] = {
            "factors": float(model.latent.shape[1]),
            "unexplained %": 100 * unexplained(model, exact),
            "least |r|": float(found.min()),
            "median |r|": float(np.median(found)),
            "objective": float(model.history["objective"].iloc[-1]),
            "seconds": seconds,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["precision", "seed"])
    return table


def unexplained(model: FittedPoems, exact: FittedPoems) -> float:
    """Share of the variance of the second's latents that no linear map of the first's explains."""
    x, y = (each.latent.to_numpy() - each.latent.to_numpy().mean(axis=0) for each in (model, exact))
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float((rest**2).sum() / (y**2).sum())


def agreement(first: FittedPoems, second: FittedPoems) -> np.ndarray:
    """|r| of each factor of the first fit with its match; 0 where there is none.

    Matched, for factors of nearly equal size change places for any rounding.
    """
    partners = match_factors(first.loadings, second.loadings).estimated
    x, y = first.latent.to_numpy(), second.latent.to_numpy()
    return np.array(
        [0.0 if k < 0 else abs(np.corrcoef(x[:, i], y[:, k])[0, 1]) for i, k in enumerate(partners)]
    )


def show(table: pd.DataFrame, title: str, out: Path | None, name: str, cell: str = ".2f") -> None:
    """Print a table and, with a folder, write it as ``name``.csv and ``name``.md."""
    cells = table.map(lambda value: format(value, cell) if isinstance(value, float) else str(value))
    print(f"\n{title}\n{cells.to_string()}", flush=True)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / f"{name}.csv")
    keys = [row if isinstance(row, tuple) else (row,) for row in table.index]
    rows = [[*map(str, key), *row] for key, row in zip(keys, cells.to_numpy(), strict=True)]
    head = [*(name or "" for name in table.index.names), *table.columns]
    (out / f"{name}.md").write_text(f"{title}\n\n{markdown_table(head, rows)}\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = [0.01, 0.03, 0.1, 0.2, 0.3, 1.0]
    parser.add_argument("--densities", type=float, nargs="+", default=default)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=60, help="of the fits in section 4")
    parser.add_argument("--out", type=Path, help="folder for the tables, as csv and Markdown")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no GPU here (torch.cuda.is_available() is false): nothing was measured")
    if find_spec("triton") is None:
        sys.exit("Triton is not installed (pip install 'poems-omics[gpu]'): nothing was measured")
    from gpu_rates import bandwidth, operation_rate

    device = torch.device("cuda", torch.cuda.current_device())
    print(torch.cuda.get_device_name(device))
    found = correctness(args.densities, device)
    show(found, "Difference from the formula, worst over densities", args.out, "correct", ".1e")
    require_correct(found)

    before = operation_rate(device), bandwidth(device)
    table = times(args.densities, device, args.rounds, before)
    after = operation_rate(device), bandwidth(device)
    for (first, second), unit in zip(
        zip(before, after, strict=True), ("10⁹ multiply-adds/s", "GB/s"), strict=True
    ):
        print(f"{unit}: {first / 1e9:.0f} before, {second / 1e9:.0f} after")
    show(
        table,
        f"A training step, processor with {torch.get_num_threads()} threads",
        args.out,
        "times",
    )

    capable = torch.cuda.get_device_capability(device) >= (8, 0)
    precisions = ("float32", "tf32", "bf16") if capable else ("float32",)
    errors = encoder_errors(device, precisions, lambda work: interleaved(work, args.rounds))
    show(errors, "Encoders against double precision: relative errors", args.out, "encoders", ".1e")
    fits = fit_errors(device, precisions, args.epochs)
    show(fits, "Factors against a fit in single precision", args.out, "fits", ".4f")


if __name__ == "__main__":
    main()
