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
from poems.clustering.agreement import ari, nmi
from poems.clustering.coordinates import principal_posterior
from poems.clustering.kmeans import one_thread
from poems.clustering.networks import (
    _flattened,
    coordinates_from_distances,
    diffusion_coordinates,
    expected_distances,
    fuse,
    neighbours,
    similarities,
    summed_distances,
)
from poems.data.container import MultiOmics
from poems.evaluation.paper.protocol import knn_accuracy
from poems.fitting.embeddings import blocks_of_features
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort
from poems_benchmark.methods.registry import METHODS

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
    fit: Fit, *, latents: str = "latent", views: str = "weighted", width: int = 11
) -> Floats:
    """Return the default embedding, or with a part of it exchanged."""
    points = {
        "none": None,
        "latent": fit["latent"],
        "background": np.hstack([fit["latent"], fit["background"]]),
    }[latents]
    variances = None
    if points is not None:
        variances = np.zeros_like(points)
        variances[:, : fit["variance"].shape[1]] = fit["variance"]
    return coordinates_from_distances(points, fit[views], variances=variances, n_coordinates=width)


def networks_alone(fit: Fit, *, fused: bool, latents: bool = True, views: bool = True) -> Floats:
    """Return coordinates in unflattened networks of latents and views, fused or averaged."""
    n_neighbours = neighbours(len(fit["latent"]))
    parts = [(fit["latent"], fit["variance"])] if latents else []
    parts += [] if latents and not views else [principal_posterior(list(fit["weighted"]), 16)]
    of_points = [similarities(expected_distances(*each), n_neighbours) for each in parts]
    networks = [np.mean(of_points, axis=0)]
    if views:
        networks += [
            np.where(np.isnan(each), networks[0], similarities(each, n_neighbours))
            for each in fit["weighted"]
        ]
    if fused:
        return diffusion_coordinates(fuse(networks, n_neighbours), 11)
    scaled = [each / each.mean() for each in networks]
    return diffusion_coordinates(np.mean(scaled, axis=0), 11)


def networks_apart(fit: Fit) -> Floats:
    """Return coordinates where latents and principal coordinates have a network each."""
    n_neighbours = neighbours(len(fit["latent"]))
    points = [(fit["latent"], fit["variance"]), principal_posterior(list(fit["weighted"]), 16)]
    shaped = [*points, *(_flattened(*each) for each in points)]
    of_points = [similarities(expected_distances(*each), n_neighbours) for each in shaped]
    fallback = np.mean(of_points, axis=0)
    of_views = [
        np.where(np.isnan(each), fallback, similarities(each, n_neighbours))
        for each in fit["weighted"]
    ]
    return diffusion_coordinates(fuse([*of_points, *of_views], n_neighbours), 11)


def _standardised(points: Floats) -> Floats:
    spread = points.std(axis=0)
    return (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


SPACES: dict[str, Callable[[Fit], Floats]] = {
    DEFAULT: network,
    "views": partial(network, latents="none"),
    "with-background": partial(network, latents="background"),
    "plain-distances": partial(network, views="plain"),
    "views-plain": partial(network, latents="none", views="plain"),
    "six-coordinates": partial(network, width=6),
    "latents-apart": networks_apart,
    "one-network-each": partial(networks_alone, fused=True),
    "averaged": partial(networks_alone, fused=False),
    "latents-network": partial(networks_alone, fused=True, views=False),
    "latents": lambda fit: fit["latent"],
    "latents-background": lambda fit: np.hstack([fit["latent"], fit["background"]]),
    "latents-standardised": lambda fit: _standardised(fit["latent"]),
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
            method = METHODS[name]()
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


def by_study(scores: pd.DataFrame, metric: str, studies: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a study and one column a space: seeds, labels and cohorts averaged in turn."""
    own = scores.groupby(["cohort", "label", "space"])[metric].mean()
    of_cohorts = own.groupby(["cohort", "space"]).mean().unstack()
    return of_cohorts.groupby(of_cohorts.index.map(dict(studies))).mean()


def leave_one_out(table: pd.DataFrame, reference: str = DEFAULT) -> pd.DataFrame:
    """Choose the best space on all studies but one; score it there, beside the reference."""
    rows = []
    for study in table.index:
        chosen = str(table.drop(index=study).mean().idxmax())
        values = table.loc[study]
        rows.append((study, chosen, values[chosen], values[reference], values.max()))
    found = pd.DataFrame(rows, columns=["study", "chosen", "score", reference, "best"])
    return found.assign(gain=found["score"] - found[reference]).set_index("study")


def kinds_of(spec: CohortSpec, cohort: MultiOmics) -> set[str]:
    """Return which kinds a cohort is of."""
    few = [
        name
        for name, view in cohort.views.items()
        if len(np.unique(view.values[np.isfinite(view.values)])) <= 5
    ]
    incomplete = any(not view.measured.all() for view in cohort.views.values())
    return {
        "binary or ordinal views" if few else "all continuous",
        *({"missing omics"} if incomplete else ()),
        *({"n < 100"} if cohort.n_samples < 100 else ()),
    }


def report(scores: pd.DataFrame, specs: list[CohortSpec], tools: Sequence[str]) -> None:
    studies = {spec.name: spec.study or spec.name for spec in specs}
    kinds = {spec.name: kinds_of(spec, read_benchmark_cohort(spec)) for spec in specs}
    ours, tools = [*SPACES, *CLUSTERINGS], list(tools)
    means = {}
    for metric in SCORES:
        table = by_study(scores, metric, studies).dropna()
        means[metric] = table.mean()
        found = leave_one_out(table[ours])
        print(f"\n{metric}, leave one study out\n{found.round(3).to_string()}")
        print(f"mean gain {found['gain'].mean():+.3f}, better in {(found['gain'] > 0).sum()}, "
              f"worse in {(found['gain'] < 0).sum()} of {len(found)}")  # fmt: skip
        for name in (DEFAULT, "views"):
            ranks = table[[name, *tools]].rank(axis=1, ascending=False).mean()
            print(f"mean rank: {ranks.round(2).to_dict()}")
        least = (table[DEFAULT] - table[tools].max(axis=1)).sort_values()
        print(f"least below the best of the tools: {least.head(4).round(3).to_dict()}")
    print(f"\nmeans over studies\n{pd.DataFrame(means).round(3).to_string()}")
    for kind in sorted(set().union(*kinds.values())):
        some = scores[scores["cohort"].map(lambda name, kind=kind: kind in kinds[name])]
        of_kind = by_study(some, "nmi", studies).dropna()
        print(f"\nnmi, {kind}, {len(of_kind)} studies\n{of_kind.mean().round(3).to_dict()}")


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
