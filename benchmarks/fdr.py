"""Realised against nominal false discovery rate of the biomarkers of ``poems.stability``.

    python benchmarks/fdr.py [--seeds 1] [--runs 10] [--jobs 1] [--out fdr.csv]
    python benchmarks/fdr.py --family counts --samples 300 --effects medium --seeds 5
    python benchmarks/fdr.py --effects weak --noise correlated --first-seed 10 --seeds 3

Simulated cohorts of three views of 100 features and 5 factors, each driving 10 % of
the features; n samples, effects in units of the noise's standard deviation, linear or
saturating, noise independent or correlated between neighbouring features (AR(1), 0.5).
With --family all three views are negative binomial counts, or 0 and 1, with independent noise and
linear effects (half as large for counts, on their logarithm), and fitted as such by ``auto``.
Default settings. A discovery is a pair of feature and factor; it is wrong unless the
true factor that the factor is matched to drives the feature. The proportion of wrong
ones is averaged over cohorts, 0 where nothing was selected; power is the share of all
true pairs that was found. "fit" is the reference fit alone: all its non-zero loadings.
"spare" is the share of what is found at a nominal 0.1 in factors that are none of the true
ones, every pair of which is wrong. With --out, cohorts that the file holds already are not
computed again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import poems
from poems.data.container import MultiOmics, View
from poems.resampling.factor_matching import match_factors
from poems.simulation.cohort import Simulation

EFFECTS = {"weak": (0.3, 0.6), "medium": (0.5, 1.0)}
NOMINAL = (0.05, 0.1, 0.2)
AR = 0.5
NOISES = ("independent", "correlated")
CELL = ["family", "n", "effect", "truth", "noise"]
#: What the values of each family are.
FAMILIES = {"gaussian": None, "counts": "negative_binomial", "binary": "bernoulli"}


def correlated(simulation: Simulation) -> MultiOmics:
    """Replace the noise by one that is correlated between neighbouring features."""
    views = {}
    for name, view in simulation.cohort.views.items():
        signal = simulation.signal[name].to_numpy()
        noise = view.values - signal
        for j in range(1, noise.shape[1]):
            noise[:, j] = AR * noise[:, j - 1] + np.sqrt(1 - AR**2) * noise[:, j]
        views[name] = View((signal + noise).astype(np.float32), view.features, view.measured)
    return replace(simulation.cohort, views=views)


def right_pairs(
    truth: Mapping[str, pd.DataFrame], found: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Say which pairs are right, as tables like ``found``."""
    match = match_factors(truth, found)
    matched = match.estimated >= 0
    right = {}
    for view, table in found.items():
        values = np.zeros(table.shape, dtype=bool)
        values[:, match.estimated[matched]] = truth[view].to_numpy()[:, matched] != 0
        right[view] = pd.DataFrame(values, index=table.index, columns=table.columns)
    return right


def scores(
    selected: Mapping[str, np.ndarray], right: Mapping[str, pd.DataFrame], n_true: int
) -> tuple[float, float]:
    """Return the proportion of wrong pairs and the power of a selection."""
    n = sum(int(each.sum()) for each in selected.values())
    n_right = sum(int((selected[view] & right[view].to_numpy()).sum()) for view in selected)
    return (n - n_right) / max(n, 1), n_right / n_true


def run(
    family: str, n: int, effect: str, truth: str, noise: str, seed: int, **how: Any
) -> dict[str, object]:
    kind = FAMILIES[family]
    kinds = None if kind is None else dict.fromkeys(("view1", "view2", "view3"), kind)
    simulation = poems.simulate(
        n, 100, 5, density=0.1, effect=EFFECTS[effect], truth=truth, n_subtypes=1, seed=seed,
        kinds=kinds,
    )  # fmt: skip
    cohort = correlated(simulation) if noise == "correlated" else simulation.cohort
    start = time.perf_counter()
    found = poems.stability(cohort, seed=seed, progress=False, **how)
    seconds = time.perf_counter() - start
    right = right_pairs(simulation.loadings, found.reference.loadings)
    n_true = sum(int((each != 0).sum().sum()) for each in simulation.loadings.values())
    row: dict[str, object] = {
        "family": family, "n": n, "effect": effect, "truth": truth, "noise": noise, "seed": seed,
        "factors": found.reference.n_active,
        "stable": int((found.factor_stability["found"] >= 0.5).sum()),
    }  # fmt: skip
    fitted = {view: table.to_numpy() != 0 for view, table in found.reference.loadings.items()}
    row["fdp_fit"], row["power_fit"] = scores(fitted, right, n_true)
    for nominal in NOMINAL:
        selected = {view: q.to_numpy() <= nominal for view, q in found.q_values.items()}
        row[f"fdp_{nominal:g}"], row[f"power_{nominal:g}"] = scores(selected, right, n_true)
    selected = {view: q.to_numpy() <= 0.1 for view, q in found.q_values.items()}
    n = sum(int(each.sum()) for each in selected.values())
    spare = [
        factor
        for factor in found.reference.factor_names
        if not any(right[view][factor].any() for view in right)
    ]
    n_spare = sum(
        int(selected[view][:, [table.columns.get_loc(each) for each in spare]].sum())
        for view, table in found.q_values.items()
    )
    row["spare_0.1"] = n_spare / max(n, 1)
    return {**row, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--family", choices=FAMILIES, default="gaussian")
    parser.add_argument("--effects", nargs="+", choices=EFFECTS, default=list(EFFECTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--noise", nargs="+", choices=NOISES, default=list(NOISES))
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--permutations", type=int, default=1)
    parser.add_argument("--resample", default="subsample", help="subsample, bootstrap or none")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="table of single cohorts, continued if there")
    args = parser.parse_args()
    plain = args.family != "gaussian"
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    cells = product(
        seeds, (args.family,), args.samples, args.effects,
        ("linear",) if plain else ("linear", "saturating"),
        ("independent",) if plain else args.noise,
    )  # fmt: skip
    how = {
        "n_runs": args.runs, "resample": args.resample, "n_jobs": args.jobs,
        "n_permutations": args.permutations,
    }  # fmt: skip
    rows = []
    if args.out and args.out.exists():
        before = pd.read_csv(args.out)
        # Tables of before there were families.
        before["family"] = before.get("family", "gaussian")
        rows = before.to_dict(orient="records")
    done = {tuple(row[key] for key in ["seed", *CELL]) for row in rows}
    for cell in cells:
        if cell in done:
            continue
        seed, *rest = cell
        rows.append(run(*rest, seed, **how))
        print(
            {k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True
        )
        if args.out:
            pd.DataFrame(rows).to_csv(args.out, index=False)
    table = pd.DataFrame(rows)
    columns = [name for name in table.columns if name.startswith(("fdp", "power", "spare"))]
    print(table.groupby(CELL, sort=False)[columns].mean().round(3).to_string())
    for by in CELL:
        print(table.groupby(by, sort=False)[columns].mean().round(3).to_string())
    summary = table[columns].agg(["mean", "sem", "max"]).round(3)
    print(f"all {len(table)} cohorts", summary.to_string(), sep="\n")


if __name__ == "__main__":
    main()
