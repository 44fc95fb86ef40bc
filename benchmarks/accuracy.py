"""Clusters and neighbours in POEMS's embeddings of labelled cohorts, beside PCA's.

    python benchmarks/accuracy.py DATA_DIR [--seeds 5] [--set n_latent=32 ...]

k-means NMI and accuracy (number of clusters = number of classes, the paper's
five k-means seeds) and KNN accuracy (five 75/25 splits). Labels are used for
scoring only. For POEMS: mean and standard deviation over fits with different
seeds; PCA is deterministic (32 components of the standardised, block-scaled views).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import poems
from cohorts import LABELLED, read_labelled
from poems.evaluation.baselines import pca_embedding
from poems.evaluation.protocol import kmeans_scores, knn_accuracy

SCORES = ["nmi", "accuracy", "knn"]


def score(points: pd.DataFrame, labels: pd.Series) -> dict[str, float]:
    means = kmeans_scores(points, labels).mean
    knn = knn_accuracy(points, labels).mean["accuracy"]
    return {"nmi": means["nmi"], "accuracy": means["accuracy"], "knn": knn}


def parse_setting(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False, "none": None}.get(value, value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--metrics", nargs="+", default=["latent", "gram", "decoded"])
    parser.add_argument("--set", nargs="*", default=[], help="settings, as name=value")
    args = parser.parse_args()
    settings = dict(parse_setting(text) for text in args.set)

    rows = []
    for known in LABELLED:
        cohort = read_labelled(args.data, known)
        labels = cohort.obs[known.label]
        rows.append(
            {"cohort": known.folder, "method": "PCA", **score(pca_embedding(cohort), labels)}
        )
        for seed in range(args.seeds):
            start = time.perf_counter()
            model = poems.fit(cohort, seed=seed, threads=args.threads, progress=False, **settings)
            seconds = time.perf_counter() - start
            for metric in args.metrics:
                row = {"cohort": known.folder, "method": f"POEMS {metric}", "seed": seed}
                row |= score(model.embedding(metric), labels)
                rows.append(row | {"factors": model.n_active, "seconds": seconds})
        print(f"{known.folder} done", flush=True)

    table = pd.DataFrame(rows)
    by_cohort = table.groupby(["cohort", "method"])[SCORES]
    mean, sd = by_cohort.mean(), by_cohort.std().fillna(0.0)
    shown = mean.map("{:.2f}".format) + " ± " + sd.map("{:.2f}".format)
    shown[["factors", "seconds"]] = (
        table.groupby(["cohort", "method"])[["factors", "seconds"]].mean().round(1)
    )
    print(shown.to_string())
    print("\nmean over cohorts")
    print(mean.groupby("method").mean().round(3).to_string())
    pca_nmi = mean["nmi"].xs("PCA", level="method")
    print("\nNMI minus PCA's")
    print(mean["nmi"].unstack("method").sub(pca_nmi, axis=0).round(3).to_string())


if __name__ == "__main__":
    main()
