"""Which space to cluster in: judged on studies that played no part in choosing it.

    python benchmarks/spaces.py DATA_DIR --out spaces [--seeds 0 1] [--only gbm_stategra]

Every labelled cohort of cohorts.toml and more_cohorts.toml is fitted once a seed with the
defaults; what the spaces are made of (latents with their variances, background, distances by
view) is kept in --out, and so is every score: the same command goes on after an interrupt.
Each space is clustered into as many groups as there are classes. Cohorts of one study count
once. Leave one study out: the space that is best on the other studies, scored on that one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import poems
from cohorts import labelled, more
from nemo import Nemo
from poems.clustering.agreement import ari, nmi
from poems.clustering.coordinates import principal_posterior
from poems.clustering.distances import expected_distances, summed_distances
from poems.clustering.kmeans import one_thread
from poems.clustering.networks import (
    diffusion_coordinates,
    flattened,
    fuse,
    neighbours,
    similarities,
)
from poems.data.container import MultiOmics
from poems.evaluation.paper.protocol import knn_accuracy
from poems.fitting.embeddings import blocks_of_features
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort
from poems_benchmark.methods.interface import Method
from poems_benchmark.methods.registry import METHODS
from studies import by_study, kinds_of, leave_one_out

Floats = npt.NDArray[np.float64]
Fit = Mapping[str, Floats]
SCORES = ("nmi", "ari", "knn")
TOOLS = ("pca", "snf", "autoencoder")
KMEANS_SEEDS = (0, 1, 2)
DEFAULT = "network"


def fitted(cohort: MultiOmics, seed: int) -> dict[str, Floats]:
    """Fit with defaults; return what the spaces are made of."""
    model = poems.fit(cohort, seed=seed, progress=False)
    batch, _ = model.preprocessing.apply(cohort)
    found = {"latent": model.latent, "variance": model.latent_variance}
    distances = {"weighted": [], "plain": []}
    for name, weights in model.feature_weights.items():
        counts = weights.to_numpy(dtype=np.float64)
        for kind, how in (("weighted", counts), ("plain", np.ones_like(counts))):
            distances[kind].append(summed_distances(blocks_of_features(batch, name, how)))
    found |= {kind: np.stack(each).astype(np.float32) for kind, each in distances.items()}
    return {**found, "background": model.background}


def network(
    fit: Fit,
    *,
    points: Sequence[str] = ("latent", "coordinates"),
    views: str = "weighted",
    flat: bool = True,
    apart: bool = False,
    fused: bool = True,
    uncertain: bool = True,
) -> Floats:
    """Return the default embedding, or with a part of it exchanged.

    ``points``: whose similarities are averaged, or, ``apart``, have a network each. ``flat``: with
    a network of the flattened points, too. ``views``: by which distances.
    Without ``fused`` networks are averaged as they are; without ``uncertain`` distances are those
    between posterior means.
    """
    n_neighbours = neighbours(len(fit["latent"]))
    made = {
        "latent": lambda: (fit["latent"], fit["variance"]),
        "coordinates": lambda: principal_posterior(list(fit[views]), 16),
        "background": lambda: (fit["background"], np.zeros_like(fit["background"])),
    }
    given = [made[name]() for name in points]
    if "background" in points:
        given = [
            tuple(np.hstack(both) for both in zip(given[0], given[1], strict=True)),
            *given[2:],
        ]
    if not uncertain:
        given = [(means, np.zeros_like(means)) for means, _ in given]
    shapes = [given, [flattened(*each) for each in given]][: 1 + flat]
    networks = [[similarities(expected_distances(*x), n_neighbours) for x in one] for one in shapes]
    joined = [each for one in networks for each in one]
    of_points = joined if apart else [np.mean(one, axis=0) for one in networks]
    fallback = np.mean(of_points, axis=0)
    of_views = [
        np.where(np.isnan(each), fallback, similarities(each, n_neighbours)) for each in fit[views]
    ]
    every = [*of_points, *of_views]
    if fused:
        return diffusion_coordinates(fuse(every, n_neighbours), 11)
    return diffusion_coordinates(np.mean([each / each.mean() for each in every], axis=0), 11)


SPACES: dict[str, Callable[[Fit], Floats]] = {
    DEFAULT: network,
    "views": partial(network, points=["coordinates"]),
    "with-background": partial(network, points=["latent", "background", "coordinates"]),
    "plain-distances": partial(network, views="plain"),
    "views-plain": partial(network, points=["coordinates"], views="plain"),
    "without-variances": partial(network, uncertain=False),
    "latents-apart": partial(network, apart=True),
    "one-network-each": partial(network, flat=False),
    "averaged": partial(network, flat=False, fused=False),
    "latents": lambda fit: fit["latent"],
    "latents-background": lambda fit: np.hstack([fit["latent"], fit["background"]]),
    "principal-coordinates": lambda fit: principal_posterior(list(fit["weighted"]), 16)[0],
}
# Clusterings of an embedding other than k-means of all its coordinates.
CLUSTERINGS = {"network, Ward": DEFAULT, "network, k coordinates": DEFAULT}


def clusters(name: str, points: Floats, k: int) -> list[npt.NDArray[np.intp]]:
    from sklearn.cluster import AgglomerativeClustering, KMeans

    if name.endswith("k coordinates"):
        points = points[:, :k] / np.linalg.norm(points[:, :k], axis=1, keepdims=True)
    if name.endswith("Ward"):
        return [AgglomerativeClustering(k).fit_predict(points)]
    return [KMeans(k, n_init=10, random_state=seed).fit_predict(points) for seed in KMEANS_SEEDS]


def score(name: str, points: Floats, labels: pd.Series) -> dict[str, float]:
    known = labels.notna().to_numpy()
    truth = labels[known].astype(str).to_numpy()
    found = clusters(name, points[known], len(np.unique(truth)))
    return {
        "nmi": float(np.mean([nmi(truth, each) for each in found])),
        "ari": float(np.mean([ari(truth, each) for each in found])),
        "knn": float(knn_accuracy(points[known], truth).mean["accuracy"]),
    }


def tool(name: str) -> Method:
    return Nemo() if name == "nemo" else METHODS[name]()


def kept(path: Path, make: Callable[[], Mapping[str, Floats]]) -> dict[str, Floats]:
    """Read a file of arrays, or make it."""
    if not path.exists():
        np.savez(path, **make())
    with np.load(path) as found:
        return {name: found[name].astype(np.float64) for name in found.files if name in _ARRAYS}


_ARRAYS = {"latent", "variance", "background", "weighted", "plain", "points"}


def rows_of(spec: CohortSpec, seed: int, out: Path, tools: Sequence[str]) -> pd.DataFrame:
    """Score every space on one cohort, reading those that are scored already."""
    path = out / f"{spec.name}-scores-{seed}.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["space"])
    wanted = [*SPACES, *CLUSTERINGS, *tools]
    missing = [name for name in wanted if name not in set(done["space"])]
    if not missing:
        return done
    cohort = read_benchmark_cohort(spec)
    fit = kept(out / f"{spec.name}-poems-{seed}.npz", lambda: fitted(cohort, seed))
    rows = []
    for name in missing:
        if name in tools:
            method = tool(name)
            own = 0 if method.deterministic else seed
            made = kept(
                out / f"{spec.name}-{name}-{own}.npz",
                lambda method=method, own=own: {"points": method.fit(cohort, own).embedding},
            )
            points = made["points"]
        else:
            points = SPACES[CLUSTERINGS.get(name, name)](fit)
        for label in spec.labels:
            found = score(name, points, cohort.obs[label])
            rows.append({"space": name, "cohort": spec.name, "label": label, "seed": seed, **found})
    table = pd.concat([done, pd.DataFrame(rows)], ignore_index=True)
    table.to_csv(path, index=False)
    return table


def report(scores: pd.DataFrame, specs: list[CohortSpec], tools: Sequence[str]) -> None:
    studies = {spec.name: spec.study or spec.name for spec in specs}
    kinds = {spec.name: kinds_of(read_benchmark_cohort(spec)) for spec in specs}
    ours, tools = [*SPACES, *CLUSTERINGS], list(tools)
    means = {}
    for metric in SCORES:
        table = by_study(scores, metric, studies)[[*ours, *tools]].dropna()
        more = table.sub(table[DEFAULT], axis=0)
        means |= {metric: table.mean(), f"{metric} better in": (more > 0).sum()}
        for by in ("mean", "rank"):
            found = leave_one_out(table[ours], by, DEFAULT)
            print(f"\n{metric}, chosen by {by} on the other studies\n{found.round(3).to_string()}")
            gain = found["gain"]
            print(f"mean gain {gain.mean():+.3f}, better in {(gain > 0).sum()}, worse in "
                  f"{(gain < 0).sum()} of {len(found)}")  # fmt: skip
        for name in (DEFAULT, "views"):
            ranks = table[[name, *tools]].rank(axis=1, ascending=False).mean()
            print(f"mean rank: {ranks.round(2).to_dict()}")
        least = (table[DEFAULT] - table[tools].max(axis=1)).sort_values()
        print(f"least below the best of the tools: {least.head(4).round(3).to_dict()}")
    print(f"\nmeans over studies\n{pd.DataFrame(means).round(3).to_string()}")
    for kind in sorted(set().union(*kinds.values())):
        some = scores[scores["cohort"].map(lambda name, kind=kind: kind in kinds[name])]
        of_kind = by_study(some, "nmi", studies)[[*ours, *tools]].dropna()
        ranks = of_kind[[DEFAULT, *tools]].rank(axis=1, ascending=False).mean()
        print(f"\nnmi, {kind}, {len(of_kind)} studies\n{of_kind.mean().round(3).to_dict()}")
        print(f"mean rank: {ranks.round(2).to_dict()}")
    print(f"\nspread of the default over seeds\n{_spread(scores).round(3).to_string()}")


def _spread(scores: pd.DataFrame) -> pd.Series:
    """Standard deviation over seeds, the mean over cohorts and labels."""
    own = scores[scores["space"] == DEFAULT].groupby(["cohort", "label"])[list(SCORES)]
    return own.std().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("spaces"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--tools", nargs="+", default=TOOLS, help="what else to rank among")
    args = parser.parse_args()
    args.out.mkdir(exist_ok=True)
    specs = [
        spec
        for spec in (*labelled(args.data), *more(args.data))
        if spec.labels and (not args.only or spec.name in args.only)
    ]
    with one_thread():
        parts = []
        for spec in specs:
            parts += [rows_of(spec, seed, args.out, args.tools) for seed in args.seeds]
            print(spec.name, "done", flush=True)
    report(pd.concat(parts, ignore_index=True), specs, args.tools)


if __name__ == "__main__":
    main()
