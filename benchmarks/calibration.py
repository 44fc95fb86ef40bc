"""Do 90 % intervals cover 90 %: of the latents, and of entries that the model has not seen?

    python benchmarks/calibration.py [DATA_DIR] [--only NAME,…] [--splits 3] [--out FILE.csv]

A fifth of the samples is held out of each fit. What is asked, as a share in percent:

- z: planted factors of the held-out samples within the posterior's interval, each found factor
  brought to sign and scale of the planted one that it correlates with most by a line through the
  training samples (simulation; factors with |r| below .9 there are left out). Planted factors
  are not N(0, 1) within subtypes, so that this holds only as far as the data decide;
- entries: a tenth of the held-out samples' entries, blanked, within the predictive interval, all
  views given;
- other views: all entries of a view, the other views given, and one view: a view alone given;
- the latents that all views give, within the intervals that they have with a view withheld, the
  mean over the views withheld; and how near they are (r, the mean over factors), beside the
  encoders' answers.

On the scale of the preprocessing. Cohorts are those of explained.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import poems
from explained import cohorts, split
from poems.data.container import MultiOmics
from poems.evaluation.held_out import withheld
from poems.nn.inference import infer
from poems.nn.predictive import predictive_variance
from poems.scaling.batch import Batch

WIDTH = 1.6449
BLANKED = 0.1
LEAST_R = 0.9


def simulated() -> Iterator[tuple[str, MultiOmics, pd.DataFrame | None]]:
    for seed in range(2):
        made = poems.simulate(n_samples=300, n_features=300, n_views=3, seed=seed)
        yield f"simulation {seed}", made.cohort, made.latent


def measure(
    cohort: MultiOmics, planted: pd.DataFrame | None, seed: int, **settings: object
) -> Iterator[tuple[str, float]]:
    train, test = split(cohort.n_samples, seed)
    # Intervals are those of Gaussian views.
    settings = {"likelihood": "gaussian", **settings}
    model = poems.fit(cohort.take(train), seed=seed, progress=False, **settings)
    new, _ = model.preprocessing.apply(cohort.take(test))
    views = list(new.values)
    if planted is not None:
        for label, batch in (("z, all views", new), ("z, one view", alone(new, views[0]))):
            yield label, of_latents(model, planted, train, test, batch)
    generator = torch.Generator().manual_seed(seed)
    there = {name: torch.rand(x.shape, generator=generator) >= BLANKED
             for name, x in new.values.items()}  # fmt: skip
    there = {name: mask if new.observed[name] is None else mask & new.observed[name]
             for name, mask in there.items()}  # fmt: skip
    hidden = {name: ~mask if new.observed[name] is None else new.observed[name] & ~mask
              for name, mask in there.items()}  # fmt: skip
    seen = Batch({name: x.masked_fill(~there[name], 0.0) for name, x in new.values.items()},
                 there, new.measured)  # fmt: skip
    yield "entries, all views", of_entries(model, seen, new, hidden)
    everything = {name: torch.ones_like(x, dtype=torch.bool) if new.observed[name] is None
                  else new.observed[name] for name, x in new.values.items()}  # fmt: skip
    others = [of_entries(model, withheld(new, name), new, {name: everything[name]})
              for name in views]  # fmt: skip
    yield "entries, other views", float(np.mean(others))
    for label, covered in of_withheld_latents(model, new):
        yield label, covered
    single = [of_entries(model, alone(new, name), new,
                         {other: everything[other] for other in views if other != name})
              for name in views]  # fmt: skip
    yield "entries, one view", float(np.mean(single))


def alone(batch: Batch, view: str) -> Batch:
    for name in batch.values:
        if name != view:
            batch = withheld(batch, name)
    return batch


def of_entries(
    model: poems.FittedPoems, seen: Batch, new: Batch, hidden: dict[str, torch.Tensor]
) -> float:
    found = infer(model.module, seen, covariance=True)
    variance = predictive_variance(model.module, found)
    predicted = model.module.predict(found.loc, found.background, measured=seen.measured)
    inside = [((new.values[name] - predicted[name]).abs() < WIDTH * variance[name].sqrt())[mask]
              for name, mask in hidden.items()]  # fmt: skip
    return float(torch.cat(inside).float().mean())


def of_withheld_latents(model: poems.FittedPoems, new: Batch) -> Iterator[tuple[str, float]]:
    """Covered, and r in percent with those of all views, of exact posteriors and of encoders."""
    whole = infer(model.module, new).loc[:, model.active]
    encoded = model.module.encode(new).posterior.mean[:, model.active]
    covered, exact, amortised = [], [], []
    for name in new.values:
        seen = withheld(new, name)
        found = infer(model.module, seen)
        loc, deviation = found.loc[:, model.active], found.variance[:, model.active].sqrt()
        covered.append(float(((loc - whole).abs() < WIDTH * deviation).float().mean()))
        exact.append(nearness(loc, whole))
        amortised.append(
            nearness(model.module.encode(seen).posterior.mean[:, model.active], encoded)
        )
    yield "z of all views, one withheld", float(np.mean(covered))
    yield "r of z, one withheld", float(np.mean(exact))
    yield "r, encoders", float(np.mean(amortised))


def nearness(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(x.T, y.T, strict=True)]))


def of_latents(
    model: poems.FittedPoems,
    planted: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    batch: Batch,
) -> float:
    found = infer(model.module, batch)
    loc, deviation = found.loc[:, model.active], found.variance[:, model.active].sqrt()
    own = (model.latent.to_numpy() * model.orientation.numpy()[model.active]).T
    truth, inside = planted.to_numpy(), []
    for k, mine in enumerate(own):
        r = [abs(np.corrcoef(mine, x)[0, 1]) for x in truth[train].T]
        best = int(np.argmax(r))
        if r[best] >= LEAST_R:
            # The model's scale regressed on the truth: its errors are those of the model's side.
            slope, offset = np.polyfit(truth[train, best], mine, 1)
            wanted = torch.from_numpy(offset + slope * truth[test, best])
            inside.append(((loc[:, k] - wanted).abs() < WIDTH * deviation[:, k]).float())
    return float(torch.cat(inside).mean()) if inside else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    named = set(filter(None, given.only.split(",")))
    every = [] if given.data is None else cohorts(given.data, named)
    rows = []
    sources = [*simulated(), *((spec.name, cohort, None) for spec, cohort in every)]
    for name, cohort, planted in sources:
        for seed in range(given.splits):
            rows += [{"cohort": name, "seed": seed, "of": of, "covered": 100 * covered}
                     for of, covered in measure(cohort, planted, seed)]  # fmt: skip
        own = pd.DataFrame(rows).query("cohort == @name").groupby("of", sort=False)["covered"]
        print(name, own.mean().round(1).to_dict(), flush=True)
    table = pd.DataFrame(rows)
    print(table.pivot_table(index="cohort", columns="of", values="covered", sort=False)
          .round(1).to_string())  # fmt: skip
    if given.out is not None:
        table.to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
