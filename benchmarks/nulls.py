"""How often an analysis reports anything where there is nothing: a family of tests at a time.

    python benchmarks/nulls.py associations [--runs 200] [--out nulls.csv]

Nominal false discovery rate 10 %; where nothing is true, whatever is reported is a false
discovery, so it should be no more than every tenth run. Fast settings: small cohorts, few
epochs. With --out, runs that the file holds already are not computed again.

associations   Cross-omic pairs. 80 samples, three views of 60 features, 4 strong factors (effects
               of 1 to 2 noise standard deviations, so that features depend on one another within a
               view). The rows of each view are permuted, each view on its own, and the model is
               refitted. ``pooled``: whether any pair has a q of 10 % or less without the
               overall p-value as the least q; ``driven``: with that, but with a universe of
               the features that the model drives. Beside it, in the first 50 runs, the power:
               the views left as they are, effects of 0.4 to 0.8, the share of the planted pairs
               that is reported, and the share of the reported ones that is wrong.

To add a family, write a function from a seed to a row of booleans (was anything reported?) and
numbers, and name it in FAMILIES.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

import poems
from poems.analysis import cross_omic
from poems.analysis.pairs.data import pair_data
from poems.analysis.pairs.null import permutation_null
from poems.analysis.pairs.scores import driven_mask
from poems.analysis.pairs.universe import all_pairs
from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems

FDR = 0.1
# Runs in which the power is computed as well.
POWER_RUNS = 50
FAST = {"epochs": 25, "n_latent": 8, "batch_size": 40, "progress": False}
SHAPE = {"n_samples": 80, "n_features": 60, "n_factors": 4, "density": 0.15}


def permuted_views(cohort: MultiOmics, seed: int) -> MultiOmics:
    """Permute the rows of each view, each view on its own."""
    rng = np.random.default_rng([seed, 1])
    views = {name: view.take(rng.permutation(len(cohort))) for name, view in cohort.views.items()}
    return replace(cohort, views=views)


def associations(seed: int) -> dict[str, object]:
    """Cross-omic associations of views that have nothing to do with one another."""
    truth = poems.simulate(**SHAPE, effect=(1.0, 2.0), seed=seed)
    cohort = permuted_views(truth.cohort, seed)
    model = poems.fit(cohort, seed=seed, **FAST)
    found = cross_omic(model, cohort, fdr=FDR, seed=seed)
    return {
        "reported": len(found.table) > 0,
        "pooled": _pooled(model, cohort, seed),
        "driven": _driven(model, cohort, seed),
        "factors": model.n_active,
        **(_power(seed) if seed < POWER_RUNS else {}),
    }


def _null(model: FittedPoems, cohort: MultiOmics, seed: int, driven: bool) -> object:
    data = pair_data(model, cohort, None, None, 10**12, seed)
    kept = dict(data.kept)
    if driven:
        kept = {
            view: np.flatnonzero(driven_mask(model, i).any(axis=1))
            for i, view in enumerate(model.view_names)
        }
    parts = all_pairs(kept)
    if not parts:
        return None
    return permutation_null(parts, data.shared, data.n_samples, n_permutations=49, seed=seed)


def _pooled(model: FittedPoems, cohort: MultiOmics, seed: int) -> bool:
    """Whether any pair of the universe has a ratio of counts of at most the nominal rate."""
    null = _null(model, cohort, seed, driven=False)
    return null is not None and bool((null._ratios()[0] <= FDR).any())


def _driven(model: FittedPoems, cohort: MultiOmics, seed: int) -> bool:
    null = _null(model, cohort, seed, driven=True)
    return null is not None and null.first_level(FDR) is not None


def _power(seed: int) -> dict[str, object]:
    truth = poems.simulate(**SHAPE, effect=(0.4, 0.8), seed=seed)
    model = poems.fit(truth.cohort, seed=seed, **FAST)
    table = cross_omic(model, truth.cohort, fdr=FDR, seed=seed, most=10**6).table
    drives = {view: table.to_numpy() != 0 for view, table in truth.loadings.items()}
    right = {(a, b): drives[a] @ drives[b].T for a, b in combinations(drives, 2)}
    n_right = 0
    for (a, b), rows in table.groupby(["view_a", "view_b"]):
        j = truth.loadings[a].index.get_indexer(rows["feature_a"])
        k = truth.loadings[b].index.get_indexer(rows["feature_b"])
        n_right += int(right[a, b][j, k].sum())
    n_planted = sum(int(each.sum()) for each in right.values())
    return {
        "power": n_right / n_planted,
        "wrong": 1 - n_right / len(table) if len(table) else 0.0,
        "any_power": len(table) > 0,
    }


FAMILIES: dict[str, Callable[[int], dict[str, object]]] = {"associations": associations}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--out", type=Path, help="table of single runs, continued if there")
    args = parser.parse_args()
    rows = []
    if args.out and args.out.exists():
        rows = pd.read_csv(args.out).to_dict(orient="records")
    done = {row["seed"] for row in rows}
    for seed in range(args.runs):
        if seed in done:
            continue
        rows.append({"seed": seed, **FAMILIES[args.family](seed)})
        if args.out:
            pd.DataFrame(rows).to_csv(args.out, index=False)
    table = pd.DataFrame(rows).drop(columns="seed").astype(float)
    error = table.std() / np.sqrt(table.count())
    summary = pd.DataFrame({"mean": table.mean(), "standard error": error})
    print(f"{args.family}: {len(table)} runs, nominal {FDR:.0%}")
    print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
