"""How much the model says of new samples, of an omic from the others, and of blanked entries.

    python benchmarks/explained.py DATA_DIR [--only NAME,…] [--splits 5] [--quick] [--cache DIR]

R squared on standardised features, the mean over the views of each cohort of
benchmarks/cohorts.toml and more_cohorts.toml with two views or more and 80 complete samples (the
others are left out, and so are incomplete samples):

- held out: a fifth of the samples, from all their views;
- new entries: a tenth of the entries of that fifth, hidden, from the others. A sample's own entries
  come back with its scores the more of these there are, so that the row above has a model of as
  many dimensions as entries win; what was not shown can only be known;
- across: a view of that fifth, from its other views;
- blanked: 30 % of the entries, hidden before the fit.

Beside the default, the encoders' answers and exact posteriors without background factors; and
what linear models say: probabilistic PCA with 16 components and with the rank that predicts a
fifth of the training samples best by the same measure (given all that is shown), MOFA+ with its
own defaults (the posterior of new samples from its weights and noise), and, for what was not
measured, singular values shrunk until a tenth of the entries that are there is predicted best
(soft-impute: Mazumder, Hastie & Tibshirani 2010, JMLR 11:2287). It imputes new samples beneath
those of the training, which so are learned from, and copies what is shown: of held out it has no
row. ``--quick`` leaves out MOFA+ and the default's variants.

Of each view also what the factors, and factors and background, explain of the training samples
beyond what a posterior explains of noise, over what as many principal components of that view
alone as there are factors explain beyond noise.

With ``--cache`` every cohort, split and method is kept in a file, and is not measured again; after
a change of the code that it rests on, delete it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import poems
from cohorts import labelled, more
from poems.data.container import MultiOmics, View
from poems.diagnosis.principal import structure_alone
from poems.evaluation.held_out import (
    Predict,
    PrincipalModel,
    cross_view_r2,
    fit_principal_model,
    predicted_by,
    reconstruction_r2,
)
from poems.fitting.explaining import training_means
from poems.fitting.preparing import prepared_scaling
from poems.nn.inference import infer
from poems.scaling.batch import Batch
from poems.settings.schema import Settings
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort
from poems_benchmark.methods.mofa import fit_mofa

FEWEST_SAMPLES = 80
# Of what components of a view find less than this beyond noise nothing is asked.
LEAST_ALONE = 0.02
HELD_OUT, BLANKED, NEW = 0.2, 0.3, 0.1
RANKS = (2, 4, 8, 16, 32, 64)
MODELS = {
    "POEMS": {},
    "no background": {"background": 0},
    "encoders": {"inference": "amortised"},
}


def new_entries(
    batch: Batch, predict: Predict, means: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    hidden = {name: torch.rand(x.shape, generator=generator) < NEW
              for name, x in batch.values.items()}  # fmt: skip
    there = {name: ~hidden[name] if batch.observed[name] is None
             else batch.observed[name] & ~hidden[name] for name in hidden}  # fmt: skip
    values = {name: x.where(there[name], 0.0) for name, x in batch.values.items()}
    seen = replace(batch, values=values, observed=there)
    return entries(batch, hidden, predict(seen), means)


ROWS = {"held out": reconstruction_r2, "new entries": new_entries, "across": cross_view_r2}
ROUNDS = 30
SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.4)

Measured = tuple[str, str, Mapping[str, float]]
"""Row, method and R squared of each view."""


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
    model = fit_principal_model(batch, means, rank)
    return lambda some: shown(model, some), means


def shown(model: PrincipalModel, batch: Batch) -> Mapping[str, torch.Tensor]:
    """What probabilistic PCA says given the entries that there are, and no others."""
    if batch.observed_jointly() is None:
        return model.predict(batch)
    views = list(model.axes)
    widths = torch.tensor([len(model.axes[name]) for name in views])
    mean = torch.cat([model.means[name] for name in views]).double()
    W = torch.cat([model.axes[name] * len(model.axes[name]) ** 0.5 for name in views])
    there = batch.entries().double() / (model.noise * torch.repeat_interleave(widths, widths))
    told = (batch.joined().double() - mean).masked_fill(~batch.entries(), 0.0) * there @ W
    known = torch.stack([W.T @ (own[:, None] * W) for own in there])
    z = torch.linalg.solve(known + torch.diag(1.0 / model.variance), told)
    return apart(z @ W.T + mean, batch)


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


def measured(cohort: MultiOmics, seed: int, method: str) -> Iterator[Measured]:
    """All rows of a split by a method, or by those that are cheap together."""
    train, test = split(cohort.n_samples, seed)
    rng = np.random.default_rng(seed)
    hidden = {name: rng.random(view.values.shape) < BLANKED for name, view in cohort.views.items()}
    views = {
        name: View(np.where(hidden[name], np.nan, view.values), view.features, view.measured)
        for name, view in cohort.views.items()
    }
    blanked = MultiOmics(views=views, samples=cohort.samples, obs=cohort.obs)
    if method in MODELS:
        return of_poems(cohort, blanked, hidden, seed, method)
    settings = Settings().updated(likelihood="gaussian")
    scaling = prepared_scaling(cohort.take(train), settings)
    training, new = (scaling.apply(cohort.take(rows))[0] for rows in (train, test))
    means = training_means(scaling)
    scaling = prepared_scaling(blanked, settings)
    seen, whole = (scaling.apply(some)[0] for some in (blanked, cohort))
    told = whole, of_features(hidden, cohort, whole, scaling), training_means(scaling)
    of = of_mofa if method == "MOFA+" else of_components
    return of(Cut(training, new, means, seen, told, seed))


@dataclass(frozen=True)
class Cut:
    """Samples to learn from and new ones, and means of the former; all with hidden entries.

    ``told``: all samples, which of their entries were hidden, and the means of the others.
    """

    training: Batch
    new: Batch
    means: Mapping[str, torch.Tensor]
    seen: Batch
    told: tuple[Batch, Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]
    seed: int


def of_features(hidden: dict, cohort: MultiOmics, whole: Batch, scaling: object) -> dict:
    """Hidden entries of the features that are kept."""
    return {
        name: torch.from_numpy(
            hidden[name][:, cohort.views[name].features.get_indexer(scaling.views[name].features)]
        )
        for name in whole.values
    }


def of_poems(
    cohort: MultiOmics, blanked: MultiOmics, hidden: dict, seed: int, name: str
) -> Iterator[Measured]:
    train, test = split(cohort.n_samples, seed)
    model = fitted(cohort.take(train), seed, MODELS[name])
    training, new = (model.preprocessing.apply(cohort.take(rows))[0] for rows in (train, test))
    means = training_means(model.preprocessing)
    for row, score in ROWS.items():
        yield row, name, score(new, predicted_by(model), means)
    if name == "POEMS":
        yield from beside_alone(model, training, means, seed)
    model = fitted(blanked, seed, MODELS[name])
    seen, whole = (model.preprocessing.apply(some)[0] for some in (blanked, cohort))
    kept = of_features(hidden, cohort, whole, model.preprocessing)
    means = training_means(model.preprocessing)
    yield "blanked", name, entries(whole, kept, predicted_by(model)(seen), means)


def beside_alone(
    model: poems.FittedPoems, training: Batch, means: Mapping[str, torch.Tensor], seed: int
) -> Iterator[Measured]:
    """What is explained beyond chance, over what components of a view alone explain of it."""
    module, n_features = model.module, sum(training.n_features.values())
    found = infer(module, training, covariance=True)
    decided = (1.0 - found.covariance.diagonal(dim1=1, dim2=2)).clamp_min(0.0).mean(dim=0)
    chance = {"factors": decided[: module.n_latent], "all": decided}
    total = module.predict(found.loc, found.background, measured=training.measured)
    parts = torch.split(module.decode_jointly(found.loc), list(training.n_features.values()), dim=1)
    predicted = {"factors": dict(zip(training.values, parts, strict=True)), "all": total}
    alone = {name: structure_alone(training, means, name, model.n_active, seed) for name in means}
    for of, said in predicted.items():
        r2 = reconstruction_r2(training, lambda _, said=said: said, means)
        yield (
            f"{of} / alone",
            "POEMS",
            {
                name: (r2[name] - float(chance[of].sum()) / n_features) / alone[name]
                for name in means
                if alone[name] > LEAST_ALONE
            },
        )
    yield "alone", "components", alone


def of_components(cut: Cut) -> Iterator[Measured]:
    """PCA and soft-impute."""
    for row, score in ROWS.items():
        for name, rank in (
            ("PCA 16", 16),
            ("PCA, best rank", best_rank(cut.training, score, cut.seed)),
        ):
            predict, _ = principal(cut.training, rank)
            yield row, name, score(cut.new, predict, cut.means)
    imputed = imputing(cut.training, best_shrinkage(together(cut.training), cut.seed))
    for row in ("new entries", "across"):
        yield row, "soft-impute", ROWS[row](cut.new, imputed, cut.means)
    values = together(cut.seen)
    predictions = {
        "PCA 16": iterated(values, lambda S: S.where(torch.arange(len(S)) < 16, 0.0)),
        "soft-impute": iterated(values, shrunk(best_shrinkage(values, cut.seed))),
    }
    whole, kept, averages = cut.told
    for name, predicted in predictions.items():
        yield "blanked", name, entries(whole, kept, apart(predicted, cut.seen), averages)


def of_mofa(cut: Cut) -> Iterator[Measured]:
    predict = linear_model(cut.training, cut.seed)
    for row, score in ROWS.items():
        yield row, "MOFA+", score(cut.new, predict, cut.means)
    whole, kept, averages = cut.told
    yield (
        "blanked",
        "MOFA+",
        entries(whole, kept, linear_model(cut.seen, cut.seed)(cut.seen), averages),
    )


def entries(
    whole: Batch,
    hidden: Mapping[str, torch.Tensor],
    predicted: Mapping[str, torch.Tensor],
    means: Mapping[str, torch.Tensor],
) -> dict[str, float]:
    """R squared of the hidden entries about the means of those that were seen."""
    found = {}
    for name, x in whole.values.items():
        observed = whole.observed[name]
        there = hidden[name] if observed is None else hidden[name] & observed
        left = (x - predicted[name])[there].double().square().sum()
        total = (x - means[name])[there].double().square().sum()
        found[name] = float(1.0 - left / total)
    return found


def linear_model(seen: Batch, seed: int) -> Predict:
    """MOFA+ on the model's scale, and what it says of any samples: the posterior given W and s."""
    fit = fit_mofa(as_cohort(seen), seed=seed)
    # Of features that never vary MOFA+ says nothing; they are predicted at their means.
    noise = torch.from_numpy(np.concatenate([fit.noise_variance[v] for v in seen.values]))
    W = torch.from_numpy(np.concatenate([fit.weights[v] for v in seen.values]))
    b = torch.from_numpy(np.concatenate([fit.intercepts[v] for v in seen.values]))
    precision = torch.where(noise > 0, 1.0 / noise, 0.0)

    def predict(batch: Batch) -> Mapping[str, torch.Tensor]:
        x = together(batch)
        there = ~x.isnan()
        told = torch.where(there, (x - b) * precision, 0.0) @ W
        known = torch.einsum("nj,ja,jb->nab", there * precision, W, W)
        z = torch.linalg.solve(known + torch.eye(W.shape[1]).double(), told)
        return apart(z @ W.T + b, batch)

    return predict


def as_cohort(batch: Batch) -> MultiOmics:
    views = {}
    for name, x in apart(together(batch), batch).items():
        features = pd.Index([f"{name}:{at}" for at in range(x.shape[1])])
        views[name] = View(x.numpy(), features, ~np.isnan(x.numpy()).all(axis=1))
    samples = pd.Index([f"s{at}" for at in range(len(batch))])
    return MultiOmics(views=views, samples=samples, obs=pd.DataFrame(index=samples))


def together(batch: Batch) -> torch.Tensor:
    """The values of all views side by side, NaN where there are none."""
    return batch.joined().double().masked_fill(~batch.entries(), torch.nan)


def apart(values: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
    widths = [x.shape[1] for x in batch.values.values()]
    parts = values.float().split(widths, dim=1)
    return dict(zip(batch.values, parts, strict=True))


def iterated(
    values: torch.Tensor, spectrum: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Entries that are not there, filled again and again from changed singular values."""
    there = ~values.isnan()
    said = values.nanmean(dim=0).expand_as(values)
    for _ in range(ROUNDS):
        filled = torch.where(there, values, said)
        centre = filled.mean(dim=0)
        left = filled - centre
        # Of the samples' products: there are fewer samples than features, or not many more.
        squares, U = torch.linalg.eigh(left @ left.T)
        S, U = squares.flip(0).clamp_min(0.0).sqrt(), U.flip(1)
        share = spectrum(S) / S.clamp_min(1e-6 * S[0])
        said = (U * share) @ (U.T @ left) + centre
    return said


def shrunk(by: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Singular values less a share of the largest."""
    return lambda S: torch.relu(S - by * S[0])


def best_shrinkage(values: torch.Tensor, seed: int) -> float:
    """The share that predicts a tenth of the entries best from the others."""
    generator = torch.Generator().manual_seed(seed)
    hidden = (torch.rand(values.shape, generator=generator) < 0.1) & ~values.isnan()
    seen = values.masked_fill(hidden, torch.nan)
    errors = {
        by: float((iterated(seen, shrunk(by)) - values)[hidden].square().sum()) for by in SHRINKAGES
    }
    return min(errors, key=lambda by: errors[by])


def imputing(training: Batch, shrinkage: float) -> Predict:
    """Soft-impute new samples beneath the training samples."""

    def predict(batch: Batch) -> Mapping[str, torch.Tensor]:
        both = torch.cat([together(training), together(batch)])
        return apart(iterated(both, shrunk(shrinkage))[len(training) :], batch)

    return predict


def fitted(cohort: MultiOmics, seed: int, settings: dict) -> poems.FittedPoems:
    # Compared are squares on one scale, beside principal components.
    return poems.fit(cohort, seed=seed, progress=False, **{"likelihood": "gaussian", **settings})


def unit(name: str, cohort: MultiOmics, seed: int, method: str, cache: Path | None) -> pd.DataFrame:
    """What a method says of a split of a cohort: row, method, view, r2; from the cache if there."""
    path = None if cache is None else cache / f"{name}-{seed}-{method}.csv"
    if path is not None and path.exists():
        return pd.read_csv(path)
    rows = [
        {"cohort": name, "seed": seed, "row": row, "method": of, "view": view, "r2": r2}
        for row, of, shares in measured(cohort, seed, method)
        for view, r2 in shares.items()
    ]
    table = pd.DataFrame(rows)
    if path is not None:
        table.to_csv(path, index=False)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--methods", default="", help="of these alone, by comma")
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    chosen = set(filter(None, given.methods.split(",")))
    methods = [
        name
        for name in (*MODELS, "components", "MOFA+")
        if (name in chosen if chosen else not given.quick or name in ("POEMS", "components"))
    ]
    if given.cache is not None:
        given.cache.mkdir(parents=True, exist_ok=True)
    found = []
    for spec, cohort in cohorts(given.data, set(filter(None, given.only.split(",")))):
        for seed in range(given.splits):
            for method in methods:
                found.append(unit(spec.name, cohort, seed, method, given.cache))
                print(spec.name, seed, method, file=sys.stderr, flush=True)
    if not found:
        sys.exit("no such cohort has two views and samples enough")
    report(pd.concat(found, ignore_index=True))


def report(table: pd.DataFrame) -> None:
    """Print the means, and the views in which another method is better by more than .05."""
    alone = table["row"].str.endswith("alone")
    told = table[~alone]
    print(by_method(told, ["row", "cohort", "view"]))
    # Views of a cohort, then splits, then cohorts: each of these counts once.
    of_splits = told.groupby(["row", "method", "cohort", "seed"], sort=False)["r2"].mean()
    print(by_method(of_splits.reset_index(), ["row", "cohort"]))
    means = of_splits.groupby(["row", "method", "cohort"], sort=False).mean()
    print(by_method(means.reset_index(), ["row"]))
    wide = told.pivot_table(
        index=["row", "cohort", "view"], columns="method", values="r2", sort=False
    )
    others = wide.drop(columns=[*MODELS], errors="ignore")
    if "POEMS" in wide and others.shape[1]:
        behind = pd.DataFrame(
            {"behind": others.max(axis=1) - wide["POEMS"], "of": others.idxmax(axis=1)}
        )
        behind = behind[behind["behind"] > 0.05].round(3)
        print("behind by more than .05", behind.to_string(), sep="\n")
    print(table[alone].pivot_table(index=["cohort", "view"], columns="row", values="r2", sort=False)
          .round(2).to_string())  # fmt: skip


def by_method(table: pd.DataFrame, index: list[str]) -> str:
    wide = table.pivot_table(index=index, columns="method", values="r2", sort=False)
    return str(wide.round(3).to_string())


if __name__ == "__main__":
    main()
