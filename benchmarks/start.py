"""Where the decoder's heads start: along the linear effects, at random, or in part along them.

    python benchmarks/start.py [--seeds 2] [--jobs 2]

Every start is that of the loadings from rotated principal components; what differs are the
hidden weights and heads (``SparseDecoder.start_from``), and the number of steps:

f1          support F1 of the simulation of benchmarks/recovery.py at 0.25 and 0.375 of its signal
power       share of the true pairs of feature and factor that a single fit of the cohorts of
            benchmarks/fdr.py finds, 100 samples with weak effects, independent noise
wrong       share of the pairs found that are wrong, weak effects, independent noise
correlated  the same in correlated noise, effects of medium size, 100 and 300 samples
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
import pandas as pd

import fdr
import poems
import poems.nn.decoder as decoder
import recovery

# Size of the linear part and of what was drawn, and steps.
STARTS = {
    "at random, 320 steps": (0.0, 0.4, 320),
    "at random, 160 steps": (0.0, 0.4, 160),
    "linear, 160 steps": (0.4, 1e-3, 160),
    "in part linear, 160 steps": (decoder._LINEAR_PART, decoder._DRAWN_PART, 160),
    "in part linear, 320 steps": (decoder._LINEAR_PART, decoder._DRAWN_PART, 320),
}


def epochs(steps: int, n_samples: int) -> int:
    return math.ceil(steps / math.ceil(n_samples / 128))


def set_start(start: str) -> int:
    decoder._LINEAR_PART, decoder._DRAWN_PART, steps = STARTS[start]
    return steps


def recovered(start: str, truth: str, signal: float, seed: int) -> dict[str, object]:
    settings = {"epochs": epochs(set_start(start), 500)}
    found = recovery.run(truth, signal, seed, 1, settings)
    return {"start": start, f"f1 at {signal:g}": found["f1"]}


def wrong_pairs(start: str, n: int, effect: str, noise: str, seed: int) -> dict[str, object]:
    steps = set_start(start)
    simulation = poems.simulate(
        n, 100, 5, density=0.1, effect=fdr.EFFECTS[effect], n_subtypes=1, seed=seed
    )
    cohort = fdr.correlated(simulation) if noise == "correlated" else simulation.cohort
    model = poems.fit(cohort, seed=seed, epochs=epochs(steps, n), progress=False)
    right = fdr.right_pairs(simulation.loadings, model.loadings)
    n_true = sum(int((each != 0).sum().sum()) for each in simulation.loadings.values())
    found = {view: table.to_numpy() != 0 for view, table in model.loadings.items()}
    wrong, power = fdr.scores(found, right, n_true)
    if noise == "correlated":
        return {"start": start, f"correlated, n = {n}": wrong}
    return {"start": start, "wrong": wrong, "power": power}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    seeds = range(args.seeds)
    with ProcessPoolExecutor(args.jobs) as pool:
        running = [
            pool.submit(recovered, *cell)
            for cell in product(STARTS, ("linear", "saturating"), (0.25, 0.375), seeds)
        ]
        cohorts = [(100, "weak", "independent"), (100, "medium", "correlated")]
        cohorts.append((300, "medium", "correlated"))
        running += [
            pool.submit(wrong_pairs, start, *cohort, seed)
            for start, cohort, seed in product(STARTS, cohorts, seeds)
        ]
        table = pd.DataFrame([each.result() for each in running])
    print(table.groupby("start").mean().reindex(list(STARTS)).round(3).to_string(na_rep=""))
    assert np.isfinite(table.groupby("start").mean()).all(axis=None)


if __name__ == "__main__":
    main()
