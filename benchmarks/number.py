"""How many subtypes are reported where the number is known, and whether seeds or order matter.

    python benchmarks/number.py groups [--cohorts 60] [--seed 0]
    python benchmarks/number.py none [--cohorts 40] [--seed 0]
    python benchmarks/number.py orders [DATA_DIR] --out orders [--only NAME ...]
    python benchmarks/number.py real DATA_DIR

groups: cohorts drawn at random from 2, 3, 4, 6 or 8 planted subtypes, equal or unequal to 5 %,
3.5 to 7 standard deviations apart, 80, 200 or 500 samples, one view missing on 30 % or not. The
number counts as one that can be found where the clusters agree with what was planted (ARI of
0.8 or more) once the number is given. none: continua and factor models. orders: a simulated
cohort, or the labelled ones of a folder, fitted with ten seeds and in other orders of samples,
features and views; fits and judgements are kept in --out, so that the same command goes on after
an interrupt. real: labelled cohorts, the number beside that of the classes, which played no
part; the cohorts themselves were looked at while the rule was made.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import poems
from cohorts import labelled, more
from orders import judged, row_of, said_where, spreads, variants
from poems.analysis.subtypes.finding import find_subtypes
from poems.clustering.agreement import ari
from poems.data.container import MultiOmics, View
from poems_benchmark.cohorts import read_benchmark_cohort

FEATURES, FACTORS, VIEWS = 120, 8, 3
SIZES = (80, 200, 500)
SHAPES = ("factors", "strong", "few", "line", "square", "arc", "heavy tails", "skewed")


def missing(share: float) -> dict[str, float]:
    return {f"view{at + 1}": share if at == VIEWS - 1 else 0.0 for at in range(VIEWS)}


def planted(rng: np.random.Generator) -> tuple[dict[str, Any], MultiOmics, pd.Series]:
    k, n = int(rng.choice([2, 3, 4, 6, 8])), int(rng.choice(SIZES))
    separation, equal = float(rng.choice([3.5, 4.5, 5.5, 7.0])), bool(rng.integers(2))
    lacking, seed = float(rng.choice([0.0, 0.3])), int(rng.integers(2**31))
    rest = np.linspace(2.0, 1.0, k - 1)
    shares = None if equal else [*(0.95 * rest / rest.sum()), 0.05]
    made = poems.simulate(
        n, FEATURES, FACTORS, n_views=VIEWS, n_subtypes=k, separation=separation,
        proportions=shares, missing_views=missing(lacking), seed=seed,
    )  # fmt: skip
    about = {"planted": k, "n": n, "separation": separation, "equal": equal, "missing": lacking}
    return about, made.cohort, made.subtypes


def latents(shape: str, n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    z = rng.standard_normal((n, FACTORS))
    if shape == "strong":
        z[:, 0] *= 3
    elif shape == "few":
        z[:, 2:] = 0
        z[:, :2] *= 2
    elif shape == "line":
        z[:, 0] = rng.uniform(-4, 4, n)
    elif shape == "square":
        z[:, :2] = rng.uniform(-3.5, 3.5, (n, 2))
    elif shape == "arc":
        angle = rng.uniform(0, np.pi, n)
        z[:, :2] = 4 * np.column_stack([np.cos(angle), np.sin(angle)])
    elif shape == "heavy tails":
        z = rng.standard_t(5, z.shape) / np.sqrt(5 / 3)
    elif shape == "skewed":
        z = (rng.gamma(2.0, 1.0, z.shape) - 2) / np.sqrt(2)
    return z


def continuum(rng: np.random.Generator) -> tuple[dict[str, Any], MultiOmics]:
    shape, n = str(rng.choice(SHAPES)), int(rng.choice(SIZES))
    lacking, seed = float(rng.choice([0.0, 0.3])), int(rng.integers(2**31))
    made = poems.simulate(
        n, FEATURES, FACTORS, n_views=VIEWS, n_subtypes=1, missing_views=missing(lacking), seed=seed
    )
    z = latents(shape, n, rng)
    views = {}
    for name, effects in made.loadings.items():
        view = made.cohort.views[name]
        values = z @ effects.to_numpy().T + rng.standard_normal((n, FEATURES))
        values[~view.measured] = np.nan
        views[name] = View(values.astype(np.float32), effects.index, view.measured)
    return {"shape": shape, "n": n, "missing": lacking}, MultiOmics(
        views, made.cohort.samples, pd.DataFrame(index=made.cohort.samples)
    )


def groups(cohorts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(cohorts):
        about, cohort, truth = planted(rng)
        model = poems.fit(cohort, progress=False)
        start = time.process_time()
        found = find_subtypes(model)
        seconds = time.process_time() - start
        given = ari(truth, find_subtypes(model, about["planted"]).assignment)
        own = ari(truth, found.assignment)
        row = {**about, "found": found.n_subtypes, "ari given": given, "ari": own, "s": seconds}
        rows.append(row)
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    table = pd.DataFrame(rows)
    table["right"] = table["found"] == table["planted"]
    table["more"] = table["found"] > table["planted"]
    print(f"more than planted: {table['more'].sum()} of {len(table)}")
    can = table[table["ari given"] >= 0.8]
    print(f"right where ARI >= 0.8 with the number given: {can['right'].sum()} of {len(can)}")
    for by in ("planted", "n", "separation", "equal", "missing"):
        print(can.groupby(by)["right"].agg(["sum", "size"]).to_string())


def none(cohorts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(cohorts):
        about, cohort = continuum(rng)
        found = find_subtypes(poems.fit(cohort, progress=False)).n_subtypes
        rows.append({**about, "found": found})
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table["right"] = table["found"] == 1
    print(f"none where there is none: {table['right'].sum()} of {len(table)}")
    print(table.groupby("shape")["right"].agg(["sum", "size"]).to_string())


def orders(
    data: Path | None, out: Path, names: list[str], *, seeds: int, permutations: int
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    ways, rows, every = variants(seeds, permutations), {}, []
    for name, cohort in _cohorts(data, names):
        found = {}
        for way in ways:
            path = out / f"{name}-{way.how}-{way.at}"
            found[way] = judged(path, lambda way=way, cohort=cohort: way.fit(cohort()))
            own = found[way]
            print(name, way.how, way.at, own.number, "gap" if own.gap else "", flush=True)
        rows[name] = row_of(found)
        every.append(found)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("cohort").reset_index()
    for line in (table.columns, ["---"] * len(table.columns), *table.to_numpy()):
        print(f"| {' | '.join(map(str, line))} |")
    print(said_where(every))
    print({name: round(value, 3) for name, value in spreads(every).items()})


def _cohorts(data: Path | None, names: list[str]) -> Iterator[tuple[str, Callable[[], MultiOmics]]]:
    """Yield cohorts by name, each read when it is needed, and once."""
    if data is None:
        made = poems.simulate(200, FEATURES, FACTORS, n_views=VIEWS, n_subtypes=4, seed=0)
        yield "simulated", lambda: made.cohort
        return
    for spec in (*labelled(data), *more(data)):
        if not names or spec.name in names:
            yield spec.name, cache(partial(read_benchmark_cohort, spec))


def real(data: Path) -> None:
    for spec in (*labelled(data), *more(data)):
        cohort = read_benchmark_cohort(spec)
        found = find_subtypes(poems.fit(cohort, progress=False))
        for label in spec.labels:
            known = cohort.obs[label].notna()
            truth = cohort.obs.loc[known, label].astype(str)
            agreement = ari(truth, found.assignment[known])
            print(
                f"{spec.name}: {label}, {truth.nunique()} classes, {found.n_subtypes} found, "
                f"ARI {agreement:.2f}. {found.explanation}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True)
    for name, cohorts in (("groups", 60), ("none", 40)):
        simulated = what.add_parser(name)
        simulated.add_argument("--cohorts", type=int, default=cohorts)
        simulated.add_argument("--seed", type=int, default=0)
    again = what.add_parser("orders")
    again.add_argument("data", type=Path, nargs="?")
    again.add_argument("--out", type=Path, default=Path("orders"))
    again.add_argument("--only", nargs="*", default=[])
    again.add_argument("--seeds", type=int, default=10)
    again.add_argument("--permutations", type=int, default=1, help="of each kind")
    what.add_parser("real").add_argument("data", type=Path)
    args = parser.parse_args()
    if args.what == "groups":
        groups(args.cohorts, args.seed)
    elif args.what == "none":
        none(args.cohorts, args.seed)
    elif args.what == "orders":
        orders(args.data, args.out, args.only, seeds=args.seeds, permutations=args.permutations)
    else:
        real(args.data)


if __name__ == "__main__":
    main()
