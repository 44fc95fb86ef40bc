"""Subtypes: groups of samples that lie together in a fitted embedding.

A subtype is found either by k-means on the embedding, the number of subtypes
chosen by the mean silhouette, or as a component of the mixture prior.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.assignment import SubtypeModel, learn_subtypes
from poems.clustering.kmeans import (
    FEWEST_SAMPLES,
    LARGEST_CLUSTERED,
    clusterings_of,
    finite_points,
    silhouettes_of,
    some_rows,
)
from poems.clustering.names import names_by_size
from poems.errors import SettingsError
from poems.findings import Finding
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

Method = Literal["kmeans", "mixture"]


@dataclass(frozen=True, eq=False)
class Subtypes:
    """Samples assigned to subtypes, ``"S1"`` the largest.

    Parameters
    ----------
    assignment
        Subtype of each sample: Series named ``"subtype"``, of length n_samples.
    silhouette
        Mean silhouette by number of subtypes tried; ``NaN`` where it is not
        defined (a single subtype, or one sample each).
    smallest
        Number of samples in the smallest subtype, by number of subtypes tried.
    sample_silhouette
        Silhouette of each sample in its subtype, from -1 to 1.
    method
        ``"kmeans"`` or ``"mixture"``.
    metric
        Name of the embedding clustered; ``None`` for the model's default.
    probability
        Probability of the assigned subtype under the mixture prior;
        ``None`` for k-means, which has none.
    n_clustered
        Samples that were clustered, or whose silhouettes were computed, where
        there are too many (more than 20,000) for all: a random subset. The
        others joined the cluster whose centre is nearest, and have no
        silhouette. ``None`` if all were.
    """

    assignment: pd.Series
    silhouette: pd.Series
    smallest: pd.Series
    sample_silhouette: pd.Series
    method: Method = "kmeans"
    metric: Metric | None = None
    probability: pd.Series | None = None
    n_clustered: int | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said of how the subtypes were found."""
        if self.n_clustered is None:
            return ()
        text = (
            f"subtypes were found on a random subset of {self.n_clustered} of "
            f"{len(self.assignment)} samples, and silhouettes are known of these alone; the others "
            "joined the subtype whose centre is nearest"
            if self.method == "kmeans"
            else f"silhouettes were computed on a random subset of {self.n_clustered} of "
            f"{len(self.assignment)} samples"
        )
        return (Finding("note", "subtypes-subset", text),)

    @property
    def n_subtypes(self) -> int:
        """Number of subtypes that hold at least one sample."""
        return int(self.assignment.nunique())

    @property
    def sizes(self) -> pd.Series:
        """Number of samples by subtype, in the order S1, S2, …."""
        counts = self.assignment.value_counts()
        return counts.loc[[f"S{rank + 1}" for rank in range(self.n_subtypes)]]

    @property
    def tiny(self) -> list[str]:
        """Names of the subtypes with fewer than 3 samples."""
        return [str(name) for name in self.sizes.index[self.sizes < FEWEST_SAMPLES]]

    @property
    def unsettled(self) -> bool:
        """Whether the silhouette is best at the largest of several numbers tried: none stands out.

        >>> names = ["S1", "S1", "S2", "S2"]
        >>> rising = pd.Series({2: 0.1, 3: 0.2})
        >>> Subtypes(pd.Series(names), rising, rising, rising).unsettled
        True
        """
        means = self.silhouette.dropna()
        return len(means) > 1 and bool(means.idxmax() == means.index.max())

    def choice(self) -> pd.DataFrame:
        """Return one row per number of subtypes tried: mean silhouette and smallest subtype."""
        return pd.DataFrame({"silhouette": self.silhouette, "smallest": self.smallest})

    def table(self) -> pd.DataFrame:
        """Return one row per sample: subtype, silhouette and, for a mixture, probability."""
        columns = {"subtype": self.assignment, "silhouette": self.sample_silhouette}
        if self.probability is not None:
            columns["probability"] = self.probability
        return pd.DataFrame(columns)

    def assigner(self, model: FittedPoems) -> SubtypeModel:
        """Return what assigns new samples to these subtypes of a model's training samples.

        It is learnt once, and kept as long as the model is.
        """
        if model not in self._assigners:
            self._assigners[model] = learn_subtypes(
                model.latent, self.assignment, model.latent_variance
            )
        return self._assigners[model]

    @cached_property
    def _assigners(self) -> WeakKeyDictionary[FittedPoems, SubtypeModel]:
        return WeakKeyDictionary()

    def own_probability(self, model: FittedPoems) -> pd.Series:
        """Return the probability that the assigner gives each training sample's own subtype."""
        assigned = self.assigner(model).probabilities(model.latent, model.latent_variance)
        own = [assigned.at[sample, name] for sample, name in self.assignment.items()]
        return pd.Series(own, index=self.assignment.index, name="probability")


def component_table(probabilities: pd.DataFrame) -> pd.DataFrame:
    """Return the mixture prior's probabilities with the likeliest component of each sample.

    Parameters
    ----------
    probabilities
        Of shape (n_samples, n_components).

    Examples
    --------
    >>> component_table(pd.DataFrame({"component_1": [0.9], "component_2": [0.1]}))
       component_1  component_2    component
    0          0.9          0.1  component_1
    """
    return probabilities.assign(component=probabilities.idxmax(axis=1))


def find_subtypes(
    model: FittedPoems,
    n_subtypes: int | None = None,
    *,
    candidates: Iterable[int] = range(2, 11),
    metric: Metric | None = None,
    method: Method = "kmeans",
    seed: int = 0,
) -> Subtypes:
    """Assign the training samples of ``model`` to subtypes.

    Parameters
    ----------
    model
        The fitted model.
    n_subtypes
        Number of subtypes; ``None`` chooses among ``candidates`` as
        :func:`kmeans_subtypes` does. With ``method="mixture"`` the prior fixes
        it and it must be ``None``.
    candidates
        Numbers of subtypes to try.
    metric
        Embedding to cluster in; ``None`` is the model's default.
    method
        ``"kmeans"`` on the embedding, or ``"mixture"``: the most probable
        component of the mixture prior.
    seed
        Seed of k-means.

    Raises
    ------
    SettingsError
        If there are more subtypes than samples, no candidate is possible, or
        the model has no mixture prior to read subtypes from.
    """
    points = model.embedding(metric)
    if method == "kmeans":
        return kmeans_subtypes(points, n_subtypes, candidates=candidates, metric=metric, seed=seed)
    if method != "mixture":
        raise SettingsError(f"method must be 'kmeans' or 'mixture', not '{method}'")
    if model.component_probabilities is None:
        raise SettingsError(
            "method='mixture' reads the subtypes from a mixture prior, but this model was fitted "
            "with prior='normal'; fit with prior=\"mixture\", or use method='kmeans'"
        )
    if n_subtypes is not None:
        raise SettingsError(
            f"n_subtypes={n_subtypes} has no meaning with method='mixture': the prior's components "
            "are the subtypes; fit with another n_components, or use method='kmeans'"
        )
    return mixture_subtypes(points, model.component_probabilities, metric=metric)


def kmeans_subtypes(
    points: pd.DataFrame,
    n_subtypes: int | None = None,
    *,
    candidates: Iterable[int] = range(2, 11),
    metric: Metric | None = None,
    seed: int = 0,
) -> Subtypes:
    """Cluster ``points`` by k-means, the number of clusters chosen by the mean silhouette.

    The silhouette of a sample is (b - a) / max(a, b), a its mean distance to
    its own cluster and b to the nearest other one (Rousseeuw 1987). The
    smallest number of clusters is taken whose mean is within a standard error of the
    best mean, sd / sqrt(n_samples) of the best's silhouettes (the
    one-standard-error rule of Breiman et al. 1984): smaller differences say
    nothing. Numbers that leave a cluster with fewer than 3 samples are not
    chosen: outliers are no subtypes. If all do, 2 clusters are formed, or 1 if
    the points do not allow for 2.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions), finite.
    n_subtypes
        Number of clusters; ``None`` chooses among ``candidates``.
    candidates
        Numbers of clusters to try; those above n_samples - 1, or above the
        number of distinct points, are passed over. An ``n_subtypes`` that is
        given is kept, whatever the sizes.
    metric
        Name of the embedding, kept in the result.
    seed
        Seed of k-means.

    Raises
    ------
    SettingsError
        If ``n_subtypes`` does not fit the number of samples, or none of the
        candidates does.
    DataError
        If a point is not finite, or there are fewer distinct points than
        clusters asked for.

    Examples
    --------
    >>> points = pd.DataFrame({"x": [0.0, 0.1, 0.2, 5.0, 5.1]}, index=list("abcde"))
    >>> kmeans_subtypes(points).assignment.to_dict()
    {'a': 'S1', 'b': 'S1', 'c': 'S1', 'd': 'S2', 'e': 'S2'}
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    values = finite_points(points)
    if len(values) > LARGEST_CLUSTERED:
        return _of_many(points, values, n_subtypes, tuple(candidates), metric, seed)
    # Problems of this size only get slower with more threads, and sums would depend on them.
    with threadpool_limits(limits=1):
        clusterings = clusterings_of(values, n_subtypes, candidates, seed)
        silhouettes = {k: silhouettes_of(values, labels) for k, labels in clusterings.items()}
    tried = list(clusterings)
    means = pd.Series([silhouettes[k].mean() for k in tried], index=tried, name="silhouette")
    smallest = pd.Series(
        [int(np.bincount(clusterings[k]).min()) for k in tried], index=tried, name="smallest"
    )
    sound = [k for k in tried if smallest[k] >= FEWEST_SAMPLES]
    if len(tried) == 1:
        best = tried[0]
    elif sound:
        known = means.fillna(-1.0)
        top = max(sound, key=known.__getitem__)
        # Where no number of subtypes has a silhouette, all count as -1 and there is no error of it.
        error = np.nan_to_num(silhouettes[top].std()) / np.sqrt(len(values))
        best = next(k for k in sound if known[k] >= known[top] - error)
    else:
        best = 2
    names = names_by_size(clusterings[best])
    return Subtypes(
        assignment=pd.Series(names, index=points.index, name="subtype"),
        silhouette=means.rename_axis("n_subtypes"),
        sample_silhouette=pd.Series(silhouettes[best], index=points.index, name="silhouette"),
        metric=metric,
        smallest=smallest.rename_axis("n_subtypes"),
    )


def mixture_subtypes(
    points: pd.DataFrame, probabilities: pd.DataFrame, *, metric: Metric | None = None
) -> Subtypes:
    """Assign each sample to its most probable component; components without a sample vanish.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions), in which the silhouette
        is measured.
    probabilities
        Array of shape (n_samples, n_components), rows sum to 1.
    metric
        Name of the embedding, kept in the result.
    """
    values = finite_points(points)
    weights = probabilities.loc[points.index].to_numpy()
    labels = weights.argmax(axis=1)
    some = some_rows(len(values), 0) if len(values) > LARGEST_CLUSTERED else slice(None)
    silhouettes = np.full(len(values), np.nan)
    silhouettes[some] = silhouettes_of(values[some], labels[some])
    names = names_by_size(labels)
    means = pd.Series({len(set(names)): float(silhouettes[some].mean())}, name="silhouette")
    smallest = pd.Series({len(set(names)): min(map(names.count, set(names)))}, name="smallest")
    return Subtypes(
        assignment=pd.Series(names, index=points.index, name="subtype"),
        silhouette=means.rename_axis("n_subtypes"),
        sample_silhouette=pd.Series(silhouettes, index=points.index, name="silhouette"),
        method="mixture",
        metric=metric,
        probability=pd.Series(weights.max(axis=1), index=points.index, name="probability"),
        smallest=smallest.rename_axis("n_subtypes"),
        n_clustered=None if isinstance(some, slice) else len(some),
    )


def _of_many(
    points: pd.DataFrame,
    values: npt.NDArray[np.float64],
    n_subtypes: int | None,
    candidates: tuple[int, ...],
    metric: Metric | None,
    seed: int,
) -> Subtypes:
    """Cluster a random subset; the other samples join the cluster whose centre is nearest."""
    rows = some_rows(len(values), seed)
    of_some = kmeans_subtypes(
        points.iloc[rows], n_subtypes, candidates=candidates, metric=metric, seed=seed
    )
    names = list(of_some.sizes.index)
    of_subset = of_some.assignment.to_numpy()
    centres = np.stack([values[rows][of_subset == name].mean(axis=0) for name in names])
    labels = np.empty(len(values), dtype=np.intp)
    for start in range(0, len(values), LARGEST_CLUSTERED):
        some = slice(start, start + LARGEST_CLUSTERED)
        # |x - c|^2 without |x|^2, which is the same for every centre.
        distances = (centres**2).sum(axis=1) - 2.0 * values[some] @ centres.T
        labels[some] = distances.argmin(axis=1)
    labels[rows] = [names.index(name) for name in of_subset]
    silhouettes = np.full(len(values), np.nan)
    silhouettes[rows] = of_some.sample_silhouette.to_numpy()
    return replace(
        of_some,
        assignment=pd.Series(names_by_size(labels), index=points.index, name="subtype"),
        sample_silhouette=pd.Series(silhouettes, index=points.index, name="silhouette"),
        n_clustered=len(rows),
    )
