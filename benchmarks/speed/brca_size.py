"""The whole default fit of a cohort of the paper's BRCA size, and with the published decoder.

    python benchmarks/speed/brca_size.py [--threads 1] [--rounds 3] [--out speed]

A simulated cohort of 875 samples and views of 1000, 1000 and 503 features. POEMS with its
defaults: seconds and peak memory of poems.fit, network included, and of the
model's training within it. Then the same training (encoders, prior, optimiser and all) with the
published vectorised decoder, dropout 0.2, in place of the sparse one: its first epochs are
measured, and extrapolated to as many steps, for its time does not depend on how sparse the loadings
are. Training is processor time. Processes of their own, in alternating rounds; imports and
compilation are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
from torch import Tensor

from decoders import by_view, vectorised_decode
from measuring import in_child, parser, show

SIZES = {"mrna": 1000, "methylation": 1000, "mirna": 503}
N_SAMPLES = 875
WHOLE, SWAPPED = "POEMS, whole fit", "published decoder, first epochs"


def fit(which: str, threads: int, epochs: int, seed: int) -> dict[str, float]:
    """Fit once; called in a process of its own."""
    from poems.fitting import fit as fitting
    from poems.nn import decoder as poems_decoder
    from poems.settings.schema import Settings
    from poems.simulation.cohort import simulate
    from poems_benchmark.running.memory import forget_peak_memory, memory_mb, peak_memory_mb

    tiny = simulate(n_samples=40, n_features=30, n_factors=3, n_views=2, seed=0).cohort
    fitting.fit(tiny, epochs=2, threads=threads, progress=False)
    cohort = simulate(N_SAMPLES, SIZES, 12, density=0.05, seed=0).cohort
    settings = Settings()
    if which == SWAPPED:
        poems_decoder.decode = published_decode
        settings = settings.updated(epochs=epochs)
    model_seconds = timed(fitting, "train")
    forget_peak_memory()
    before = memory_mb() or float("nan")
    start, cpu = time.perf_counter(), time.process_time()
    model = fitting.fit(cohort, seed=seed, settings=settings, threads=threads, progress=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    steps = len(model.history) * -(-N_SAMPLES // settings.training.batch_size)
    peak = peak_memory_mb() or float("nan")
    return {
        "seconds": seconds,
        "CPU seconds": cpu,
        "training": sum(model_seconds),
        "steps": steps,
        "ms a step": 1e3 * sum(model_seconds) / steps,
        "peak MB": peak,
        "added MB": peak - before,
    }


def published_decode(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, b: Tensor, sizes: list[int], **_: Any
) -> Tensor:
    return by_view(partial(vectorised_decode, dropout=0.2), z, W, A, u, b, sizes)


def timed(module: Any, name: str) -> list[float]:
    """Let a module's function note the processor time of its calls."""
    inner: Callable[..., Any] = getattr(module, name)
    seconds: list[float] = []

    def outer(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        found = inner(*args, **kwargs)
        seconds.append(time.process_time() - start)
        return found

    setattr(module, name, outer)
    return seconds


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--epochs", type=int, default=3, help="of the published decoder")
    args = arguments.parse_args()
    records = []
    for round_ in range(args.rounds):
        for which in (WHOLE, SWAPPED):
            found = in_child(fit, which, args.threads, args.epochs, round_, threads=args.threads)
            records.append({"fit": which} | found)
            print(which, f"{found['seconds']:.1f} s", flush=True)
    table = pd.DataFrame(records).groupby("fit", sort=False).median()
    ours, theirs = table.loc[WHOLE], table.loc[SWAPPED]
    extrapolated = ours.copy()
    extrapolated["ms a step"], extrapolated["training"] = (
        theirs["ms a step"],
        theirs["ms a step"] * ours["steps"] / 1e3,
    )
    extrapolated["CPU seconds"] += extrapolated["training"] - ours["training"]
    extrapolated["seconds"] = float("nan")
    extrapolated["peak MB"], extrapolated["added MB"] = theirs["peak MB"], theirs["added MB"]
    table.loc["published decoder, extrapolated"] = extrapolated
    table.loc["ratio, extrapolated / POEMS"] = extrapolated / ours
    told = f"{N_SAMPLES} samples, {' + '.join(map(str, SIZES.values()))} features"
    show(
        table,
        f"A fit of the BRCA cohort's size: {told}, threads: {args.threads}",
        args.out,
        f"brca-size-{args.threads}",
    )


if __name__ == "__main__":
    main()
