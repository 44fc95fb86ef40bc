"""Planted cross-omic pairs: found, and by which score they are ranked best.

    python benchmarks/cross_omic.py [--truths linear mixed] [--seeds 10] [--signals 1.0 0.5]

The simulator's defaults: 300 samples, three views of 500 features, 8 factors that
each drive 5 % of them, effects of 0.6 to 1.4 (times the signal) of the noise. A pair of
features of two views is planted if a factor drives both. Area under the
precision-recall curve over all 750,000 pairs, those that share no factor in the
model at 0:

shared       the score of poems.analysis.pairs.cross_omic, of all pairs that share a factor
predicted    the correlation of all predictions, noise counted, of the same pairs
loadings     the product of the loadings, summed over the factors, of the same pairs
correlation  the correlation of the values, of all pairs: no model
reported     the score of those alone that cross_omic reports at a false discovery rate of 10 %

``power`` and ``wrong``: the share of the planted pairs that is reported, and the share of the
reported ones that is not planted. Model settings are the defaults.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

import poems
from poems.analysis import cross_omic
from poems.analysis.pairs.scores import responses
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation


def planted(simulation: Simulation) -> dict[tuple[str, str], np.ndarray]:
    """Say which pairs share a planted factor, by pair of views."""
    drives = {view: (table.to_numpy() != 0) for view, table in simulation.loadings.items()}
    return {(a, b): drives[a] @ drives[b].T for a, b in combinations(drives, 2)}


def scores(model: FittedPoems, simulation: Simulation) -> dict[str, np.ndarray]:
    """Return the sizes of all scores of all pairs, in the order of :func:`planted`."""
    told = responses(model)
    found: dict[str, list[np.ndarray]] = {}
    for a, b in combinations(model.view_names, 2):
        one, other = told[a], told[b]
        shape = (len(one.driven), len(other.driven))
        where = np.ix_(one.features, other.features)
        mask = one.driven @ other.driven.T

        def full(values: np.ndarray, where: tuple = where, shape: tuple = shape) -> np.ndarray:
            whole = np.zeros(shape)
            whole[where] = values
            return whole

        share = [
            np.sqrt(np.maximum(1 - (model.noise[view].to_numpy()[told[view].features]) ** 2, 0.0))
            for view in (a, b)
        ]
        values = [simulation.cohort[view].values for view in (a, b)]
        r = np.corrcoef(*(x.T for x in values))[: shape[0], shape[0] :]
        each = {
            "shared": full(one.curves @ other.curves.T) * mask,
            "predicted": full(np.outer(*share) * (one.drawn.T @ other.drawn)) * mask,
            "loadings": (model.loadings[a].to_numpy() @ model.loadings[b].to_numpy().T) * mask,
            "correlation": r,
        }
        for name, table in each.items():
            found.setdefault(name, []).append(np.abs(table).ravel())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def run(truth: str, signal: float, seed: int, threads: int) -> dict[str, object]:
    simulation = poems.simulate(truth=truth, effect=(0.6 * signal, 1.4 * signal), seed=seed)
    model = poems.fit(simulation.cohort, seed=seed, threads=threads, progress=False)
    right = planted(simulation)
    flat = np.concatenate([table.ravel() for table in right.values()])
    row: dict[str, object] = {"truth": truth, "signal": signal, "seed": seed}
    row |= {
        name: average_precision_score(flat, values)
        for name, values in scores(model, simulation).items()
    }
    start = time.perf_counter()
    found = cross_omic(model, simulation.cohort, most=flat.size)
    seconds = time.perf_counter() - start
    reported = {views: np.zeros(table.shape) for views, table in right.items()}
    for (a, b), rows in found.table.groupby(["view_a", "view_b"]):
        j = model.features(a).get_indexer(rows["feature_a"])
        k = model.features(b).get_indexer(rows["feature_b"])
        reported[a, b][j, k] = rows["score"].abs()
    size = np.concatenate([table.ravel() for table in reported.values()])
    return row | {
        "reported": average_precision_score(flat, size),
        "power": (size > 0)[flat].mean(),
        "wrong": 1 - flat[size > 0].mean() if size.any() else 0.0,
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truths", nargs="+", default=["linear", "mixed"])
    parser.add_argument("--signals", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = []
    for truth in args.truths:
        for signal in args.signals:
            for seed in range(args.seeds):
                rows.append(run(truth, signal, seed, args.threads))
                shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}
                print(shown, flush=True)
    table = pd.DataFrame(rows).drop(columns="seed")
    by = table.groupby(["truth", "signal"], sort=False)
    print("mean", by.mean().round(3).to_string(), sep="\n")
    print("least", by.min().round(3).to_string(), sep="\n")


if __name__ == "__main__":
    main()
