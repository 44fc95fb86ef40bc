"""Recovery of planted sparse factors, over truths, signal strengths and seeds.

    python benchmarks/recovery.py [--truths linear saturating] [--signals 1.0] [--seeds 5]

500 samples, three views of 500 features, 8 planted factors, 5 % density, effects
between 0.6 and 1.4 (times the signal) of the noise's standard deviation with
random sign; fitted from 16 factors. F1 is that of the non-zero pattern after
matching factors; surplus factors count as errors.
"""

from __future__ import annotations

import argparse
import time
import tomllib

import numpy as np
import pandas as pd

import poems
from poems.evaluation.matching import support_scores


def run(
    truth: str, signal: float, seed: int, threads: int, settings: dict[str, object]
) -> dict[str, object]:
    simulation = poems.simulate(
        500,
        500,
        8,
        density=0.05,
        effect=(0.6 * signal, 1.4 * signal),
        truth=truth,
        n_subtypes=1,
        seed=seed,
    )
    start = time.perf_counter()
    model = poems.fit(simulation.cohort, seed=seed, threads=threads, progress=False, **settings)
    seconds = time.perf_counter() - start
    scores = support_scores(simulation.loadings, model.loadings)
    return {
        "truth": truth,
        "signal": signal,
        "seed": seed,
        "f1": scores.f1,
        "precision": scores.precision,
        "recall": scores.recall,
        "factors": model.n_active,
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truths", nargs="+", default=["linear", "saturating"])
    parser.add_argument("--signals", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--settings",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="other than the defaults, with values as in TOML",
    )
    args = parser.parse_args()
    settings = tomllib.loads("\n".join(args.settings))
    rows = []
    for truth in args.truths:
        for signal in args.signals:
            for seed in range(args.seeds):
                rows.append(run(truth, signal, seed, args.threads, settings))
                print(
                    {k: np.round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()},
                    flush=True,
                )
    table = pd.DataFrame(rows)
    summary = table.groupby(["truth", "signal"]).agg(
        f1=("f1", "mean"),
        f1_sd=("f1", "std"),
        f1_least=("f1", "min"),
        precision=("precision", "mean"),
        recall=("recall", "mean"),
        factors_least=("factors", "min"),
        factors_most=("factors", "max"),
        seconds_most=("seconds", "max"),
    )
    print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
