"""What weights of features by what they say once do: `redundancy` of correlation beside none.

    python benchmarks/redundancy.py DATA_DIR [--only hnsc_porpoise kirc_joined] [--seeds 2]

For each cohort with labels and seed, fitted both ways one after the other: agreement (NMI) of
k-means in the network and in the latents with the labels, as many clusters as labels; R² of each
view; what its features count for; and the seconds of the fit.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
from sklearn.cluster import KMeans

import poems
from cohorts import labelled, more
from poems.clustering.agreement import nmi
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort


def run(spec: CohortSpec, redundancy: str, seed: int) -> dict[str, object]:
    """Fit a cohort, and score its network and its latents by its first label."""
    cohort = read_benchmark_cohort(spec)
    start = time.perf_counter()
    model = poems.fit(cohort, seed=seed, redundancy=redundancy, progress=False)
    row: dict[str, object] = {"seconds": round(time.perf_counter() - start, 1)}
    known = cohort.obs[spec.labels[0]].dropna()
    for metric in ("network", "latent"):
        points = model.embedding(metric).loc[known.index].to_numpy()
        clusters = KMeans(known.nunique(), n_init=10, random_state=0).fit_predict(points)
        row[metric] = round(nmi(known.astype(str), clusters), 3)
    for name, weights in model.feature_weights.items():
        counted = f"{weights.sum():.0f} of {len(weights)}"
        row[name] = f"R² {model.r2[name]:.2f}, counts for {counted}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    rows = []
    for spec in (*labelled(args.data), *(each for each in more(args.data) if each.labels)):
        if args.only and spec.name not in args.only:
            continue
        for seed in range(args.seeds):
            for redundancy in ("none", "correlation"):
                row = {"cohort": spec.name, "redundancy": redundancy, "seed": seed}
                rows.append(row | run(spec, redundancy, seed))
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    means = table.groupby(["cohort", "redundancy"], sort=False)[["network", "latent", "seconds"]]
    print(means.mean().round(3).to_string())


if __name__ == "__main__":
    main()
