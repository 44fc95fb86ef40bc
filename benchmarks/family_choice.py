"""What a likelihood of its kind gains on real views, beside the Gaussian.

    python benchmarks/family_choice.py DATA_DIR --out RESULTS.jsonl [--cohorts hnsc_porpoise ...]
        [--seeds 3]

A tenth of the entries of the views concerned is hidden from a fit, which then says how probable
they were: the log-likelihood an entry in the units of the input. A Gaussian has the mass of its
density within half a unit of a whole number, beyond the ends for the least and the largest value,
and its density of a fraction. Beside it the share of their squares about the training means that
the predictions explain. On fits of the whole cohort, over seeds: NMI of subtypes, as many as there
are classes, with the labels, and seconds. Counts are logged for the Gaussian. Results are appended
to a file, and what it holds already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

import poems
from poems.clustering.agreement import nmi
from poems.clustering.kmeans import clusterings_of, one_thread
from poems.nn.inference import infer
from poems.nn.predictive import predictive_variance

_HIDDEN = 0.1


@dataclass(frozen=True)
class Case:
    """A cohort: its views, labels, the views a Gaussian takes logged, and the families tried."""

    views: tuple[str, ...]
    labels: tuple[str, ...]
    families: tuple[dict[str, str], ...]
    log1p: tuple[str, ...] = ()
    rows: dict[str, Any] = field(default_factory=dict)


_COUNTS, _ZEROS = "negative_binomial", "zinb"
CASES = {
    "hnsc_porpoise": Case(
        ("rna", "cnv", "mutation"),
        ("tcga_subtype",),
        ({"mutation": "bernoulli"}, {"cnv": "ordinal"}),
    ),
    "lusc_porpoise": Case(("rna", "mutation"), ("tcga_subtype",), ({"mutation": "bernoulli"},)),
    "laml_maf": Case(("mutation",), ("fab",), ({"mutation": "bernoulli"},)),
    "acc_mini": Case(
        ("rna", "cna", "protein", "mutation", "mirna"),
        ("cimp", "c1a_c1b"),
        ({"mutation": "bernoulli"}, {"cna": "ordinal"}),
    ),
    "gbm_iclusterplus84": Case(
        ("expression", "copynumber", "mutation"),
        ("expression_subtype",),
        ({"mutation": "bernoulli"}, {"copynumber": "student_t"}),
    ),
    "ibd_jacobs_microbiome": Case(
        ("genera", "metabolites"),
        ("group",),
        ({"genera": _COUNTS}, {"genera": _ZEROS}),
        ("genera", "metabolites"),
    ),
    "he_infants": Case(
        ("genera", "metabolites"),
        ("feeding",),
        ({"genera": _COUNTS}, {"genera": _ZEROS}),
        ("genera", "metabolites"),
    ),
    "ecam_infants": Case(("taxa",), ("diet",), ({"taxa": _COUNTS}, {"taxa": _ZEROS}), ("taxa",)),
    "citefuse_500": Case(
        ("rna", "adt"),
        ("citefuse_cluster",),
        ({"rna": _COUNTS, "adt": _COUNTS}, {"rna": _ZEROS, "adt": _COUNTS}),
        ("rna", "adt"),
    ),
    "brca_jive348": Case(
        ("expression", "methylation", "mirna"), ("pam50",), ({"methylation": "beta"},)
    ),
    "brca_mogonet255": Case(
        ("mrna", "methylation", "mirna"), ("pam50",), ({"methylation": "beta"},)
    ),
    "kirc_joined": Case(
        ("rna", "cnv", "mirna"), ("tcga_subtype",), ({"cnv": "ordinal"},), ("mirna",)
    ),
    "scmt_mesc87": Case(
        ("rna", "met_enhancer", "met_cpgisland", "met_promoter"),
        ("culture",),
        (dict.fromkeys(("met_enhancer", "met_cpgisland", "met_promoter"), "bernoulli"),),
    ),
    "covid_overmyer": Case(
        ("proteomics", "metabolomics"),
        ("group",),
        ({"proteomics": "student_t", "metabolomics": "student_t"},),
    ),
}


def frames_of(folder: Path, case: Case) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The views of a cohort and its annotations."""
    frames = {
        view: pd.read_csv(folder / f"{view}.csv.gz", index_col=0).dropna(how="all")
        for view in case.views
    }
    return frames, pd.read_csv(folder / "obs.csv", index_col=0)


def settings_of(case: Case, family: dict[str, str]) -> dict[str, Any]:
    """Settings of a fit: its families, and log1p for the views that are left to the Gaussian."""
    log1p = tuple(view for view in case.log1p if view not in family)
    return {"likelihood": family, "log1p": log1p}


def held_out(
    frames: dict[str, pd.DataFrame], case: Case, family: dict[str, str], judged: list[str]
) -> dict[str, Any]:
    """Hide entries, fit, and judge what is said of them."""
    rng = np.random.default_rng(0)
    given, hidden = dict(frames), {}
    for view in judged:
        frame = frames[view].astype(float)
        mask = (rng.random(frame.shape) < _HIDDEN) & frame.notna().to_numpy()
        hidden[view], given[view] = mask, frame.mask(mask)
    cohort = poems.read(given)
    start = time.monotonic()
    model = poems.fit(cohort, seed=0, progress=False, **settings_of(case, family))
    row: dict[str, Any] = {"seconds, hidden": time.monotonic() - start}
    batch, _ = model.preprocessing.apply(cohort)
    with torch.no_grad():
        found = infer(model.module, batch, covariance=True)
        eta = model.module.linear_predictors(found.loc, found.background)
    spread = None if family else predictive_variance(model.module, found)
    whole, _ = model.preprocessing.apply(poems.read(frames))
    for i, view in enumerate(model.view_names):
        if view not in judged:
            continue
        scaling = model.preprocessing.views[view]
        at = cohort.samples.get_indexer(frames[view].index)
        likelihood = model.module.likelihood(i)
        own = batch.shifted_view(view, eta[view])[at]
        columns = frames[view].columns.get_indexer(scaling.features)
        x = frames[view].to_numpy(float)
        seen = np.where(hidden[view], np.nan, x)
        # What is constant in what was seen no likelihood can say anything of.
        mask = hidden[view] & (np.nanstd(seen, axis=0) > 0)
        about = x - np.nanmean(seen, axis=0)
        predicted, entries = x - about, unmodelled(x, seen, log1p=view in case.log1p)
        predicted[:, columns] = scaling.invert(likelihood.mean(own).numpy())
        if scaling.own is not None:
            with torch.no_grad():
                said = likelihood.log_prob(whole.targets[view][at], own).numpy().astype(float)
            entries[:, columns] = said - (
                np.log(scaling.scale) if scaling.own.kind == "heavy" else 0.0
            )
        else:
            sigma = likelihood.standard_deviation(own).numpy()
            if spread is not None:
                sigma = spread[view][at].sqrt().numpy()
            part = frames[view].to_numpy(float)[:, columns]
            entries[:, columns] = gaussian(part, own.numpy(), sigma, scaling)
        row[f"{view}: log-likelihood"] = float(entries[mask].mean())
        row[f"{view}: R² held out"] = float(
            1 - ((x - predicted)[mask] ** 2).sum() / (about[mask] ** 2).sum()
        )
        logged = np.log1p if view in case.log1p else (lambda each: each)
        away = logged(x) - logged(np.clip(predicted, 0, None) if view in case.log1p else predicted)
        base = logged(x) - np.nanmean(logged(seen), axis=0)
        row[f"{view}: R² held out, logged"] = float(
            1 - (away[mask] ** 2).sum() / (base[mask] ** 2).sum()
        )
        row[f"{view}: explained"] = float(model.total_r2[view])
        row[f"{view}: driven"] = int((model.loadings[view] != 0).any(axis=1).sum())
    return row


@dataclass(frozen=True)
class _Plain:
    """Scaling of features that a fit left out: by mean and standard deviation."""

    offset: Any
    scale: Any
    log1p: bool


def unmodelled(x: Any, seen: Any, *, log1p: bool) -> Any:
    """Log probability under a Gaussian without factors, for features that a fit left out."""
    kept = np.log1p(seen) if log1p else seen
    spread = np.nanstd(kept, axis=0)
    plain = _Plain(np.nanmean(kept, axis=0), np.where(spread > 0, spread, 1.0), log1p)
    return gaussian(x, np.zeros_like(x), np.ones_like(x), plain)


def gaussian(x: Any, mean: Any, sigma: Any, scaling: Any) -> Any:
    """Log probability of values under a Gaussian of the scaled values."""

    def scaled(value: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.log1p(value) if scaling.log1p else value
        return (value - scaling.offset) / scaling.scale

    known = x[~np.isnan(x)]
    if (known == np.round(known)).all():
        # Counts have no largest value.
        top = np.inf if scaling.log1p else known.max()
        low = np.where(x <= known.min(), -np.inf, scaled(x - 0.5))
        high = np.where(x >= top, np.inf, scaled(x + 0.5))
        below, above = (low - mean) / sigma, (high - mean) / sigma
        # Of two sides of a bell the one where both are small loses no digits.
        flip = below > 0
        a, b = np.where(flip, -above, below), np.where(flip, -below, above)
        return norm.logcdf(b) + np.log1p(-np.exp(norm.logcdf(a) - norm.logcdf(b)))
    density = norm.logpdf((scaled(x) - mean) / sigma) - np.log(sigma) - np.log(scaling.scale)
    return density - (np.log1p(x) if scaling.log1p else 0.0)


def labelled(
    frames: dict[str, pd.DataFrame],
    obs: pd.DataFrame,
    case: Case,
    family: dict[str, str],
    seed: int,
) -> dict[str, Any]:
    """Fit the whole cohort and compare subtypes with labels."""
    cohort = poems.read(frames, obs=obs)
    start = time.monotonic()
    model = poems.fit(cohort, seed=seed, progress=False, **settings_of(case, family))
    row: dict[str, Any] = {"seconds": time.monotonic() - start, "factors": model.n_active}
    row["signatures"] = list(model.diagnose().signatures)
    gates = model.gates.where(model.gates > 0).mean()
    row |= {f"{view}: weight": round(float(gates[view]), 3) for view in model.view_names}
    row |= {f"{view}: share": round(float(model.r2[view]), 4) for view in model.view_names}
    for label in case.labels:
        truth = cohort.obs[label]
        known = truth.notna().to_numpy()
        n = int(truth.nunique())
        with one_thread():
            found = clusterings_of(model.embedding().to_numpy(), n, (n,), 0)[n]
        row[f"NMI {label}"] = nmi(truth[known].to_numpy(), found[known])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohorts", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    done = set()
    if args.out.exists():
        done = {
            (row["cohort"], row["family"], row["what"])
            for row in map(json.loads, args.out.read_text().splitlines())
        }
    for name in args.cohorts:
        case = CASES[name]
        frames, obs = frames_of(args.data / name, case)
        judged = sorted({view for family in case.families for view in family})
        for family in ({}, *case.families):
            said = ",".join(f"{view}={each}" for view, each in family.items()) or "gaussian"
            for what in ("hidden", *(f"seed {seed}" for seed in range(args.seeds))):
                if (name, said, what) in done:
                    continue
                try:
                    if what == "hidden":
                        row = held_out(frames, case, family, judged)
                    else:
                        seed = int(what.split()[1])
                        row = labelled(frames, obs, case, family, seed)
                except poems.PoemsError as error:
                    row = {"error": str(error)}
                row = {"cohort": name, "family": said, "what": what, **row}
                with args.out.open("a") as file:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                print(row, flush=True)


if __name__ == "__main__":
    main()
