"""The cohort that README follows: simulated, with the files that its commands name.

    python benchmarks/readme_cohort.py FOLDER [--seed 0]

Writes mrna.csv.gz, mirna.csv.gz and protein.csv.gz (which 50 of 220 patients lack), clinical.csv
(subtype, age, stage, and follow-up that depends on the subtype), hallmarks.gmt (the genes that
each planted factor drives, and sets of others), and of 20 more patients new.csv.gz, mRNA alone.
No data set is part of the repository: this one has its kinds of tables, and a known truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import poems

FEATURES = {"mrna": 600, "mirna": 200, "protein": 120}
N, N_NEW, N_WITHOUT_PROTEIN = 220, 20, 50
# Hazard of an event in a year, by subtype.
HAZARDS = {"S1": 0.15, "S2": 0.25, "S3": 0.4, "S4": 0.8}
YEARS = 6.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_cohort(args.folder, args.seed)


def write_cohort(folder: Path, seed: int) -> None:
    """Simulate the cohort and write its files."""
    made = poems.simulate(
        N + N_NEW, FEATURES, 8, density=0.08, effect=(0.5, 1.2), n_subtypes=4, seed=seed
    )
    rng = np.random.default_rng(seed)
    names = pd.Index([f"patient_{at:03d}" for at in range(1, N + N_NEW + 1)], name="patient")
    for view in FEATURES:
        table = made.cohort.frame(view).set_axis(names).round(4)
        lacking = rng.choice(N, N_WITHOUT_PROTEIN, replace=False) if view == "protein" else []
        table.iloc[:N].drop(index=names[lacking]).to_csv(folder / f"{view}.csv.gz")
        if view == "mrna":
            table.iloc[N:].to_csv(folder / "new.csv.gz")
    clinical(made.subtypes.set_axis(names).iloc[:N], rng).to_csv(folder / "clinical.csv")
    write_gene_sets(folder / "hallmarks.gmt", made.loadings["mrna"], rng)


def clinical(subtypes: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Return a clinical table: the subtypes, what has to do with nothing, and follow-up."""
    n = len(subtypes)
    years = rng.exponential(1 / subtypes.map(HAZARDS).to_numpy(dtype=float))
    followed = rng.uniform(1.0, YEARS, n)
    return pd.DataFrame(
        {
            "subtype": subtypes,
            "age": rng.normal(61, 11, n).round().astype(int),
            "stage": rng.choice(["I", "II", "III"], n),
            "days": (365.25 * np.minimum(years, followed)).round().clip(1).astype(int),
            "status": np.where(years <= followed, "dead", "alive"),
        }
    )


def write_gene_sets(path: Path, loadings: pd.DataFrame, rng: np.random.Generator) -> None:
    """Write a set of the genes of each planted factor, with some others, and sets of others."""
    lines = []
    for factor in loadings.columns:
        driven = list(loadings.index[loadings[factor] != 0])
        others = rng.choice(loadings.index, 10, replace=False)
        genes = dict.fromkeys([*driven, *others])
        lines.append("\t".join([f"PROGRAM_{str(factor).upper()}", "planted", *genes]))
    for at in range(20):
        genes = rng.choice(loadings.index, 40, replace=False)
        lines.append("\t".join([f"OTHER_{at + 1}", "drawn at random", *genes]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
