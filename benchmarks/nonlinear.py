"""The sparse non-linear decoder against sparse linear models, on linear and non-linear truth.

    python benchmarks/nonlinear.py OUT.csv [--jobs 2]
    python benchmarks/nonlinear.py OUT.csv --again POEMS        # measure a method anew

Three views of 200 features, 6 planted factors, each driving 5 % of the features with
effects between 0.6 and 1.4 (times the signal) of the noise's standard deviation. Support:
area under the precision-recall curve and F1 of the loadings, after matching factors, surplus
ones counting as errors. Likelihood: log density of 200 further samples, per feature in
nats, less that under independent Gaussians; exact for linear models, a lower bound
for POEMS. Rows that OUT.csv holds already are not measured again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

import linear_models
import poems
from poems.data.container import MultiOmics
from poems.evaluation.likelihood import log_prob
from poems.evaluation.matching import support_auprc, support_scores
from poems.evaluation.proposals import likely_latents
from poems.files.atomic import write_text
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation
from poems.simulation.effects import Truth

LINEAR = {
    "MOFA+": linear_models.mofa,
    "MOFA+, slow": partial(linear_models.mofa, convergence="slow"),
    "sparse PCA": linear_models.sparse_pca,
    "PCA": linear_models.pca,
}
# POEMS with the default settings, and what was tried where it loses.
POEMS: dict[str, dict[str, Any]] = {
    "POEMS": {},
    "POEMS, 6 factors": {"n_latent": 6},
    "POEMS, 8 factors": {"n_latent": 8},
    "POEMS, 500 epochs": {"epochs": 500, "stopping": "none"},
    "POEMS, 6 factors, 500 epochs": {"n_latent": 6, "epochs": 500, "stopping": "none"},
    "POEMS, 100 hidden": {"decoder_hidden": 100},
    "POEMS, random start": {"start": "random", "epochs": 500, "stopping": "none"},
    "POEMS, spike 1": {"lambda_spike_scale": 1.0},
    "POEMS, spike 0.7": {"lambda_spike_scale": 0.7},
}
METHODS = ("POEMS", "MOFA+", "sparse PCA", "PCA")
# Margins within these are ties: 0.001 nats a feature are 0.6 a sample.
TIES = {"f1": 0.03, "auprc": 0.03, "gain": 0.001}
KEYS = ["truth", "signal", "n", "seed", "method"]
N_TEST = 200
N_DRAWS = 200


def cohort_of(truth: Truth, signal: float, n: int, seed: int) -> Simulation:
    """Simulate n training samples and, after them, the test samples."""
    return poems.simulate(
        n + N_TEST,
        200,
        6,
        density=0.05,
        effect=(0.6 * signal, 1.4 * signal),
        truth=truth,
        n_subtypes=1,
        seed=seed,
    )


def measure(truth: Truth, signal: float, n: int, seed: int, method: str) -> dict[str, Any]:
    simulation = cohort_of(truth, signal, n, seed)
    train = simulation.cohort.take(np.arange(n))
    test = simulation.cohort.take(np.arange(n, n + N_TEST))
    mean, sd = _stacked(train).mean(axis=0), _stacked(train).std(axis=0)
    x, new = (_stacked(train) - mean) / sd, (_stacked(test) - mean) / sd
    signal_of_test = np.hstack([s.to_numpy()[n:] for s in simulation.signal.values()])

    start = time.process_time()
    if method in POEMS:
        model = poems.fit(train, seed=seed, progress=False, **POEMS[method])
        seconds = time.process_time() - start
        loadings = found = np.vstack([w.to_numpy() for w in model.loadings.values()])
        bound = log_prob(model, test, n_draws=N_DRAWS, seed=seed)
        density = bound["log_prob"].to_numpy()
        predicted = np.hstack([t.to_numpy() for t in model.reconstruct(test).values()])
        more = {"draws": float(bound["effective_draws"].median()), "epochs": len(model.history)}
        refined = _refined(model, test)
    else:
        linear = LINEAR[method](x, _standardised(train), seed)
        seconds = time.process_time() - start
        loadings, found = linear.loadings, linear.found
        density = linear.log_prob(new) - np.log(sd).sum()
        predicted = linear.predict(new) * sd + mean
        more = {"choice": linear.choice}
        refined = predicted
    # Independent Gaussians: what is gained above them is owed to factors.
    alone = (-0.5 * new**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)).sum(axis=1)
    true = {"all": np.vstack([w.to_numpy() for w in simulation.loadings.values()])}

    def share(prediction: np.ndarray) -> float:
        missed = ((signal_of_test - prediction) ** 2).sum()
        return float(1 - missed / ((signal_of_test - mean) ** 2).sum())

    row = {
        "gain": float((density - alone).mean() / x.shape[1]),
        "r2_signal": share(predicted),
        "r2_refined": share(refined),
        "auprc": support_auprc(true, {"all": loadings}),
        "f1_best": _best_f1(true, loadings),
        "seconds": seconds,
        **more,
    }
    if found is not None:
        scores = support_scores(true, {"all": found})
        row |= {"f1": scores.f1, "precision": scores.precision, "recall": scores.recall}
        row["factors"] = int(found.any(axis=0).sum())
    values = (truth, signal, n, seed, method)
    return dict(zip(KEYS, values, strict=True)) | row


def _refined(model: FittedPoems, cohort: MultiOmics) -> np.ndarray:
    """Reconstruct from the likeliest latents, found from the encoder's by the decoders alone."""
    batch, _ = model.preprocessing.apply(cohort)
    z = likely_latents(model.module, batch, model.module.encode(batch).posterior.mean)
    views = model.preprocessing.views
    return np.hstack([views[v].invert(eta.numpy()) for v, eta in model.module.decode(z).items()])


def _best_f1(true: Mapping[str, np.ndarray], loadings: np.ndarray) -> float:
    """F1 at the threshold that someone who knows the truth would choose."""
    size = np.sort(np.abs(loadings[loadings != 0]))
    thresholds = [0.0, *np.quantile(size, np.linspace(0, 0.99, 60))] if size.size else [0.0]
    return max(support_scores(true, {"all": loadings}, threshold=t).f1 for t in thresholds)


def _stacked(cohort: MultiOmics) -> np.ndarray:
    return np.hstack([view.values for view in cohort.views.values()]).astype(np.float64)


def _standardised(cohort: MultiOmics) -> MultiOmics:
    views = {
        name: replace(view, values=(view.values - view.values.mean(0)) / view.values.std(0))
        for name, view in cohort.views.items()
    }
    return replace(cohort, views=views)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds: a row a cohort, columns by score and method."""
    methods = [m for m in (*POEMS, *LINEAR) if m in set(rows["method"])]
    shown = ["auprc", "f1", "f1_best", "gain", "r2_signal", "r2_refined", "factors"]
    means = rows.groupby(["truth", "signal", "n", "method"])[shown].mean().unstack("method")
    truths = [truth for truth in get_args(Truth) if truth in set(rows["truth"])]
    wanted = pd.MultiIndex.from_product([shown, methods])
    means = means.reindex(columns=wanted).dropna(axis=1, how="all")
    return means.reindex(truths, level="truth")


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """POEMS minus the better of the sparse linear models, by mean, and what that is."""
    linear = [method for method in METHODS if method in LINEAR and method != "PCA"]
    parts = {}
    for score, tie in TIES.items():
        margin = table[score]["POEMS"] - table[score][linear].max(axis=1)
        digits = 4 if score == "gain" else 2
        said = [
            f"{value:+.{digits}f} {'wins' if value > tie else 'loses' if value < -tie else 'ties'}"
            for value in margin
        ]
        parts[score] = pd.Series(said, index=table.index).unstack("n")
    return pd.concat(parts, axis=1).reindex(table.index.droplevel("n").unique())


def report(rows: pd.DataFrame) -> None:
    table = summarise(rows)
    shown = table.copy()
    shown["gain"] = (1000 * shown["gain"]).round(1)
    with pd.option_context("display.width", 250, "display.max_columns", 99):
        print(f"\ngain in thousandths of a nat a feature\n{shown[list(TIES)].round(2)}")
        print(f"\n{shown[['r2_signal', 'r2_refined', 'factors']].round(2)}")
        if {"POEMS", "MOFA+", "sparse PCA"} <= set(rows["method"]):
            print(f"\nPOEMS minus the better sparse linear model\n{verdicts(table).to_string()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="csv of the results; what it holds is kept")
    parser.add_argument("--truths", nargs="+", default=list(get_args(Truth)))
    parser.add_argument("--signals", nargs="+", type=float, default=[0.5, 1.0])
    parser.add_argument("--n", nargs="+", type=int, default=[100, 200, 500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--again", nargs="+", default=[], help="methods to measure anew")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    args = parser.parse_args()
    rows = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame(columns=KEYS)
    grid = product(args.truths, args.signals, args.n, args.seeds, args.methods)
    # A resumed run measures anew only what --again names and this grid holds.
    again = rows["method"].isin(args.again)
    done = set(rows.loc[~again, KEYS].itertuples(index=False, name=None))
    todo = sorted((key for key in grid if key not in done), key=lambda key: (key[3], key[2]))
    with ProcessPoolExecutor(args.jobs) as pool:
        running = [pool.submit(measure, *key) for key in todo]
        for number, future in enumerate(as_completed(running), 1):
            row = future.result()
            same = (rows[KEYS] == [row[key] for key in KEYS]).all(axis=1)
            rows = pd.DataFrame([*rows[~same].to_dict("records"), row])
            write_text(args.out, rows.to_csv(index=False))
            print(f"{number}/{len(todo)}", {k: _short(v) for k, v in row.items()}, flush=True)
    report(rows)


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
