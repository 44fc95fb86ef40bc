"""How many subtypes: several criteria beside each other, and what they say in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.subsampling import consensus_of, subsampled_clusterings
from poems.clustering.kmeans import FEWEST_SAMPLES, clusterings_of, silhouettes_of
from poems.clustering.restarts import restarted_kmeans
from poems.notebook import Shown
from poems.resampling.consensus import ambiguity

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

_REFERENCES: Final = 10
# Of k-means for the gap statistic, on the samples and on every reference alike.
_RESTARTS: Final = 3
NAMES: Final = {
    "silhouette": "silhouette",
    "gap": "gap statistic",
    "pac": "consensus",
    "mixture": "mixture prior",
}


@dataclass(frozen=True, eq=False, repr=False)
class SubtypeNumbers(Shown):
    """Criteria of the number of subtypes.

    Parameters
    ----------
    table
        One row per number of subtypes: ``n_subtypes``; mean ``silhouette`` and its
        standard error ``silhouette_se``; number of samples of the ``smallest``
        subtype; ``gap`` statistic and its standard error ``gap_se``; ``pac``, the
        share of pairs of samples that subsamples do not agree on; ``mixture_weight``,
        the share of the samples' probability that so many components of the
        mixture prior hold at most (only with such a prior); ``chosen``.
    best
        Criterion, such as ``"gap"``, to the number that it chooses.
    """

    table: pd.DataFrame
    best: Mapping[str, int]


def subtype_numbers(
    points: Floats,
    chosen: int,
    *,
    latent: Floats | None = None,
    candidates: Iterable[int] = range(2, 11),
    components: pd.DataFrame | None = None,
    seed: int = 0,
) -> SubtypeNumbers:
    """Judge numbers of subtypes by several criteria.

    These stand beside what decides (:func:`poems.clustering.how_many.try_numbers`).
    Silhouette: the smallest number whose mean is within a standard error of the best (the
    one-standard-error rule of Breiman et al. 1984); in a network's coordinates it rises with the
    number whether there are groups or not. Gap: the smallest k
    with gap(k) >= gap(k + 1) - se(k + 1) (Tibshirani, Walther & Hastie 2001, JRSS B
    63:411), the largest if there is none; 1 only if gap(1) passes against every k and not
    just 2, because 2 centres do not see groups that lie equally far from each other. It is
    that of k-means on the latents: the coordinates of a network draw samples together whether
    they form groups or not, so that there it rises with k without end. Consensus: the number with
    the smallest proportion of ambiguous pairs over subsamples
    (:func:`poems.resampling.consensus.ambiguity`), the smallest such number. Mixture:
    the components that hold 3 samples or more. Numbers that leave a subtype with
    fewer than 3 samples are passed over by the silhouette and the consensus.

    Parameters
    ----------
    points
        Coordinates of shape (n_samples, n_dimensions), finite.
    chosen
        The reported number.
    latent
        Posterior means of the factors, (n_samples, n_factors), which the gap
        statistic is about; ``points`` if not given.
    candidates
        Numbers to judge, beside 1 and ``chosen``.
    components
        Probabilities of the mixture prior's components, (n_samples, n_components).
    seed
        Of k-means, subsamples and reference draws.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat(9.0 * np.eye(3), 20, axis=0) + rng.normal(size=(60, 3))
    >>> subtype_numbers(points, 3, candidates=range(2, 5)).best
    {'silhouette': 3, 'gap': 3, 'pac': 3}
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    distinct = len(np.unique(points, axis=0)) if points.shape[1] else 1
    limit = min(len(points) - 1, distinct)
    tried = sorted({1, chosen} | {k for k in candidates if 2 <= k <= limit})
    with threadpool_limits(limits=1):
        labels = {
            k: next(iter(clusterings_of(points, k, (), seed).values()))
            for k in tried
            if k <= distinct
        }
        gap, gap_se = _gaps(points if latent is None else latent, list(labels), seed)
    rows = []
    for k, found in labels.items():
        widths = silhouettes_of(points, found) if k > 1 else np.full(len(points), np.nan)
        # Rounds in which subsamples are clustered for the ambiguity of a number of subtypes.
        rounds = subsampled_clusterings(points, k, n_rounds=50, seed=seed) if k > 1 else None
        rows.append(
            {
                "n_subtypes": k,
                "silhouette": widths.mean(),
                "silhouette_se": widths.std() / np.sqrt(len(widths)),
                "smallest": int(np.bincount(found).min()),
                "gap": gap[k],
                "gap_se": gap_se[k],
                "pac": np.nan if rounds is None else _ambiguity(rounds),
            }
        )
    table = pd.DataFrame(rows)
    if components is not None:
        weights = np.sort(components.to_numpy().mean(axis=0))[::-1].cumsum()
        table["mixture_weight"] = weights[np.minimum(table["n_subtypes"], len(weights)) - 1]
    table["chosen"] = table["n_subtypes"] == chosen
    return SubtypeNumbers(table, best_numbers(table, components))


def _ambiguity(labels: Codes) -> float:
    matrix = consensus_of(labels)
    # Two samples never drawn together count as ambiguous: nothing is known of them.
    return ambiguity(np.where(np.isnan(matrix), 0.5, matrix))


def _gaps(
    points: Floats, numbers: Sequence[int], seed: int
) -> tuple[dict[int, float], dict[int, float]]:
    """Compute the gap statistic and its standard error for each number of clusters.

    gap(k) = mean of log W*_k over the references - log W_k, W the sum of squares
    within clusters. References are uniform in the box of the principal axes.
    """
    unknown = dict.fromkeys(numbers, np.nan)
    centred = points - points.mean(axis=0)
    # Without coordinates, or with all points at one place, there is nothing to compare.
    if not (centred**2).sum() > 0:
        return unknown, unknown
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turned = centred @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    distinct = len(np.unique(points, axis=0))
    rng = np.random.default_rng(seed)
    references = [rng.uniform(low, high, size=turned.shape) for _ in range(_REFERENCES)]
    gap, error = dict(unknown), dict(unknown)
    for k in numbers:
        own = _within(turned, k, seed) if k < distinct else 0.0
        if own > 0:
            logs = [np.log(_within(draw, k, seed + at)) for at, draw in enumerate(references)]
            gap[k] = float(np.mean(logs) - np.log(own))
            error[k] = float(np.std(logs) * np.sqrt(1.0 + 1.0 / _REFERENCES))
    return gap, error


def _within(values: Floats, k: int, seed: int) -> float:
    """Sum of squared distances to the centres of k clusters."""
    if k == 1:
        return float(((values - values.mean(axis=0)) ** 2).sum())
    return restarted_kmeans(values, k, n_starts=_RESTARTS, seed=seed)[1]


def best_numbers(table: pd.DataFrame, components: pd.DataFrame | None) -> dict[str, int]:
    """Return the number that each criterion of :class:`SubtypeNumbers` would choose.

    Parameters
    ----------
    table
        ``SubtypeNumbers.table``.
    components
        Probabilities of the mixture prior's components, (n_samples, n_components), if any.
    """
    best: dict[str, int] = {}
    sound = table[(table["smallest"] >= FEWEST_SAMPLES) & (table["n_subtypes"] > 1)]
    widths = sound.dropna(subset=["silhouette"])
    if len(widths):
        top = widths.loc[widths["silhouette"].idxmax()]
        near = widths["silhouette"] >= top["silhouette"] - top["silhouette_se"]
        best["silhouette"] = int(widths.loc[near, "n_subtypes"].min())
    gaps = table.dropna(subset=["gap"])
    if len(gaps) > 1:
        gap, error = gaps["gap"].to_numpy(), gaps["gap_se"].to_numpy()
        enough = gap[:-1] >= gap[1:] - error[1:]
        enough[0] &= bool((gap[0] >= gap - error).all())
        best["gap"] = int(gaps["n_subtypes"].iloc[enough.argmax() if enough.any() else -1])
    known = sound.dropna(subset=["pac"])
    if len(known):
        best["pac"] = int(known["n_subtypes"].iloc[int(known["pac"].to_numpy().argmin())])
    if components is not None:
        sizes = np.bincount(components.to_numpy().argmax(axis=1))
        best["mixture"] = int((sizes >= FEWEST_SAMPLES).sum())
    return best


def other_criteria(numbers: SubtypeNumbers) -> str:
    """Say what criteria would choose that do not decide, where there are any.

    Parameters
    ----------
    numbers
        The criteria.

    Examples
    --------
    >>> table = pd.DataFrame({"n_subtypes": [2, 3], "chosen": [True, False]})
    >>> other_criteria(SubtypeNumbers(table, {"silhouette": 3, "gap": 1, "pac": 3}))
    'Other criteria, which do not decide, would choose 1 (gap statistic) and 3 (silhouette,
    consensus).'
    """
    by_number: dict[int, list[str]] = {}
    for name, k in numbers.best.items():
        by_number.setdefault(k, []).append(NAMES[name])
    if not by_number:
        return ""
    parts = [f"{k} ({', '.join(names)})" for k, names in sorted(by_number.items())]
    told = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"Other criteria, which do not decide, would choose {told}."
