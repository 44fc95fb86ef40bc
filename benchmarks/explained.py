"""How much the model says of new samples, of an omic from the others, and of blanked entries.

    python benchmarks/explained.py DATA_DIR [--only NAME,…] [--splits 5] [--out FILE.csv]

R squared on standardised features, the mean over the views of each cohort of
benchmarks/cohorts.toml and more_cohorts.toml with two views or more and 80 complete samples (the
others are left out, and so are incomplete samples):

- held out: a fifth of the samples, from all their views;
- across: a view of that fifth, from its other views;
- blanked: 30 % of the entries, hidden before the fit.

Beside the default, the encoders' answers: exact posteriors without and with background factors,
and probabilistic PCA with 16 components and
with the rank that predicts a fifth of the training samples best by the same measure (for
blanked entries: PCA of the entries that are there, iterated).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import poems
from cohorts import labelled, more
from poems.data.container import MultiOmics, View
from poems.evaluation.held_out import (
    Predict,
    cross_view_r2,
    fit_principal_model,
    predicted_by,
    reconstruction_r2,
    training_means,
)
from poems.scaling.batch import Batch
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort

FEWEST_SAMPLES = 80
HELD_OUT, BLANKED = 0.2, 0.3
RANKS = (2, 4, 8, 16, 32, 64)
MODELS = {
    "POEMS": {},
    "exact": {"inference": "exact", "background": 0},
    "exact, background": {"inference": "exact"},
}
ROWS = {"held out": reconstruction_r2, "across": cross_view_r2}
ROUNDS = 30


def cohorts(data: Path, only: set[str]) -> Iterator[tuple[CohortSpec, MultiOmics]]:
    """Complete samples of the cohorts that have enough of them."""
    for spec in (*labelled(data), *more(data)):
        if only and spec.name not in only:
            continue
        cohort = read_benchmark_cohort(spec)
        rows = np.flatnonzero(np.all([view.measured for view in cohort.views.values()], axis=0))
        if len(cohort.views) > 1 and len(rows) >= FEWEST_SAMPLES:
            yield spec, cohort.take(rows)


def split(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(n)
    first = round(n * HELD_OUT)
    return np.sort(order[first:]), np.sort(order[:first])


def principal(batch: Batch, rank: int) -> tuple[Predict, Mapping[str, torch.Tensor]]:
    means = {name: x.mean(dim=0) for name, x in batch.values.items()}
    return fit_principal_model(batch, means, rank).predict, means


def best_rank(batch: Batch, score: Callable[..., Mapping[str, float]], seed: int) -> int:
    """The rank that predicts a fifth of the training samples best from the others."""
    rows, left = (torch.from_numpy(x) for x in split(len(batch), seed + 1000))
    found = {}
    for rank in RANKS:
        if rank < len(rows) - 1:
            predict, means = principal(batch.take(rows), rank)
            found[rank] = mean(score(batch.take(left), predict, means))
    return max(found, key=lambda rank: found[rank])


def mean(shares: Mapping[str, float]) -> float:
    return float(np.mean(list(shares.values())))


def of_new_samples(cohort: MultiOmics, seed: int) -> list[dict[str, object]]:
    train, test = split(cohort.n_samples, seed)
    found = []
    for name, settings in MODELS.items():
        model = fitted(cohort.take(train), seed, settings)
        new, _ = model.preprocessing.apply(cohort.take(test))
        means = training_means(model.preprocessing)
        for row, score in ROWS.items():
            found.append({"row": row, "method": name, **score(new, predicted_by(model), means)})
    training, _ = model.preprocessing.apply(cohort.take(train))
    for row, score in ROWS.items():
        for name, rank in (("PCA 16", 16), ("PCA, best rank", best_rank(training, score, seed))):
            predict, means = principal(training, rank)
            found.append({"row": row, "method": name, **score(new, predict, means)})
    return found


def of_blanked_entries(cohort: MultiOmics, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    hidden = {name: rng.random(view.values.shape) < BLANKED for name, view in cohort.views.items()}
    views = {
        name: View(np.where(hidden[name], np.nan, view.values), view.features, view.measured)
        for name, view in cohort.views.items()
    }
    blanked = MultiOmics(views=views, samples=cohort.samples, obs=cohort.obs)
    found = []
    for name, settings in MODELS.items():
        model = fitted(blanked, seed, settings)
        seen, _ = model.preprocessing.apply(blanked)
        whole, _ = model.preprocessing.apply(cohort)
        found.append({"row": "blanked", "method": name, **entries(
            whole, seen, predicted_by(model)(seen), hidden, model)})  # fmt: skip
    predicted = iterated(seen, 16)
    found.append({"row": "blanked", "method": "PCA 16", **entries(
        whole, seen, predicted, hidden, model)})  # fmt: skip
    return found


def entries(
    whole: Batch,
    seen: Batch,
    predicted: Mapping[str, torch.Tensor],
    hidden: Mapping[str, np.ndarray],
    model: poems.FittedPoems,
) -> dict[str, float]:
    """R squared of the hidden entries about the means of those that were seen."""
    found = {}
    means = training_means(model.preprocessing)
    for name, x in whole.values.items():
        kept = hidden[name][:, positions(model, name)]
        there = torch.from_numpy(kept)
        observed = whole.observed[name]
        there = there if observed is None else there & observed
        left = (x - predicted[name])[there].double().square().sum()
        total = (x - means[name])[there].double().square().sum()
        found[name] = float(1.0 - left / total)
    return found


def positions(model: poems.FittedPoems, name: str) -> np.ndarray:
    return FEATURES[name].get_indexer(model.features(name))


FEATURES: dict[str, pd.Index] = {}


def iterated(seen: Batch, rank: int) -> dict[str, torch.Tensor]:
    """PCA of the block-scaled views, missing entries filled by what it says of them."""
    masks = {
        name: torch.ones_like(x, dtype=torch.bool) if (o := seen.observed[name]) is None else o
        for name, x in seen.values.items()
    }
    filled = {name: x.clone() for name, x in seen.values.items()}
    for _ in range(ROUNDS):
        scaled = torch.cat([x / x.shape[1] ** 0.5 for x in filled.values()], dim=1).double()
        centre = scaled.mean(dim=0)
        U, S, V = torch.linalg.svd(scaled - centre, full_matrices=False)
        low = ((U[:, :rank] * S[:rank]) @ V[:rank] + centre).float()
        parts = low.split([x.shape[1] for x in filled.values()], dim=1)
        said = {name: p * p.shape[1] ** 0.5 for name, p in zip(filled, parts, strict=True)}
        filled = {name: torch.where(masks[name], seen.values[name], said[name]) for name in filled}
    return said


def fitted(cohort: MultiOmics, seed: int, settings: dict) -> poems.FittedPoems:
    return poems.fit(cohort, seed=seed, progress=False, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for spec, cohort in cohorts(given.data, set(filter(None, given.only.split(",")))):
        FEATURES.clear()
        FEATURES.update({name: view.features for name, view in cohort.views.items()})
        for seed in range(given.splits):
            for measured in (*of_new_samples(cohort, seed),
                             *of_blanked_entries(cohort, seed)):  # fmt: skip
                shares = {k: v for k, v in measured.items() if k not in ("row", "method")}
                rows.append({"cohort": spec.name, "seed": seed, "row": measured["row"],
                             "method": measured["method"], "r2": mean(shares)})  # fmt: skip
        done = pd.DataFrame(rows)
        print(done[done["cohort"] == spec.name].pivot_table(
            index="row", columns="method", values="r2", sort=False).round(3), spec.name,
            sep="\n", flush=True)  # fmt: skip
    table = pd.DataFrame(rows)
    by_cohort = table.groupby(["row", "method", "cohort"], sort=False)["r2"].mean()
    print(by_cohort.unstack("method").round(3).to_string())
    means = by_cohort.groupby(["row", "method"], sort=False).mean().unstack("method")
    print(means.round(3).to_string())
    if given.out is not None:
        table.to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
