"""Markers of subtypes: errors where there is nothing to find, and power where there is.

    python benchmarks/null_markers.py null [--runs 200]
    python benchmarks/null_markers.py power [--runs 20]
    python benchmarks/null_markers.py real DATA_DIR [--cohorts brca_mixomics gbm_stategra]

null: cohorts of 100 samples with three views, a simulated one, one of counts that are mostly
0 and one of rare mutations, every feature permuted on its own; fitted (30 epochs),
clustered into three, tested. Printed is the share of cohorts in which any marker is
reported at a false discovery rate of 10 %, with its standard error, by how the features are
tested: "naive" against the very subtypes that they helped to form, "cross-fitted" as
`poems.analysis.subtypes.markers` does, with 1, 3 and 5 splits.

power: simulated cohorts with planted subtypes, whose number is given, effects as given. Power is
the share of the features that truly differ between planted subtypes (those that a factor drives
whose mean differs) that are markers of any subtype, fdp the share of other features among those
found; "planted" are tests against the planted subtypes, which no analysis knows.

real: numbers of features that are markers of any subtype. "refits" forms the subtypes of
either half by fitting POEMS to that half (three splits), in place of a network of its views.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import poems
from cohorts import DESCRIPTIONS
from poems.analysis.subtypes.finding import find_subtypes
from poems.analysis.subtypes.half_subtypes import HalfSubtypes, half_subtypes, matched
from poems.analysis.subtypes.marker_tests import marker_table
from poems.data.container import MultiOmics, View
from poems.fitting.result import FittedPoems
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import prepare
from poems_benchmark.cohorts import read_benchmark_cohort, read_cohort_specs

FDR = 0.1
FAST = {"epochs": 30, "progress": False}
SPLITS = (1, 3, 5)
# Subtypes that noise is divided into; by itself the rule finds one, which has no markers.
N_NULL = 3
EFFECTS = {"weak": (0.3, 0.6), "medium": (0.5, 1.0), "default": (0.6, 1.4)}


def whole(data: Batch, codes: np.ndarray) -> list[HalfSubtypes]:
    """Test all features against the same subtypes."""
    every = {view: np.arange(width) for view, width in data.n_features.items()}
    none = {view: np.arange(0) for view in every}
    size = np.ones(int(codes.max()) + 1)
    return [HalfSubtypes(every, codes, 1.0, size), HalfSubtypes(none, codes, 1.0, size)]


def codes_of(model: FittedPoems, n_subtypes: int | None = None) -> tuple[np.ndarray, list[str]]:
    found = find_subtypes(model, n_subtypes)
    names = [str(name) for name in found.sizes.index]
    return np.array([names.index(name) for name in found.assignment], dtype=np.intp), names


def halves_of(
    data: Batch, codes: np.ndarray, k: int, n_splits: int, seed: int
) -> list[HalfSubtypes]:
    pairs = (half_subtypes(data, codes, k, seed=seed + split) for split in range(n_splits))
    return [half for pair in pairs for half in pair]


def tests_of(model: FittedPoems, data: Batch, seed: int, number: int) -> dict[str, pd.DataFrame]:
    """Test so many subtypes of a fit in every way: tables of markers."""
    codes, names = codes_of(model, number)
    halves = halves_of(data, codes, len(names), max(SPLITS), seed)
    return {
        "naive": marker_table(model, data, codes, names, whole(data, codes)),
        **{
            f"cross-fitted {n}": marker_table(model, data, codes, names, halves[: 2 * n])
            for n in SPLITS
        },
    }


def permuted(cohort: MultiOmics, rng: np.random.Generator) -> MultiOmics:
    """Permute every feature on its own."""
    views = {
        name: View(rng.permuted(view.values, axis=0), view.features, view.measured)
        for name, view in cohort.views.items()
    }
    return replace(cohort, views=views)


def null_cohort(seed: int) -> MultiOmics:
    rng = np.random.default_rng(seed)
    simulated = poems.simulate(100, {"rna": 150}, 5, density=0.1, seed=seed).cohort
    counts = rng.poisson(rng.gamma(0.5, 2.0, size=(100, 60)) * rng.uniform(0.05, 1.0, 60))
    mutations = rng.random((100, 60)) < rng.uniform(0.02, 0.2, 60)
    tables = {"rna": pd.DataFrame(simulated["rna"].values)}
    tables["counts"] = pd.DataFrame(np.log1p(counts))
    tables["mutation"] = pd.DataFrame(mutations.astype(float))
    tables = {view: table.set_axis([f"s{i}" for i in range(100)]) for view, table in tables.items()}
    named = {v: t.set_axis([f"{v}_{j}" for j in t.columns], axis=1) for v, t in tables.items()}
    return permuted(poems.read(named), rng)


def null(runs: int) -> None:
    rows = []
    for seed in range(runs):
        cohort = null_cohort(seed)
        model = poems.fit(cohort, seed=seed, **FAST)
        data, _ = prepare(model.preprocessing, cohort)
        found = tests_of(model, data, seed, N_NULL)
        rows.append({way: int((table["q"] <= FDR).sum()) for way, table in found.items()})
        if (seed + 1) % 20 == 0:
            print_null(pd.DataFrame(rows))


def print_null(counts: pd.DataFrame) -> None:
    any_found = counts > 0
    table = pd.DataFrame(
        {
            "any marker": any_found.mean(),
            "se": any_found.std() / len(counts) ** 0.5,
            "mean number": counts.mean(),
        }
    )
    print(f"{len(counts)} cohorts", table.round(3).to_string(), sep="\n", flush=True)


def features_found(table: pd.DataFrame) -> set[tuple[str, str]]:
    some = table[table["q"] <= FDR]
    return set(zip(some["view"], some["feature"], strict=True))


def power(runs: int) -> None:
    rows = []
    for effect, size in EFFECTS.items():
        for seed in range(runs):
            simulation = poems.simulate(200, 100, 6, density=0.1, effect=size, seed=seed)
            model = poems.fit(simulation.cohort, seed=seed, **FAST)
            data, _ = prepare(model.preprocessing, simulation.cohort)
            names = sorted(set(simulation.subtypes))
            found = tests_of(model, data, seed, len(names))
            planted = np.array([names.index(name) for name in simulation.subtypes], dtype=np.intp)
            found["planted"] = marker_table(model, data, planted, names, whole(data, planted))
            # The first factors, one fewer than subtypes, differ in mean between them.
            true = {
                (view, feature)
                for view, table in simulation.loadings.items()
                for feature in table.index[(table.iloc[:, : len(names) - 1] != 0).any(axis=1)]
            }
            for way, table in found.items():
                some = features_found(table)
                rows.append(
                    {
                        "effect": effect,
                        "way": way,
                        "power": len(some & true) / len(true),
                        "fdp": len(some - true) / max(len(some), 1),
                    }
                )
    table = pd.DataFrame(rows).groupby(["effect", "way"], sort=False).mean()
    print(table.round(3).to_string())


def refitted(
    cohort: MultiOmics, data: Batch, codes: np.ndarray, names: Sequence[str], seed: int
) -> list[HalfSubtypes]:
    """Form the subtypes of both halves by fits to them."""
    first, second = half_subtypes(data, codes, len(names), seed=seed)
    found = []
    for own, other in ((first, second), (second, first)):
        part = replace(
            cohort,
            views={
                name: View(view.values[:, at], view.features[at], view.measured)
                for name, view in cohort.views.items()
                if len(at := other.features[name])
            },
        )
        again, _ = codes_of(poems.fit(part, seed=seed, progress=False), len(names))
        found.append(HalfSubtypes(own.features, *matched(again, codes, len(names))))
    return found


def real(data_dir: Path, cohorts: Sequence[str]) -> None:
    specs = [s for s in read_cohort_specs(DESCRIPTIONS, data_dir) if s.name in cohorts]
    for spec in specs:
        cohort = read_benchmark_cohort(spec)
        model = poems.fit(cohort, progress=False)
        # The model's features alone, so that columns of one are columns of the other.
        cohort = replace(
            cohort,
            views={
                name: View(
                    view.values[:, view.features.get_indexer(model.features(name))],
                    model.features(name),
                    view.measured,
                )
                for name, view in cohort.views.items()
            },
        )
        data, _ = prepare(model.preprocessing, cohort)
        codes, names = codes_of(model)
        ways = {
            "naive": whole(data, codes),
            "cross-fitted 3": halves_of(data, codes, len(names), 3, 0),
            "refits": [h for s in range(3) for h in refitted(cohort, data, codes, names, s)],
        }
        tables = {w: marker_table(model, data, codes, names, h) for w, h in ways.items()}
        naive = features_found(tables["naive"])
        rows = {
            way: {
                "features": len(features_found(table)),
                "of the naive": len(features_found(table) & naive) / max(len(naive), 1),
                "pairs": int((table["q"] <= FDR).sum()),
                "ari": float(np.mean([half.ari for half in ways[way]])),
            }
            for way, table in tables.items()
        }
        n_features = sum(data.n_features.values())
        sizes = f"{len(cohort.samples)} samples, {n_features} features, {len(names)} subtypes"
        print(f"{spec.name}: {sizes}")
        print(pd.DataFrame(rows).T.round(2).to_string(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    for name, runs in (("null", 200), ("power", 20)):
        what.add_parser(name).add_argument("--runs", type=int, default=runs)
    on_real = what.add_parser("real")
    on_real.add_argument("data", type=Path)
    on_real.add_argument("--cohorts", nargs="+", default=["brca_mixomics_3", "gbm_stategra"])
    args = parser.parse_args()
    if args.what == "real":
        real(args.data, args.cohorts)
    else:
        {"null": null, "power": power}[args.what](args.runs)


if __name__ == "__main__":
    main()
