"""Whether the number of subtypes hangs on the seed, or on the order of what is given.

Each cohort is fitted with several seeds, and again with its samples, its features and its views
in another order. What a number is judged by (latents, distances by view, the network) is kept
a fit, and so is each judgement: what is there is not made again, and a changed rule is tried
on the same fits by removing the judgements alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

import poems
from poems.analysis.subtypes.choice_words import choice_table, numbers_from_table
from poems.clustering.agreement import ari
from poems.clustering.close_calls import close_calls
from poems.clustering.how_many import try_numbers
from poems.clustering.kmeans import by_size, clusterings_of, one_thread
from poems.clustering.redraws import NetworkRedraws
from poems.clustering.tried import NumberTried, number_to_report
from poems.data.container import MultiOmics, View

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Order = Literal["samples", "features", "views"]
ORDERS: tuple[Order, ...] = ("samples", "features", "views")
CANDIDATES = range(2, 11)


def permuted(
    cohort: MultiOmics, rng: np.random.Generator, what: Iterable[Order] = ORDERS
) -> MultiOmics:
    """Return the same cohort, what is named in another order."""
    chosen = set(what)

    def order(n: int, name: Order) -> Codes:
        # One view has no other order; two have one.
        if name not in chosen:
            return np.arange(n)
        found = rng.permutation(n)
        return found if n < 2 or (found != np.arange(n)).any() else np.roll(found, 1)

    rows, names = order(cohort.n_samples, "samples"), list(cohort.views)
    views = {}
    for at in order(len(names), "views"):
        view = cohort.views[names[at]]
        columns = order(len(view.features), "features")
        values = np.asarray(view.values)[rows][:, columns]
        views[names[at]] = View(values, view.features[columns], np.asarray(view.measured)[rows])
    return MultiOmics(views, cohort.samples[rows], cohort.obs.iloc[rows])


@dataclass(frozen=True)
class Variant:
    """A way to fit a cohort: with a seed, or with something in another order."""

    how: Literal["seed"] | Order
    at: int

    def fit(self, cohort: MultiOmics) -> poems.FittedPoems:
        """Fit with defaults."""
        if self.how == "seed":
            return poems.fit(cohort, seed=self.at, progress=False)
        rng = np.random.default_rng([self.at, ORDERS.index(self.how)])
        return poems.fit(permuted(cohort, rng, [self.how]), progress=False)


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found: the numbers tried, and samples to clusters by number."""

    tried: tuple[NumberTried, ...]
    clusters: pd.DataFrame

    @property
    def number(self) -> int:
        """The number reported."""
        return number_to_report(self.tried)

    @property
    def gap(self) -> bool:
        """Whether the clusters reported have a gap."""
        return any(each.n_clusters == self.number and each.apart for each in self.tried)

    def partition(self, number: int) -> pd.Series:
        """Clusters of samples, that many."""
        if number == 1:
            return pd.Series(0, index=self.clusters.index)
        return self.clusters[str(number)]


def variants(seeds: int, orders: int) -> list[Variant]:
    """Return the ways to fit a cohort, the reference first."""
    again: list[Variant] = [Variant("seed", at) for at in range(seeds)]
    return again + [Variant(how, at) for at in range(1, orders + 1) for how in ORDERS]


def judged(path: Path, fit: Callable[[], poems.FittedPoems]) -> Judged:
    """Read what was judged, or judge it; read what was fitted, or fit it."""
    table, clusters = path.with_suffix(".tried.csv"), path.with_suffix(".clusters.csv")
    if not (table.exists() and clusters.exists()):
        if not path.with_suffix(".npz").exists():
            np.savez(path.with_suffix(".npz"), **_kept(fit()))
        with np.load(path.with_suffix(".npz")) as kept:
            tried, found = _judge(kept)
        choice_table(tried).to_csv(table, index=False)
        found.to_csv(clusters, index_label="sample")
    read = pd.read_csv(table, dtype={"jaccard": str, "sizes": str})
    return Judged(
        numbers_from_table(read), pd.read_csv(clusters, index_col="sample", dtype={"sample": str})
    )


def _kept(model: poems.FittedPoems) -> dict[str, npt.NDArray[np.generic]]:
    redraws = model.redraws
    assert redraws is not None, "no cohort here is too large for a network of its samples"
    return {
        "latents": redraws.latents,
        "variances": redraws.variances,
        "distances": redraws.distances,
        "cohort_size": np.array(redraws.cohort_size),
        "network": model.embedding().to_numpy(),
        "samples": np.array(list(map(str, model.samples))),
    }


def _judge(
    kept: Mapping[str, npt.NDArray[np.generic]],
) -> tuple[tuple[NumberTried, ...], pd.DataFrame]:
    redraws = NetworkRedraws(
        kept["latents"], kept["distances"], kept["variances"], int(kept["cohort_size"])
    )
    with one_thread():
        formed = clusterings_of(kept["network"].astype(np.float64), None, CANDIDATES, 0)
        sized = {k: by_size(labels) for k, labels in formed.items()}
        tried = try_numbers(redraws, sized)
    return tried, pd.DataFrame({str(k): each for k, each in sized.items()}, index=kept["samples"])


def row_of(found: Mapping[Variant, Judged]) -> dict[str, object]:
    """Say how far fits of one cohort agree."""
    numbers = {variant: each.number for variant, each in found.items()}
    most = Counter(numbers.values()).most_common(1)[0][0]
    reference = next(each for each in found.values() if each.number == most)
    same = [
        ari(reference.partition(most), each.partition(most).loc[reference.clusters.index])
        for each in found.values()
        if each.number == most and each is not reference
    ]
    given = [
        ari(reference.partition(most), each.partition(most).loc[reference.clusters.index])
        for each in found.values()
        if each is not reference
    ]
    return {
        "seeds": _counted(found[v] for v in found if v.how == "seed"),
        **{how: _counted(found[v] for v in found if v.how == how) for how in ORDERS},
        "same number": f"{sum(n == most for n in numbers.values())} of {len(numbers)}",
        "close call": f"{sum(bool(close_calls(each.tried)) for each in found.values())}",
        "ARI, same number": _median_and_least(same) if most > 1 else "–",
        "ARI, number given": _median_and_least(given) if most > 1 else "–",
    }


def spreads(every: Iterable[Mapping[Variant, Judged]]) -> dict[str, float]:
    """Standard deviations between fits of one cohort, root mean squares over cohorts and numbers.

    Of numbers whose clusters are found again in three fits or more: the logarithm of their
    separation in shares of its limit; in standard deviations of those without groups, where the
    chance is above 1 in 10,000; and their least and mean Jaccard indices.
    """
    gathered: dict[str, list[float]] = {}
    for found in every:
        for k in CANDIDATES:
            tried = [each for one in found.values() for each in one.tried if each.n_clusters == k]
            sound = [each for each in tried if each.sound and each.without_groups]
            measured = {
                "separation": [float(np.log(_share_of_limit(each))) for each in sound],
                "deviations": [
                    -float(ndtri(each.chance)) for each in sound if (each.chance or 0) > 1e-4
                ],
                "least Jaccard": [each.least_jaccard - each.needed for each in sound],
                "mean Jaccard": [each.mean_jaccard for each in sound],
            }
            for name, values in measured.items():
                if len(values) > 2:
                    gathered.setdefault(name, []).append(float(np.var(values, ddof=1)))
    return {name: float(np.sqrt(np.mean(values))) for name, values in gathered.items()}


def _share_of_limit(each: NumberTried) -> float:
    return (each.separation or 0.0) / (each.without_groups or 1.0)


def said_where(every: Iterable[Mapping[Variant, Judged]]) -> str:
    """Say how many fits call the number a close call, where all fits agree and where not."""
    said: dict[bool, list[bool]] = {True: [], False: []}
    for found in every:
        agree = len({each.number for each in found.values()}) == 1
        said[agree] += [bool(close_calls(each.tried)) for each in found.values()]
    return (
        f"close calls are said of {sum(said[False])} of {len(said[False])} fits of cohorts whose "
        f"number varies, and of {sum(said[True])} of {len(said[True])} of the others"
    )


def _counted(found: Iterable[Judged]) -> str:
    """Numbers and how often each, the most frequent first; * for one that has no gap."""
    names = [f"{each.number}{'' if each.gap or each.number == 1 else '*'}" for each in found]
    return ", ".join(f"{name} ({times})" for name, times in Counter(names).most_common())


def _median_and_least(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f}, {min(values):.2f}" if values else "–"
