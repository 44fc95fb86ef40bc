"""Small cohorts: POEMS beside PCA, SNF and the autoencoder on subsamples of labelled cohorts.

    python benchmarks/small_cohorts.py DATA_DIR [--sizes 40 80 160] [--draws 3]

Each draw is a random subsample without replacement, the same for every
method; all settings are the defaults. Normalised mutual information of
k-means clusters and accuracy of nearest neighbours, scored as everywhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cohorts import labelled
from poems.errors import DataError
from poems.evaluation.paper.protocol import kmeans_scores, knn_accuracy
from poems_benchmark.cohorts import read_benchmark_cohort
from poems_benchmark.methods.registry import METHODS

COHORTS = ("brca_mogonet255", "brca_jive348", "brca_mixomics", "gbm_stategra")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[40, 80, 160])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=["pca", "snf", "autoencoder", "poems"])
    parser.add_argument("--cohorts", nargs="+", default=list(COHORTS))
    args = parser.parse_args()

    rows = []
    for spec in labelled(args.data):
        if spec.name not in args.cohorts:
            continue
        cohort = read_benchmark_cohort(spec)
        labels = cohort.obs[spec.labels[0]]
        for size in args.sizes:
            if size >= cohort.n_samples:
                continue
            for draw in range(args.draws):
                order = np.random.default_rng(draw).permutation(cohort.n_samples)
                part, truth = cohort.take(sorted(order[:size])), labels.iloc[sorted(order[:size])]
                for name in args.methods:
                    points = METHODS[name]().fit(part, draw).embedding
                    row = {"cohort": spec.name, "n": size, "draw": draw, "method": name}
                    with threadpool_limits(limits=1):
                        row["nmi"] = kmeans_scores(points, truth).mean["nmi"]
                        row["knn"] = neighbours(points, truth)
                    rows.append(row)
            print(f"{spec.name} n={size} done", flush=True)
    table = pd.DataFrame(rows)
    for score in ("nmi", "knn"):
        print(f"\n{score}, mean over draws")
        by_cohort = table.pivot_table(index=["n", "cohort"], columns="method", values=score)
        print(by_cohort[args.methods].round(2).to_string())
        print(f"\n{score}, mean over cohorts")
        print(by_cohort.groupby("n").mean()[args.methods].round(3).to_string())


def neighbours(points: pd.DataFrame, truth: pd.Series) -> float:
    """Accuracy of nearest neighbours, NaN where the sample is too small for it."""
    try:
        return float(knn_accuracy(points, truth).mean["accuracy"])
    except DataError:
        return float("nan")


if __name__ == "__main__":
    main()
