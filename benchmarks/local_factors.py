"""Can factors of locally correlated noise be told by what their features share beyond them?

    python benchmarks/local_factors.py [--samples 100 300] [--seeds 3]
    python benchmarks/local_factors.py --data DATA_DIR --cohorts brca_mixomics [--runs 6]

Given a factor its features should be independent. A factor's share is that of the squared
correlations between its features of a view, without what chance makes of them and without what
the other factors do, that is gone when its own effect is taken away, latents drawn from the
posterior; sums over views. Noise that is correlated between neighbours is a chain, which
one factor does not explain.

Simulated cohorts are those of weak effects and correlated noise of fdr.py. "wrong" is the share of
a fit's non-zero loadings that are wrong, and "power" of the true ones that are found, when
factors of a smaller share than each cut are left out. For real cohorts the factors of a share
below 0.6 are printed beside how many refits find them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import poems
from cohorts import view_files
from fdr import EFFECTS, correlated, right_pairs, scores
from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation

CUTS = (0.0, 0.4, 0.5, 0.6, 0.7)
N_DRAWS = 3
MOST_FEATURES = 300


def off_diagonal(x: torch.Tensor) -> float:
    """Sum the squared correlations of different columns, less what chance makes of them."""
    standard = (x - x.mean(dim=0)) / x.std(dim=0).clamp_min(1e-6)
    r = standard.T @ standard / (len(x) - 1)
    width = x.shape[1]
    return float(r.square().sum() - width) - width * (width - 1) / len(x)


@torch.no_grad()
def shares(model: FittedPoems, cohort: MultiOmics) -> dict[int, float]:
    """Compute the share of each latent dimension that drives anything, Gaussian views alone."""
    batch, _ = model.preprocessing.apply(cohort)
    known = model.sample_estimates
    found = {}
    for dimension in model.module.driving().nonzero()[:, 0].tolist():
        generator = torch.Generator().manual_seed(dimension)
        before = after = 0.0
        for _ in range(N_DRAWS):
            noise = torch.randn(known.loc.shape, generator=generator)
            z = known.loc + known.variance.sqrt() * noise
            without = z.clone()
            without[:, dimension] = 0.0
            for i, name in enumerate(model.view_names):
                decoder, rows = model.module.decoder(i), batch.measured[:, i]
                features = decoder.driven_by(dimension)
                if len(features) < 2 or not model.module.likelihood(i).additive:
                    continue
                order = torch.randperm(len(features), generator=generator)
                features = features[order[:MOST_FEATURES]]
                x = batch.values[name][rows][:, features]
                before += off_diagonal(x - decoder.some(without[rows], features))
                after += off_diagonal(x - decoder.some(z[rows], features))
        found[dimension] = 1.0 - after / before if before > 0 else 0.0
    return found


def of_simulated(simulation: Simulation, cohort: MultiOmics, seed: int) -> list[dict[str, float]]:
    model = poems.fit(cohort, seed=seed, progress=False)
    own = shares(model, cohort)
    n_true = sum(int((each != 0).sum().sum()) for each in simulation.loadings.values())
    rows = []
    for cut in CUTS:
        kept = [dimension for dimension, share in own.items() if not cut or share >= cut]
        loadings = {
            name: pd.DataFrame(model.feature_estimates.size[name][:, kept].numpy(), index=features)
            for name, features in ((n, model.features(n)) for n in model.view_names)
        }
        right = right_pairs(simulation.loadings, loadings)
        chosen = {name: each.to_numpy() != 0 for name, each in loadings.items()}
        wrong, power = scores(chosen, right, n_true)
        rows.append({"cut": cut, "factors": len(kept), "wrong": wrong, "power": power})
    return rows


def of_real(folder: Path, n_runs: int) -> pd.DataFrame:
    cohort = poems.read(view_files(folder))
    model = poems.fit(cohort, seed=0, progress=False)
    own = shares(model, cohort)
    found = poems.stability(
        cohort, reference=model, n_runs=n_runs, n_permutations=0, progress=False
    )
    loc, rows = model.sample_estimates.loc.numpy(), {}
    for name in model.factor_names:
        column = model.latent[name].to_numpy()
        same = max(own, key=lambda k: abs(np.corrcoef(loc[:, k], column)[0, 1]))
        rows[name] = {"share": own[same], "found": found.factor_stability.loc[name, "found"]}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table[table["share"] < 0.6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of real cohorts")
    parser.add_argument("--cohorts", nargs="+", default=[])
    parser.add_argument("--runs", type=int, default=6)
    args = parser.parse_args()
    if args.data:
        for name in args.cohorts:
            print(name, of_real(args.data / name, args.runs).round(2).to_string(), sep="\n")
        return
    rows = []
    for n in args.samples:
        for seed in range(args.seeds):
            simulation = poems.simulate(
                n, 100, 5, density=0.1, effect=EFFECTS["weak"], n_subtypes=1, seed=seed
            )
            cohort = correlated(simulation)
            rows += [{"n": n, **row} for row in of_simulated(simulation, cohort, seed)]
    print(pd.DataFrame(rows).groupby(["n", "cut"]).mean().round(2).to_string())


if __name__ == "__main__":
    main()
