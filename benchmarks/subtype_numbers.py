"""How many subtypes are found, by every criterion, where the number is known.

    python benchmarks/subtype_numbers.py simulated [--seeds 10] [--subtypes 3 4 6]
    python benchmarks/subtype_numbers.py real DATA_DIR

simulated: cohorts at the simulator's defaults but for the number of planted subtypes, default
fits; the share of seeds in which each criterion chooses that number. "reported" is
`find_subtypes`, which takes the largest number that holds. real: the numbers chosen on labelled
cohorts beside the number of classes, and how well so many clusters agree with the labels (ARI).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import poems
from cohorts import labelled, more
from poems.analysis.subtypes.finding import find_subtypes
from poems.analysis.subtypes.numbers import subtype_numbers
from poems.clustering.agreement import ari
from poems.fitting.result import FittedPoems
from poems_benchmark.cohorts import read_benchmark_cohort


def choices(model: FittedPoems) -> dict[str, int]:
    """Return the number of subtypes by criterion."""
    reported = find_subtypes(model).n_subtypes
    found = subtype_numbers(
        model.embedding().to_numpy().astype(float),
        reported,
        latent=model.latent.to_numpy().astype(float),
    )
    return {"reported": reported, **found.best}


def simulated(seeds: int, numbers: Sequence[int]) -> None:
    rows = []
    for planted in numbers:
        for seed in range(seeds):
            cohort = poems.simulate(n_subtypes=planted, seed=seed).cohort
            rows.append(
                {"planted": planted, **choices(poems.fit(cohort, seed=seed, progress=False))}
            )
            print(seed, rows[-1], flush=True)
    table = pd.DataFrame(rows)
    right = table.drop(columns="planted").eq(table["planted"], axis=0)
    print("share of seeds in which the planted number is chosen")
    print(right.groupby(table["planted"]).mean().round(2).to_string())


def real(data: Path) -> None:
    rows: list[dict[str, Any]] = []
    for spec in (*labelled(data), *more(data)):
        cohort = read_benchmark_cohort(spec)
        model = poems.fit(cohort, progress=False)
        found = choices(model)
        for label in spec.labels:
            known = cohort.obs[label].notna()
            truth = cohort.obs.loc[known, label].astype(str)
            row: dict[str, Any] = {
                "cohort": spec.name, "label": label, "classes": truth.nunique(), **found
            }  # fmt: skip
            for criterion, k in found.items():
                own = find_subtypes(model, k).assignment[known]
                row[f"ari {criterion}"] = ari(truth, own)
            rows.append(row)
            print(
                {k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
    print(pd.DataFrame(rows).round(2).to_string(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    on_simulated = what.add_parser("simulated")
    on_simulated.add_argument("--seeds", type=int, default=10)
    on_simulated.add_argument("--subtypes", nargs="+", type=int, default=[3, 4, 6])
    what.add_parser("real").add_argument("data", type=Path)
    args = parser.parse_args()
    if args.what == "real":
        real(args.data)
    else:
        simulated(args.seeds, args.subtypes)


if __name__ == "__main__":
    main()
