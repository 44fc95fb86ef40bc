"""What each part of POEMS buys on held-out samples: reconstruction, cross-view prediction, KNN.

    python benchmarks/held_out.py DATA_DIR --out FOLDER [--only NAME,…] [--splits 5] [--jobs 2]

The default and its ablations on the labelled cohorts of benchmarks/cohorts.toml, fitted on 80 %
of the samples and measured on the other 20 %: the same
splits for all, with equal shares of the first label's classes. FOLDER/results.csv has a row a
cohort, split, method, metric and part (a view, a label, or none for their mean); rows of the same
settings, code and data are not measured again. FOLDER/summary.md has paired differences to the
default.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import poems
from cohorts import labelled
from poems.data.container import MultiOmics
from poems.evaluation.held_out import (
    Predict,
    cross_view_r2,
    fit_principal_model,
    neighbour_scores,
    predicted_by,
    reconstruction_r2,
    stratified_split,
    views_that_vary,
)
from poems.evaluation.likelihood import log_prob_bound
from poems.evaluation.paired import paired_differences
from poems.files.atomic import write_text
from poems.fitting.explaining import training_means
from poems.fitting.result import FittedPoems
from poems.nn.estimates import estimate_samples
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.schema import Settings
from poems_benchmark.cohorts import CohortSpec, data_digest, read_benchmark_cohort
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.ablations import ABLATIONS
from poems_benchmark.methods.poems_fit import Poems
from poems_benchmark.scores.report import markdown_table

REFERENCE = "poems"
# As many components as the default has factors, and as the benchmark's PCA.
PCA = {f"pca{rank}": rank for rank in dict.fromkeys((Settings().model.n_latent, 32))}
HELD_OUT = 0.2
N_DRAWS = 100
# The code that splits, scores and says how likely samples are.
# What the scores are made by, imports followed.
MEASURES = tuple(
    f"poems.{name}"
    for name in ("diagnosis.reconstruction", "nn.estimates", "evaluation.held_out",
                 "evaluation.likelihood", "evaluation.proposals", "scaling.preprocessing")
)  # fmt: skip
KEY = ["cohort", "split", "method"]
METRICS = {
    "r2": "R²",
    "cross_r2": "R² across views",
    "knn": "KNN accuracy",
    "knn_balanced": "KNN balanced accuracy",
    "log_prob": "log p, nats/entry",
}
MORE = {"factors": "factors", "seconds": "seconds"}
GATES = ("gate-learned", "gate-equal", "gate-linear")


def variants(epochs: int | None) -> dict[str, Poems]:
    """The default and all ablations that change the model."""
    always = {"epochs": epochs} if epochs else {}
    found = {REFERENCE: Poems("POEMS", overrides=always)}
    for key, ablation in ABLATIONS.items():
        variant = Poems(ablation.name, overrides={**ablation.overrides, **always})
        if ablation.metric is None and variant.settings != found[REFERENCE].settings:
            found[key] = variant
    return found


def names(methods: Mapping[str, Poems]) -> dict[str, str]:
    own = {key: method.name for key, method in methods.items()}
    return own | {key: f"PCA, {rank} components" for key, rank in PCA.items()}


def measure(spec: CohortSpec, split: int, key: str, epochs: int | None) -> list[dict[str, Any]]:
    """Fit a method on a split's training samples; return a row a metric and part."""
    cohort = read(spec)
    fitted, held_out = stratified_split(cohort.obs[spec.labels[0]], split, share=HELD_OUT)
    train, test = cohort.take(fitted), cohort.take(held_out)
    found: dict[tuple[str, str], float] = {}
    start = time.perf_counter()
    if key in PCA:
        preprocessing, _ = fit_preprocessing(train, Settings().preprocessing)
        means = training_means(preprocessing)
        (seen, _), (batch, _) = preprocessing.apply(train), preprocessing.apply(test)
        principal = fit_principal_model(seen, means, PCA[key])
        found["seconds", ""] = time.perf_counter() - start
        found["factors", ""] = len(principal.variance)
        points, new = principal.scores(seen).numpy(), principal.scores(batch).numpy()
        found |= explained(batch, seen, principal.predict, means)
    else:
        # Compared are squares on one scale, beside principal components.
        settings = variants(epochs)[key].settings.updated(likelihood="gaussian")
        model = poems.fit(train, seed=split, settings=settings, threads=1, progress=False)
        found["seconds", ""] = time.perf_counter() - start
        found["factors", ""] = model.n_active
        points, new = model.latent.to_numpy(), model.transform(test).latent.to_numpy()
        means = training_means(model.preprocessing)
        (seen, _), (batch, _) = model.preprocessing.apply(train), model.preprocessing.apply(test)
        found |= explained(batch, seen, predicted_by(model), means)
        found["log_prob", ""] = likelihood(model, batch, split)
    found |= neighbours(spec, cohort, (points, train), (new, test))
    return [
        {"cohort": spec.name, "split": split, "method": key, "metric": metric, "part": part,
         "value": value}
        for (metric, part), value in found.items()
    ]  # fmt: skip


def likelihood(model: FittedPoems, batch: Batch, seed: int) -> float:
    """Bound log p a measured value, the mean over samples, clipped values and the model's scale.

    Values beyond the limits would decide alone: some are at a hundred standard deviations.
    """
    start = estimate_samples(model.module, batch).loc
    bound = log_prob_bound(model.module, batch, start, n_draws=N_DRAWS, seed=seed)
    n_entries = torch.zeros(len(batch), dtype=torch.float64)
    for i, (name, values) in enumerate(batch.values.items()):
        mask = batch.observed[name]
        there = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
        n_entries += (there & batch.measured[:, i, None]).sum(dim=1)
    return float((bound.log_prob.double() / n_entries).mean())


def explained(
    batch: Batch, seen: Batch, predict: Predict, means: Mapping[str, torch.Tensor]
) -> dict[tuple[str, str], float]:
    """R squared of each view that varies and their mean, from all views and from the others."""
    found, shown = {}, views_that_vary(batch, seen, means)
    for metric, score in (("r2", reconstruction_r2), ("cross_r2", cross_view_r2)):
        scores = score(batch, predict, means)
        by_view = {view: value for view, value in scores.items() if view in shown}
        found |= {(metric, view): value for view, value in by_view.items()}
        found[metric, ""] = float(np.mean(list(by_view.values())))
    return found


def neighbours(
    spec: CohortSpec,
    cohort: MultiOmics,
    learn: tuple[np.ndarray, MultiOmics],
    test: tuple[np.ndarray, MultiOmics],
) -> dict[tuple[str, str], float]:
    """Accuracy by each label and their mean, as many neighbours as the cohort has classes."""
    found: dict[tuple[str, str], float] = {}
    for label in spec.labels:
        scores = neighbour_scores(
            learn[0], learn[1].obs[label].to_numpy(), test[0], test[1].obs[label].to_numpy(),
            n_neighbours=cohort.obs[label].nunique(),
        )  # fmt: skip
        found["knn", label] = scores["accuracy"]
        found["knn_balanced", label] = scores["balanced_accuracy"]
    for metric in ("knn", "knn_balanced"):
        found[metric, ""] = float(np.mean([found[metric, label] for label in spec.labels]))
    return found


@lru_cache
def read(spec: CohortSpec) -> MultiOmics:
    return read_benchmark_cohort(spec)


def digest(spec: CohortSpec, key: str, methods: Mapping[str, Poems]) -> str:
    """Twelve digits that change with a method's settings and code, the measures' and the data."""
    own = PCA[key] if key in PCA else methods[key].options
    told = [own, data_digest(spec), source_digest(*MEASURES), HELD_OUT, N_DRAWS]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def start_worker() -> None:
    # Interrupts are the parent's: a fit would answer one by returning what it has so far.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def signed(mean: float, se: float) -> str:
    return f"{mean:+.3f}" + ("" if np.isnan(se) else f" ± {se:.3f}")


def differences_table(
    rows: pd.DataFrame, specs: Sequence[CohortSpec], shown: Mapping[str, str]
) -> str:
    studies = {spec.name: spec.source for spec in specs}
    found = paired_differences(rows, REFERENCE, studies=studies, held_out=HELD_OUT)
    # One study tells nothing of others: what is left is the spread between its splits.
    found["se"] = found["se"].fillna(found["se_splits"])
    cells = [
        [
            shown[method],
            *(
                signed(*found.loc[(method, metric), ["mean", "se"]])
                if (method, metric) in found.index
                else "–"
                for metric in METRICS
            ),
        ]
        for method in dict.fromkeys(found.index.get_level_values("method"))
    ]
    return markdown_table(["", *METRICS.values()], cells)


def gates_table(rows: pd.DataFrame, metric: str, shown: Mapping[str, str]) -> str | None:
    """Other gates less the default, on each cohort, beside the spread between its splits."""
    there = [key for key in GATES if key in set(rows["method"])]
    cells = []
    for cohort in dict.fromkeys(rows["cohort"]):
        own = rows[(rows["cohort"] == cohort) & (rows["metric"] == metric)]
        found = paired_differences(own, REFERENCE, held_out=HELD_OUT)
        cells.append(
            [cohort]
            + [
                signed(*found.loc[(key, metric), ["mean", "se_splits"]])
                if (key, metric) in found.index
                else "–"
                for key in there
            ]
        )
    return markdown_table(["", *(shown[key] for key in there)], cells) if there else None


def absolute_table(rows: pd.DataFrame, method: str) -> str:
    means = rows[rows["method"] == method].groupby(["cohort", "metric"], sort=False)["value"].mean()
    table = means.unstack("metric")
    columns = {key: name for key, name in {**METRICS, **MORE}.items() if key in table}
    digits = {"factors": 1, "seconds": 1}
    cells = [
        [str(cohort), *(f"{row[key]:.{digits.get(key, 2)}f}" for key in columns)]
        for cohort, row in table.iterrows()
    ]
    return markdown_table(["", *columns.values()], cells)


def report(rows: pd.DataFrame, specs: Sequence[CohortSpec], shown: Mapping[str, str]) -> str:
    mean = rows[rows["part"] == ""]
    n_splits = mean.groupby("cohort")["split"].nunique()
    parts = [
        "# Held-out samples",
        f"{len(n_splits)} cohorts, {n_splits.max()} splits at most, {1 - HELD_OUT:.0%} fitted and "
        f"{HELD_OUT:.0%} measured. R² is about the training means, the mean over the views that "
        "vary among the samples measured; across views, each view is predicted from the others "
        "alone, on the samples that have both. Neighbours, as many as classes, are among the "
        "training samples, by the latents. Log p is a lower bound of the density of the measured "
        "values (NLL with its sign changed), on the model's scale and clipped as for the fit. More "
        "is better in all.",
        "## Differences to the default",
        "Paired by cohort and split. ± is the standard error of the mean over cohorts, those of "
        "one study counting as one; where there is one study only, over splits, corrected for the "
        "training samples that they share.",
        differences_table(mean, specs, shown),
    ]
    for metric, name in METRICS.items():
        table = gates_table(mean, metric, shown)
        if table:
            parts += [f"## Gates on each cohort: {name}", "± over splits, corrected.", table]
    for method in (REFERENCE, *PCA):
        if method in set(mean["method"]):
            parts += [f"## {shown[method]} on each cohort", absolute_table(mean, method)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder; goes on where it was left")
    parser.add_argument("--only", help="cohorts, separated by commas")
    parser.add_argument("--methods", help="methods, separated by commas")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--epochs", type=int, help="train briefly, to try things out")
    args = parser.parse_args()

    methods = variants(args.epochs)
    shown = names(methods)
    specs = labelled(args.data)
    for flag, wanted, known in (
        ("--only", args.only, [spec.name for spec in specs]),
        ("--methods", args.methods, list(shown)),
    ):
        unknown = set(wanted.split(",")) - set(known) if wanted else set()
        if unknown:
            parser.error(f"{flag} names {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    specs = tuple(spec for spec in specs if not args.only or spec.name in args.only.split(","))
    keys = [key for key in shown if not args.methods or key in args.methods.split(",")]

    path = args.out / "results.csv"
    rows = pd.DataFrame(columns=[*KEY, "metric", "part", "value", "digest"])
    if path.exists():
        rows = pd.read_csv(path, keep_default_na=False)
    digests = {(spec.name, key): digest(spec, key, methods) for spec, key in product(specs, keys)}
    have = set(rows[[*KEY, "digest"]].itertuples(index=False, name=None))
    todo = [
        (spec, split, key)
        for split, spec, key in product(range(args.splits), specs, keys)
        if (spec.name, split, key, digests[spec.name, key]) not in have
    ]
    print(f"{len(todo)} fits of {args.splits * len(specs) * len(keys)} to do", flush=True)
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    pool = ProcessPoolExecutor(
        args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker
    )
    failed = 0
    try:
        running = {pool.submit(measure, *task, args.epochs): task for task in todo}
        for number, future in enumerate(as_completed(running), 1):
            spec, split, key = running[future]
            told = f"{number}/{len(todo)} {spec.name}, split {split}, {shown[key]}"
            try:
                new = pd.DataFrame(future.result()).assign(digest=digests[spec.name, key])
            except Exception as error:
                failed += 1
                print(f"{told}: failed, {type(error).__name__}: {error}", flush=True)
                continue
            same = (rows[KEY] == [spec.name, split, key]).all(axis=1)
            rows = pd.concat([rows[~same], new], ignore_index=True) if len(rows) else new
            write_text(path, rows.to_csv(index=False))
            means = new[new["part"] == ""].set_index("metric")["value"].round(3).to_dict()
            print(told, means, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)

    current = pd.Series(list(zip(rows["cohort"], rows["method"], strict=True)), index=rows.index)
    kept = rows[(current.map(digests) == rows["digest"]) & (rows["split"] < args.splits)]
    if not kept.empty:
        order = {key: at for at, key in enumerate(keys)}
        cohorts = {spec.name: at for at, spec in enumerate(specs)}
        kept = kept.sort_values(
            ["cohort", "method"], key=lambda column: column.map(cohorts | order), kind="stable"
        )
        text = report(kept, specs, shown)
        write_text(args.out / "summary.md", text)
        print(f"\n{text}")
    if failed:
        sys.exit(f"{failed} fits failed; the same command tries them again")


if __name__ == "__main__":
    main()
