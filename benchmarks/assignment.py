"""New samples assigned to subtypes: which weights, and whether their own variance counts.

    python benchmarks/assignment.py [--seeds 5]

Subtypes of 50, 30, 15 and 5 % of the samples, three standard deviations apart; the model and
the assigner learn from 300 samples and the planted subtypes, and 400 further samples are
assigned. "Shifted" are those of them that leave all subtypes equally frequent. Accuracy
and log loss (nats a sample) of the probabilities of the planted subtype, means over seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import poems
from poems.analysis.subtypes.assignment import NONE_OF_THESE, SubtypeModel, learn_subtypes

N_TRAINING, N_NEW = 300, 400
PROPORTIONS = (0.5, 0.3, 0.15, 0.05)


def measure(seed: int) -> list[dict[str, Any]]:
    """Fit once, and assign the new samples with every set of views in every way."""
    cohort = poems.simulate(
        N_TRAINING + N_NEW, 200, 6, proportions=PROPORTIONS, separation=3.0, seed=seed
    ).cohort
    training, new = cohort.take(range(N_TRAINING)), cohort.take(range(N_TRAINING, cohort.n_samples))
    model = poems.fit(training, seed=seed, progress=False)
    rows = []
    for n_views, with_variance in product((3, 1), (False, True)):
        some = replace(new, views=dict(list(new.views.items())[:n_views]))
        projection = model.transform(some)
        variances = (model.latent_variance, projection.latent_variance)
        known, own = variances if with_variance else (None, None)
        assigner = learn_subtypes(model.latent, training.obs["subtype"], known)
        none = (assigner.assign(projection.latent, own)["subtype"] == NONE_OF_THESE).mean()
        equal = assigner.probabilities(projection.latent, own)
        truth = new.obs["subtype"]
        for weights, probabilities in (("equal", equal), ("empirical", _weighted(assigner, equal))):
            likeliest = probabilities.idxmax(axis=1)
            positions = probabilities.columns.get_indexer(pd.Index(truth))
            of_truth = probabilities.to_numpy()[np.arange(len(truth)), positions]
            scores = pd.DataFrame(
                {"right": likeliest == truth, "loss": -np.log(np.maximum(of_truth, 1e-12))}
            )
            by_subtype = scores.groupby(truth).mean()
            rows.append(
                {
                    "views": n_views,
                    "variance": with_variance,
                    "weights": weights,
                    "accuracy": scores["right"].mean(),
                    "log loss": scores["loss"].mean(),
                    "accuracy, shifted": by_subtype["right"].mean(),
                    "log loss, shifted": by_subtype["loss"].mean(),
                    "none of these": none,
                }
            )
    return rows


def _weighted(assigner: SubtypeModel, equal: pd.DataFrame) -> pd.DataFrame:
    """Weigh the subtypes as frequent as they were in training."""
    weighted = equal * pd.Series(dict(assigner.sizes))
    return weighted.div(weighted.sum(axis=1), axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    rows = pd.DataFrame([row for seed in range(given.seeds) for row in measure(seed)])
    print(rows.groupby(["views", "variance", "weights"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
