"""Likelihoods by the kind of values: planted supports found again, and mutations held out.

    python benchmarks/families.py [--data DATA_DIR] [--seeds 3] [--kinds bernoulli poisson]

Simulated cohorts of one Gaussian view and two of a kind, 300 samples and 200 features each: F1 of
the support in the latter views, with the likelihood of their kind, as Gaussian, and for counts as
Gaussian after log1p, of counts as they are and at the same total.

With DATA_DIR, mutations of hnsc_porpoise: the log-likelihood an entry of
held-out samples, over splits, of a fit of mutations alone (a lower bound, by importance sampling),
and predicted from the sample's other omics, beside the frequencies of the training samples; and the
Brier score.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import poems
from poems.evaluation.likelihood import log_prob
from poems.resampling.factor_matching import match_factors
from poems.simulation.cohort import Simulation

KINDS = ("bernoulli", "ordinal", "beta", "student_t", "poisson", "negative_binomial", "zinb")
COUNTS = ("poisson", "negative_binomial", "zinb")
_NORMALISED = "gaussian on log1p of counts at the same total"


def ways(kind: str) -> dict[str, dict[str, Any]]:
    """Settings by the name of a way to fit the views of a kind."""
    views = ("view2", "view3")
    found: dict[str, dict[str, Any]] = {
        "right": {"likelihood": dict.fromkeys(views, kind)},
        "gaussian": {},
    }
    if kind in COUNTS:
        found["gaussian on log1p"] = {"log1p": views}
        found[_NORMALISED] = {}
    return found


def normalised(cohort: poems.MultiOmics) -> poems.MultiOmics:
    """Counts divided by their samples' totals, at the same geometric mean, and logged."""
    frames = {name: cohort.frame(name) for name in cohort.views}
    for view in ("view2", "view3"):
        total = frames[view].sum(axis=1)
        size = total / np.exp(np.log(total).mean())
        frames[view] = np.log1p(frames[view].div(size, axis=0))
    return poems.read(frames)


def support_f1(truth: Simulation, model: poems.FittedPoems) -> float:
    """F1 of the non-zero loadings of the views of a kind, factors matched to the planted ones."""
    match = match_factors(truth.loadings, model.loadings)
    hits = planted = found = 0
    for view in ("view2", "view3"):
        true = truth.loadings[view] != 0
        estimated = (model.loadings[view] != 0).reindex(true.index, fill_value=False).to_numpy()
        planted, found = planted + int(true.to_numpy().sum()), found + int(estimated.sum())
        for number, at in enumerate(match.estimated):
            if at >= 0:
                hits += int((true.to_numpy()[:, number] & estimated[:, at]).sum())
    return 2 * hits / (planted + found) if planted + found else 0.0


def simulated(kinds: list[str], seeds: int) -> None:
    """Print F1 by kind and way, over seeds."""
    rows = []
    for kind in kinds:
        for seed in range(seeds):
            truth = poems.simulate(300, 200, 6, kinds={"view2": kind, "view3": kind}, seed=seed)
            for way, options in ways(kind).items():
                given = normalised(truth.cohort) if way == _NORMALISED else truth.cohort
                model = poems.fit(given, seed=0, progress=False, **options)
                f1 = support_f1(truth, model)
                row = {"kind": kind, "way": way, "seed": seed, "F1": round(f1, 3)}
                rows.append(row | {"factors": model.n_active})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby(["kind", "way"], sort=False)["F1"]
    print(table.agg(["mean", "min", "max"]).round(3).to_string())


def mutations(folder: Path, seeds: int) -> None:
    """Print what is made of held-out mutations."""
    tables = {p.name.split(".")[0]: p for p in sorted((folder / "hnsc_porpoise").glob("*.csv.gz"))}
    everything = poems.read(tables)
    frame = everything.frame("mutation").dropna(how="all")
    alone = poems.read({"mutation": frame})
    rows = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(frame))
        cut = int(0.8 * len(order))
        known, new = alone.take(np.sort(order[:cut])), alone.take(np.sort(order[cut:]))
        model = poems.fit(known, likelihood="bernoulli", seed=seed, progress=False)
        x, p = _entries(model, known, new)
        bound = log_prob(model, new, seed=seed)
        row: dict[str, object] = {"seed": seed, "frequencies": _log_likelihood(x, p).mean()}
        row["bernoulli alone"] = bound["log_prob"].sum() / bound["n_entries"].sum()
        both = poems.fit(
            everything.take(everything.samples.get_indexer(known.samples)),
            likelihood={"mutation": "bernoulli", "cnv": "ordinal"},
            inference="exact",
            seed=seed,
            progress=False,
        )
        rest = {name: everything.frame(name).loc[new.samples] for name in ("rna", "cnv")}
        said = both.reconstruct(rest)["mutation"]
        x, p = _entries(both, known, new)
        q = said.to_numpy()
        row |= {
            "from other omics": _log_likelihood(x, q).mean(),
            "Brier, frequencies": ((x - p) ** 2).mean(),
            "Brier, from other omics": ((x - q) ** 2).mean(),
            "deviance explained": float(both.r2["mutation"]),
        }
        rows.append(row)
        print(row, flush=True)
    print(pd.DataFrame(rows).set_index("seed").agg(["mean", "min", "max"]).round(4).T.to_string())


def _entries(
    model: poems.FittedPoems, known: poems.MultiOmics, new: poems.MultiOmics
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Held-out calls of the features in use, and their frequencies in the training samples."""
    names = model.features("mutation")
    seen = known.frame("mutation")[names].to_numpy(dtype=float)
    p = (seen.sum(axis=0) + 0.5) / (len(seen) + 1)
    return new.frame("mutation")[names].to_numpy(dtype=float), p


def _log_likelihood(
    x: np.ndarray[Any, Any], p: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(x * np.log(p) + (1 - x) * np.log1p(-p))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    args = parser.parse_args()
    simulated(args.kinds, args.seeds)
    if args.data is not None:
        mutations(args.data, args.seeds)


if __name__ == "__main__":
    main()
