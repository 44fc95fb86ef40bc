"""What each pass written by hand earns: a default fit, and its step, without it.

    python benchmarks/speed/passes.py [--pairs 7] [--sizes small middle large] [--out speed]

Each pass is switched off in turn, so that what PyTorch, or for `vectors` numba's own loops, would
do takes its place, and a whole default fit of a simulated cohort is timed beside one with every
pass on. Fits of a pair have the same seed and follow one another; each pair has a seed of its own,
for rounding alone can make a fit denser or sparser. Processes have one thread, and what counts is
processor time, user and system, which a shared machine does not lengthen by making a process wait.
A step is what training takes, schedules included, divided by its steps. Compiling, imports and a
first fit that brings back caches are not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pandas as pd

from measuring import parser, show
from poems_benchmark.running.threads import threads_of_children

SIZES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "small": (169, {"a": 1740, "b": 443}),
    "middle": (348, {"a": 600, "b": 600, "c": 600}),
    "large": (875, {"a": 1000, "b": 1000, "c": 503}),
}
# Who asks whether compiled kernels serve a device, by what the answer decides about.
ASKED_BY = {
    "gaussian": ("poems.nn.likelihoods.gaussian",),
    "adam": ("poems.training.adam",),
    "proximal": ("poems.training.proximal",),
}
# Of one file, and of a few per cent each.
ASKED_BY["adam and proximal"] = (*ASKED_BY["adam"], *ASKED_BY["proximal"])
VECTORS = "vectors"
ALL_ON = "all"
PASSES = (*ASKED_BY, "norms", VECTORS)


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let PyTorch's operations take the place of a pass, in this process."""
    patches: list[Any] = [
        patch(f"{module}.compiled_for", lambda device: False) for module in ASKED_BY.get(name, ())
    ]
    if name == "norms":
        patches.append(patch("poems.nn.kernels.sparse.OPTIONS", ("keep",)))
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def plain_vectors() -> None:
    """Put loops that numba compiles in the place of LLVM's vector instructions.

    Before the kernels are imported, and with a cache of its own: numba does not
    see that what a compiled function calls is another.
    """
    vectors = import_module("poems.nn.kernels.vectors")
    compiled = import_module("poems.nn.kernels.compiling").compiled
    lanes = vectors.LANES

    @compiled
    def add_inputs(n, fresh, Q, P, k, at, first, last, inputs):  # type: ignore[no-untyped-def]
        for a in range(first, last):
            into = inputs[a - first]
            if fresh:
                for i in range(lanes):
                    into[i] = Q[k, a] * P[k, at + i]
            for row in range(k + 1 if fresh else k, k + n):
                for i in range(lanes):
                    into[i] += Q[row, a] * P[row, at + i]

    @compiled
    def add_sums(n, V, out, k, at, first, last, inputs):  # type: ignore[no-untyped-def]
        zero = out.dtype.type(0)
        for row in range(k, k + n):
            for a in range(first, last):
                value, inside = V[row, a], inputs[a - first]
                for i in range(lanes):
                    out[row, at + i] += value if inside[i] > zero else zero

    @compiled
    def pair_sums(Q, P, V, out, at):  # type: ignore[no-untyped-def]
        zero = out.dtype.type(0)
        for row in range(2):
            for i in range(lanes):
                out[row, at + i] = zero
        for a in range(Q.shape[1]):
            q0, q1, v0, v1 = Q[0, a], Q[1, a], V[0, a], V[1, a]
            for i in range(lanes):
                inside = q0 * P[0, at + i] + q1 * P[1, at + i] > zero
                out[0, at + i] += v0 if inside else zero
                out[1, at + i] += v1 if inside else zero

    vectors.add_inputs, vectors.add_sums, vectors.pair_sums = add_inputs, add_sums, pair_sums


_COHORTS: dict[str, Any] = {}


def fit(size: str, name: str, seed: int, epochs: int | None = None) -> dict[str, float]:
    """Fit once without a pass: processor seconds, and milliseconds a step; in a child process."""
    import poems.fitting.fit
    from poems.simulation.cohort import simulate
    from poems.training.optimizer import Optimizer

    if size not in _COHORTS:
        n_samples, n_features = SIZES[size]
        _COHORTS[size] = simulate(n_samples, n_features, seed=0).cohort
    spent, n_steps, train, step = 0.0, 0, poems.fitting.fit.train, Optimizer.step

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal spent
        start = time.process_time()
        trained = train(*arguments, **named)
        spent = time.process_time() - start
        return trained

    def counted(self: Optimizer, *arguments: Any, **named: Any) -> float:
        nonlocal n_steps
        n_steps += 1
        return step(self, *arguments, **named)

    more = {} if epochs is None else {"epochs": epochs}
    with without(name), patch("poems.fitting.fit.train", timed), patch.object(
        Optimizer, "step", counted
    ):  # fmt: skip
        start = time.process_time()
        poems.fitting.fit.fit(_COHORTS[size], seed=seed, threads=1, progress=False, **more)
        seconds = time.process_time() - start
    return {"fit s": seconds, "step ms": 1e3 * spent / n_steps}


def compare(
    size: str, run: Callable[[str, int], dict[str, float]], pairs: int, passes: tuple[str, ...]
) -> pd.DataFrame:
    """Time pairs of fits, the one with all passes on first in every second pair."""
    records = []
    for pair in range(pairs):
        for name in passes:
            both = (ALL_ON, name) if pair % 2 else (name, ALL_ON)
            for contender in both:
                found = run(contender, pair)
                records.append({"pass": name, "pair": pair, "on": contender == ALL_ON} | found)
        print(f"{size}: pair {pair + 1} of {pairs}", flush=True)
    return pd.DataFrame(records)


def summary(records: pd.DataFrame) -> pd.DataFrame:
    """Bring fits to a row a pass: medians with all on, and of the pairs' ratios, with quartiles."""
    rows = {}
    for name, own in records.groupby("pass", sort=False):
        cells = {}
        for what in ("fit s", "step ms"):
            times = own.pivot(index="pair", columns="on", values=what)
            loss = 100 * (times[False] / times[True] - 1)
            cells |= {
                what: times[True].median(),
                f"{what.split()[0]} without, %": loss.median(),
                f"{what.split()[0]} quartiles": f"{loss.quantile(0.25):+.0f} to "
                f"{loss.quantile(0.75):+.0f}",
            }
        rows[name] = cells
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pass")


@contextmanager
def workers(cache: str) -> Iterator[Callable[..., dict[str, float]]]:
    """Two child processes that wait: one with the vectors, and one without."""
    context = get_context("spawn")
    with threads_of_children(1), ExitStack() as stack:
        usual = stack.enter_context(ProcessPoolExecutor(1, mp_context=context))
        usual.submit(os.getpid).result()
        with patch.dict(os.environ, NUMBA_CACHE_DIR=cache):
            plain = stack.enter_context(
                ProcessPoolExecutor(1, mp_context=context, initializer=plain_vectors)
            )
            plain.submit(os.getpid).result()

        def run(size: str, name: str, seed: int, epochs: int | None = None) -> dict[str, float]:
            pool = plain if name == VECTORS else usual
            return pool.submit(fit, size, name, seed, epochs).result()

        yield run


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    arguments.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    args = arguments.parse_args()
    with TemporaryDirectory() as cache, workers(cache) as run:
        for size in args.sizes:
            for name in (ALL_ON, *args.passes):
                run(size, name, 0, 6)
            records = compare(
                size, lambda name, seed, of=size: run(of, name, seed), args.pairs,
                tuple(args.passes),
            )  # fmt: skip
            n_samples, n_features = SIZES[size]
            title = f"{n_samples} x ({' + '.join(map(str, n_features.values()))})"
            told = f"{title}: without a pass, medians of {args.pairs} pairs, one thread, CPU time"
            show(summary(records), told, args.out, f"passes-{size}", digits=1)


if __name__ == "__main__":
    main()
