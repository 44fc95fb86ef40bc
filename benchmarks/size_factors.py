"""Sizes of samples by each rule beside the depths that they were simulated with.

    python benchmarks/size_factors.py [--seeds 5]

Counts of 100 samples, half of them with some features changed: of bulk sequencing, of single
cells, and of taxa with zeros of their own. Printed is the standard deviation of the logarithm of a
sample's size over its depth (0 is perfect), the mean over seeds: of totals, of pooled ratios,
and of the median of ratios to geometric means of positive counts ("poscounts").
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

import poems
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.groups import PreprocessingSettings

Floats = npt.NDArray[np.float64]
N_SAMPLES = 100


@dataclass(frozen=True)
class Kind:
    """Counts of ``n_features`` of median rate ``mean``; ``changed`` of them ``fold`` in a half."""

    n_features: int
    mean: float
    spread: float
    dispersion: float
    changed: float
    fold: float
    most_frequent: bool = False
    zeros: float = 0.0

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return counts, (n_samples, n_features), and depths, (n_samples,)."""
        depth = np.exp(rng.normal(0, 0.8, N_SAMPLES))
        rates = self.mean * np.exp(rng.normal(0, self.spread, self.n_features))
        n = round(self.changed * self.n_features)
        which = np.argsort(-rates)[:n] if self.most_frequent else rng.permutation(len(rates))[:n]
        fold = np.ones((N_SAMPLES, self.n_features))
        fold[: N_SAMPLES // 2, which] = self.fold
        mean = depth[:, None] * rates * fold
        x = rng.poisson(mean * rng.gamma(1 / self.dispersion, self.dispersion, mean.shape))
        x = np.where(rng.random(x.shape) < self.zeros, 0.0, x)
        return x[:, x.sum(axis=0) > 0], depth


KINDS = {
    "bulk, a tenth of the genes eightfold": Kind(500, 50, 2.0, 0.2, 0.1, 8),
    "bulk, the 10 largest genes sixfold": Kind(500, 50, 2.0, 0.2, 0.02, 6, most_frequent=True),
    "cells, nothing changed": Kind(500, 0.2, 1.2, 0.5, 0.0, 1),
    "cells, a twentieth of the genes eightfold": Kind(500, 0.2, 1.2, 0.5, 0.05, 8),
    "cells, the 10 largest genes sixfold": Kind(500, 0.2, 1.2, 0.5, 0.02, 6, most_frequent=True),
    "taxa, nothing changed": Kind(150, 2, 2.5, 2.0, 0.0, 1, zeros=0.3),
    "taxa, a tenth eightfold": Kind(150, 2, 2.5, 2.0, 0.1, 8, zeros=0.3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    rows = {}
    for name, kind in KINDS.items():
        found = [errors(*kind.draw(np.random.default_rng(seed))) for seed in range(args.seeds)]
        rows[name] = pd.DataFrame(found).mean()
    print(pd.DataFrame(rows).T.round(2).to_string())


def errors(x: Floats, depth: Floats) -> dict[str, float]:
    """Standard deviation of log size over depth, by rule."""
    there = x.sum(axis=1) > 0
    x, depth = x[there], depth[there]
    frame = pd.DataFrame(x, index=[f"s{i}" for i in range(len(x))]).add_prefix("g")
    cohort = poems.read({"rna": frame})
    found = {"zeros": float((x == 0).mean())}
    for rule in ("totals", "pooled"):
        settings = PreprocessingSettings(size_factors=rule)
        batch, _ = fit_preprocessing(cohort, settings, {"rna": "counts"})[0].apply(cohort)
        found[rule] = float(np.std(batch.log_sizes["rna"].numpy() - np.log(depth)))
    found["poscounts"] = float(np.std(np.log(poscounts(x)) - np.log(depth)))
    return found


def poscounts(x: Floats) -> Floats:
    """Median over a sample's positive counts of their ratio to the feature's geometric mean."""
    positive = x > 0
    logs = np.log(np.where(positive, x, 1.0))
    # Each feature has a count.
    reference = logs.sum(axis=0) / positive.sum(axis=0)
    ratios = np.where(positive, logs - reference, np.nan)
    return np.exp(np.nanmedian(ratios, axis=1))


if __name__ == "__main__":
    main()
