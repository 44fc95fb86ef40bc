"""Does a planted view without any signal get the smallest contribution? Gate and effect compared.

    python benchmarks/contributions.py OUT.csv [--seeds 10]

Cohorts of three views of which one, another with each seed, is noise: no factor is active in
it. Fitted with the default settings. A row a cohort and view: the mean gate, the mean shift of the
latent when the view is withheld, and how many samples change their subtype. Rows that
OUT.csv holds already are not measured again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import poems
from poems.analysis import find_subtypes, view_contributions
from poems.files.csv_tables import write_csv

N_VIEWS, N_FACTORS = 3, 8
# What differs from the simulator's default signal; "noise" is the width of the view without any.
SCENARIOS: dict[str, dict[str, Any]] = {
    "default": {},
    "weak effects": {"effect": (0.3, 0.7)},
    "100 samples": {"n_samples": 100},
    "views missing": {"missing_views": 0.2},
    "noise 4 times as wide": {"noise_features": 2000},
    "noise a tenth as wide": {"noise_features": 50},
}
KEYS = ["scenario", "seed"]


def measure(scenario: str, seed: int) -> pd.DataFrame:
    """Simulate, fit, and compute what each view contributed."""
    options = dict(SCENARIOS[scenario])
    idle = f"view{seed % N_VIEWS + 1}"
    names = [f"view{number + 1}" for number in range(N_VIEWS)]
    width = options.pop("noise_features", 500)
    activity = np.array([[name != idle] * N_FACTORS for name in names])
    cohort = poems.simulate(
        n_features={name: width if name == idle else 500 for name in names},
        n_factors=N_FACTORS,
        activity=activity,
        seed=seed,
        **options,
    ).cohort
    model = poems.fit(cohort, seed=seed, progress=False)
    found = view_contributions(model, cohort, find_subtypes(model)).by_view
    return found.assign(scenario=scenario, seed=seed, idle=found["view"] == idle)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the cohorts in which the idle view is last, and compare it with the next larger."""
    records = []
    for scenario, own in rows.groupby("scenario", sort=False):
        record: dict[str, Any] = {"scenario": scenario, "seeds": own["seed"].nunique()}
        for column in ("mean_shift", "mean_gate", "switched_share"):
            idle = own[own["idle"]].set_index("seed")[column]
            others = own[~own["idle"]].groupby("seed")[column].min().reindex(idle.index)
            record[f"{column}: last"] = int((idle < others).sum())
            record[f"{column}: idle"] = f"{idle.mean():.3f} (to {idle.max():.3f})"
            record[f"{column}: next"] = f"{others.mean():.3f} (from {others.min():.3f})"
        records.append(record)
    return pd.DataFrame(records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    rows = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=KEYS)
    for scenario in SCENARIOS:
        for seed in range(given.seeds):
            if ((rows["scenario"] == scenario) & (rows["seed"] == seed)).any():
                continue
            new = measure(scenario, seed)
            rows = new if rows.empty else pd.concat([rows, new], ignore_index=True)
            write_csv(given.out, rows, index=False)
            print(f"{scenario}, seed {seed}", flush=True)
    print(summary(rows).set_index("scenario").T.to_string())


if __name__ == "__main__":
    main()
