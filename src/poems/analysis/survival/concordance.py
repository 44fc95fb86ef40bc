"""How well survival is ranked on samples that the Cox model has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.survival.checked_fit import NoMaximumError, checked_fit
from poems.analysis.survival.cox import RIDGE
from poems.clustering.kmeans import clusterings_of
from poems.steps import steps_of

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]
_Rows = npt.NDArray[np.intp]
Features = Callable[[_Rows], _Floats]
"""Training samples to the features of all samples, made without the others: (n_samples, n)."""

FEWEST_IN_FOLD: Final = 4
"""Events in each fold, on average, below which its concordance says nothing."""


@dataclass(frozen=True, eq=False)
class Refit:
    """The subtyping, repeated on training samples.

    k-means with as many clusters as subtypes were found on the training samples' points; every
    sample is then assigned to the cluster whose Gaussian in the latent space is the likeliest:
    their covariance is shared and shrunken (Ledoit and Wolf 2004), so that it can be estimated from
    few samples, and clusters count alike, whatever their sizes.

    Parameters
    ----------
    points
        Where the subtypes were found, (n_samples, n_dimensions).
    latent
        Latents, (n_samples, n_factors).
    n_subtypes
        How many.
    seed
        Of k-means.
    """

    points: _Floats
    latent: _Floats
    n_subtypes: int
    seed: int

    def __call__(self, learn: _Rows) -> _Floats:
        """Return the subtypes of all samples as indicators, (n_samples, n_subtypes - 1)."""
        from sklearn.covariance import ledoit_wolf
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        distinct = len(np.unique(self.points[learn], axis=0))
        k = min(self.n_subtypes, distinct)
        with threadpool_limits(limits=1):
            labels = clusterings_of(self.points[learn], k, (), self.seed)[k]
            if k < 2:
                return np.zeros((len(self.points), 1))
            z = self.latent[learn]
            centres = np.stack([z[labels == name].mean(axis=0) for name in range(k)])
            covariance = ledoit_wolf(z - centres[labels], assume_centered=True)[0]
            precision = np.linalg.pinv(covariance, hermitian=True)
            away = self.latent[:, None] - centres
            assigned = np.einsum("nki,ij,nkj->nk", away, precision, away).argmin(axis=1)
        # The training samples keep the clusters they made.
        assigned[learn] = labels
        return np.stack([assigned == name for name in range(1, k)], axis=1).astype(np.float64)


def fold_rows(event: _Bools, n_folds: int, seed: int) -> Iterator[tuple[_Rows, _Rows]]:
    """Yield training and test rows of each fold, which hold equal shares of events.

    With fewer censored samples than folds these go where chance puts them.

    Examples
    --------
    >>> event = np.arange(20) < 10
    >>> [int(event[test].sum()) for _, test in fold_rows(event, 5, seed=0)]
    [2, 2, 2, 2, 2]
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if min(event.sum(), (~event).sum()) < n_folds:
        yield from KFold(n_folds, shuffle=True, random_state=seed).split(event)
    else:
        yield from StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(event, event)


def fold_concordance(
    x: _Floats, time: _Floats, event: _Bools, learn: _Rows, test: _Rows, ridge: float = RIDGE
) -> float | None:
    """Fit a ridge-penalised Cox model on training rows; return the concordance of the test rows.

    The features are standardised by the training rows.

    Returns
    -------
    Harrell's concordance, 0.5 for chance; ``None`` where the model has no maximum or no pair can be
    compared.
    """
    from lifelines.utils import concordance_index

    mean, sd = x[learn].mean(axis=0), x[learn].std(axis=0)
    standard = (x - mean) / np.where(sd > 0, sd, 1.0)
    columns = [f"x{at}" for at in range(x.shape[1])]
    table = pd.DataFrame(standard[learn], columns=columns)
    table["time"], table["event"] = time[learn], event[learn]
    try:
        cox = checked_fit(table, ridge)
        risk = standard[test] @ (cox.beta / cox.scale)
        return float(concordance_index(time[test], -risk, event[test]))
    except (NoMaximumError, ZeroDivisionError):
        # Counted by the callers as a fold that failed, which the tables and findings show.
        return None


def concordance_table(
    features: Mapping[str, Sequence[Features]],
    time: _Floats,
    event: _Bools,
    *,
    n_folds: int,
    n_repeats: int,
    seed: int,
) -> pd.DataFrame:
    """Cross-validate Cox models on several sets of features, all on the same folds.

    Parameters
    ----------
    features
        What a set is called, and the functions that make its features, put side by side.
    time, event
        Follow-up of each sample and whether the event was seen.
    n_folds, n_repeats
        Of the cross-validation; folds are drawn anew in each repeat.
    seed
        Of the folds.

    Returns
    -------
    DataFrame
        One row per set: ``features``, ``concordance`` (the mean over the repeats of the mean over
        folds), ``sd`` over the repeats, ``n_repeats``, ``n_folds``, ``n_failed`` (folds in all
        that could not be scored), ``n_samples``, ``n_events``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((100, 1))
    >>> time, event = rng.exponential(np.exp(-2 * x[:, 0])), np.ones(100, dtype=bool)
    >>> found = concordance_table(
    ...     {"x": [lambda learn: x]}, time, event, n_folds=5, n_repeats=2, seed=0
    ... )
    >>> bool(found.loc[0, "concordance"] > 0.7)
    True
    """
    scores: dict[str, list[list[float]]] = {name: [] for name in features}
    failed = dict.fromkeys(features, 0)
    for repeat in steps_of("held-out samples, repeat", range(n_repeats)):
        for each in scores.values():
            each.append([])
        for learn, test in fold_rows(event, n_folds, seed + repeat):
            # A clustering serves all the sets that it is part of.
            made: dict[int, _Floats] = {}
            for name, parts in features.items():
                for part in parts:
                    if id(part) not in made:
                        made[id(part)] = part(learn)
                x = np.hstack([made[id(part)] for part in parts])
                score = fold_concordance(x, time, event, learn, test)
                if score is None:
                    failed[name] += 1
                else:
                    scores[name][-1].append(score)
    rows = []
    for name, repeats in scores.items():
        means = np.array([np.mean(each) for each in repeats if each])
        row: dict[str, Any] = {"features": name, "concordance": np.nan, "sd": np.nan}
        if len(means):
            row["concordance"] = float(means.mean())
        if len(means) > 1:
            row["sd"] = float(means.std(ddof=1))
        counts = {"n_repeats": len(means), "n_folds": n_folds, "n_failed": failed[name]}
        rows.append({**row, **counts, "n_samples": len(time), "n_events": int(event.sum())})
    return pd.DataFrame(rows)
