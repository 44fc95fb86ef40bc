"""Do clusters go with which views were measured, where these are missing at random?

    python benchmarks/missing_views.py [--seeds 3]

Simulated cohorts of 200 samples, of every view 30 % not measured: views of one width and of
very different ones, without groups and with four, weak and clear effects. Adjusted mutual
information of k-means clusters with the pattern of measured views (0 by chance), in the network of
expected distances, the default, and in that of distances between posterior means; of these the
worst of 2, 4 and 8 clusters. Beside them the number of subtypes found, and how many of these,
and of eight, are patterns of missing views.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

import poems
from poems.fitting.embeddings import network_embedding
from poems.fitting.result import FittedPoems

WIDTHS = {"alike": (200, 200, 200), "unlike": (400, 100, 50)}
EFFECTS = {"weak": (0.3, 0.8), "clear": (0.6, 1.4)}
NUMBERS = (2, 4, 8)


def agreement(points: np.ndarray, pattern: pd.Series) -> dict[str, float]:
    """Return the agreement of clusters with the pattern, by their number."""
    found = {}
    for k in NUMBERS:
        labels = KMeans(k, n_init=5, random_state=0).fit_predict(points)
        found[str(k)] = float(adjusted_mutual_info_score(pattern, labels))
    return found


def of_means(model: FittedPoems, cohort: poems.MultiOmics) -> np.ndarray:
    """Return the network of distances between the latents' posterior means."""
    data, _ = model.preprocessing.apply(cohort)
    driven = model.feature_estimates.driven()
    latents = model.sample_estimates.loc[:, driven]
    return network_embedding(latents, data, model.module.weights_of_views()).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for effect, sizes in EFFECTS.items():
        for width, features in WIDTHS.items():
            for groups in (1, 4):
                for seed in range(args.seeds):
                    truth = poems.simulate(
                        200, dict(zip("abc", features, strict=True)), n_subtypes=groups,
                        effect=sizes, shared=0.7, missing_views=0.3, seed=seed,
                    )  # fmt: skip
                    model = poems.fit(truth.cohort, seed=seed, progress=False)
                    pattern = model.gates.gt(0).astype(int).astype(str).agg("".join, axis=1)
                    found = poems.find_subtypes(model)
                    own = agreement(model.embedding().to_numpy(), pattern)
                    means = agreement(of_means(model, truth.cohort), pattern)
                    rows.append(
                        {
                            "effect": effect, "widths": width, "groups": groups, "seed": seed,
                            **own, "worst": max(own.values()), "of means": max(means.values()),
                            "found": found.n_subtypes, "patterns": len(found.patterns),
                            "of eight": len(poems.find_subtypes(model, 8).patterns),
                        }
                    )  # fmt: skip
                    print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    by = ["effect", "widths"]
    print(table.groupby(by)[[*map(str, NUMBERS), "worst", "of means"]].max().round(2).to_string())
    print(table[["patterns", "of eight"]].sum().to_string())


if __name__ == "__main__":
    main()
