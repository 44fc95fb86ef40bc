"""The experiments of the POEMS paper, run on any cohort: fit, draw, cluster, classify.

The protocol of arXiv 2511.03464 and of its code: a fifth of the samples is the
test, a fifth of the rest validates (:mod:`poems.evaluation.paper.split`); a
sample is embedded by one draw from its posterior; only the test samples are
scored. k-means with five seeds and one start each, and nearest neighbours on
five 75/25 splits of the test samples, stratified by class; as many clusters and
neighbours as the cohort has classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from poems.clustering.agreement import balanced_accuracy
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.evaluation.paper.protocol import PAPER_SEEDS, kmeans_scores
from poems.evaluation.paper.split import PAPER_SPLIT_SEED, PaperSplit, paper_split
from poems.findings import name_some
from poems.fitting.fit import fit
from poems.fitting.projection import Projection
from poems.fitting.result import FittedPoems
from poems.settings.schema import Settings, settings_from_mapping

# The paper trains for up to 5,000 epochs, which takes hours.
DEFAULT_EPOCHS = 300

SCORES = ("accuracy", "nmi", "ari", "silhouette", "knn", "knn_balanced")


@dataclass(frozen=True, eq=False)
class PaperTask:
    """A cohort with its labels and its split: what every method is given.

    Parameters
    ----------
    cohort
        All samples.
    labels
        Class of each sample, missing where unknown; indexed by sample. For
        scoring alone.
    split
        The parts.
    groups
        Group of each sample, or ``None``.
    """

    cohort: MultiOmics
    labels: pd.Series
    split: PaperSplit
    groups: pd.Series | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes in the whole cohort: of clusters, and of neighbours."""
        return int(self.labels.nunique())

    def part(self, names: pd.Index) -> MultiOmics:
        """Return the cohort of the samples ``names``."""
        return self.cohort.take(self.cohort.samples.get_indexer(names))


@dataclass(frozen=True, eq=False)
class PaperResult:
    """What the protocol says of one method.

    Parameters
    ----------
    runs
        One row per run: ``embedding``, ``score``, ``seed`` and ``value``.
        Embeddings are ``"draw"``, the protocol's, and ``"mean"``, the posterior
        means, for comparison; a method without a posterior has ``"scores"``
        alone.
    embeddings
        The test samples in each of them, of shape (n_test, n_dimensions).
    task
        Cohort, labels and split.
    stratified
        Whether the classes were held equal in the splits for the neighbours;
        they are not where samples are grouped or a class has a single test
        sample.
    model
        The fitted model; ``None`` for a method that is not POEMS.
    seconds
        Time of fit and embedding.
    """

    runs: pd.DataFrame
    embeddings: Mapping[str, pd.DataFrame]
    task: PaperTask
    stratified: bool
    model: FittedPoems | None
    seconds: float

    @property
    def embedding(self) -> pd.DataFrame:
        """The test samples in the embedding that the protocol scores."""
        return next(iter(self.embeddings.values()))

    @property
    def labels(self) -> pd.Series:
        """Labels of the test samples."""
        return self.task.labels.loc[self.task.split.test]

    @property
    def scores(self) -> pd.DataFrame:
        """Mean of each score over the runs, one row per embedding."""
        return self._over_runs("mean")

    @property
    def sd(self) -> pd.DataFrame:
        """Standard deviation of each score over the runs (n - 1), one row per embedding."""
        return self._over_runs("std")

    def _over_runs(self, how: str) -> pd.DataFrame:
        grouped = self.runs.groupby(["embedding", "score"], sort=False)["value"]
        table: pd.DataFrame = grouped.agg(how).unstack("score")
        return table.loc[list(self.embeddings), list(SCORES)].rename_axis(columns=None)


def paper_task(
    cohort: MultiOmics,
    labels: str | pd.Series,
    *,
    groups: str | pd.Series | None = None,
    published: str | pd.Series | None = None,
    split_seed: int = PAPER_SPLIT_SEED,
) -> PaperTask:
    """Return a cohort with labels and the paper's split of its samples.

    Parameters
    ----------
    cohort
        The cohort.
    labels, groups, published
        Columns of ``cohort.obs`` by name, or Series indexed by sample; see
        :func:`poems.evaluation.paper.split.paper_split`.
    split_seed
        Seed of the split; 1 is the paper's.

    Raises
    ------
    DataError
        If a column or a sample is not there, there are fewer than 2 classes, or
        the samples cannot be split.

    Examples
    --------
    >>> from poems.simulation.cohort import simulate
    >>> cohort = simulate(n_samples=50, seed=0).cohort
    >>> len(paper_task(cohort, "subtype").split.test)
    10
    """
    known = _column(cohort, "labels", labels)
    if known.nunique() < 2:
        raise DataError(f"labels must hold at least 2 classes; they hold {known.nunique()}")
    by_group = None if groups is None else _column(cohort, "groups", groups)
    parts = None if published is None else _column(cohort, "the published split", published)
    split = paper_split(cohort.samples, groups=by_group, published=parts, seed=split_seed)
    return PaperTask(cohort, known, split, by_group)


def run_paper_protocol(
    cohort: MultiOmics,
    labels: str | pd.Series,
    *,
    groups: str | pd.Series | None = None,
    published: str | pd.Series | None = None,
    settings: Settings | Mapping[str, Any] | str = "paper",
    epochs: int | None = DEFAULT_EPOCHS,
    seed: int = 0,
    split_seed: int = PAPER_SPLIT_SEED,
    threads: int = 1,
    progress: bool = False,
    **overrides: Any,
) -> PaperResult:
    """Run the POEMS paper's protocol: fit on the training samples, score the test samples.

    Departures from the paper's code: features are brought to [0, 1] by the
    limits of the training and validation samples (the paper takes those of all
    samples, test included, for one of its cohorts); the epoch with the best
    held-out objective is kept rather than the last one.

    Parameters
    ----------
    cohort
        The cohort, all samples.
    labels, groups, published, split_seed
        As in :func:`paper_task`. Labels are used for scoring alone.
    settings
        Settings, a mapping of groups, or a preset. With
        ``stopping="held_out"``, as in the preset ``paper``, the validation
        samples are watched to stop early; otherwise they are fitted with the
        training samples.
    epochs
        Epochs at most; ``None`` takes those of the settings. The paper's own
        are 5,000.
    seed
        Seed of the fit and of the draw from the posterior.
    threads, progress
        As in :func:`poems.fit`.
    **overrides
        Single settings by name.

    Raises
    ------
    DataError
        As in :func:`paper_task`, or if the cohort cannot be fitted.
    SettingsError
        If a setting is unknown or out of range.

    Examples
    --------
    >>> from poems.simulation.cohort import simulate
    >>> cohort = simulate(n_samples=100, n_features=40, seed=0).cohort
    >>> result = run_paper_protocol(cohort, "subtype", epochs=5)
    >>> result.embedding.shape
    (20, 32)
    >>> result.scores.columns.tolist()
    ['accuracy', 'nmi', 'ari', 'silhouette', 'knn', 'knn_balanced']
    """
    task = paper_task(cohort, labels, groups=groups, published=published, split_seed=split_seed)
    if epochs is not None:
        overrides["epochs"] = epochs
    return run_poems(
        task, settings=settings, seed=seed, threads=threads, progress=progress, **overrides
    )


def run_poems(
    task: PaperTask,
    *,
    settings: Settings | Mapping[str, Any] | str = "paper",
    seed: int = 0,
    threads: int = 1,
    progress: bool = False,
    **overrides: Any,
) -> PaperResult:
    """Run the protocol for POEMS on a task; as :func:`run_paper_protocol` otherwise."""
    start = time.perf_counter()
    chosen = _resolved(settings).updated(**overrides)
    watches = chosen.training.stopping == "held_out"
    model = fit(
        task.part(task.split.fitted),
        settings=chosen,
        validation=list(task.split.validation) if watches else None,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    projection = model.transform(task.part(task.split.test))
    embeddings = {"draw": draw_latents(projection, seed=seed), "mean": projection.latent}
    return scored(task, embeddings, model, time.perf_counter() - start)


def draw_latents(projection: Projection, *, seed: int = 0) -> pd.DataFrame:
    """Draw one z of each sample from N(latent, latent_variance), a diagonal Gaussian.

    That is the posterior itself for a product of experts; for a mixture of
    experts it is the Gaussian with the mixture's mean and variances.

    Parameters
    ----------
    projection
        From :meth:`poems.FittedPoems.transform`: latents of shape (n_samples,
        n_active).
    seed
        Seed of the draw.

    Examples
    --------
    >>> one = pd.DataFrame({"factor_1": [2.0]}, index=["s1"])
    >>> flat = Projection(one, one * 0, pd.DataFrame(), None, ())
    >>> draw_latents(flat).equals(one)
    True
    """
    noise = np.random.default_rng(seed).standard_normal(projection.latent.shape)
    return projection.latent + noise * np.sqrt(projection.latent_variance)


def scored(
    task: PaperTask,
    embeddings: Mapping[str, pd.DataFrame],
    model: FittedPoems | None,
    seconds: float,
) -> PaperResult:
    """Score embeddings of a task's test samples.

    Raises
    ------
    DataError
        If fewer than 2 classes are among the test samples, or too few samples.
    """
    labels = task.labels.loc[task.split.test]
    if labels.nunique() < 2:
        raise DataError(
            f"the {len(labels)} test samples are all of one class; the protocol scores nothing then"
        )
    counts = labels.value_counts()
    n_parts = math.ceil(0.25 * counts.sum()), math.floor(0.75 * counts.sum())
    stratified = task.groups is None and counts.min() >= 2 and min(n_parts) >= len(counts)
    rows = []
    for name, points in embeddings.items():
        # One start per seed, as scikit-learn's default is for the paper's k-means++.
        clusters = kmeans_scores(points, labels, n_clusters=task.n_classes, n_init=1)
        for seed in PAPER_SEEDS:
            values = dict(clusters.runs.loc[seed])
            values |= _neighbours(points, labels, task, seed, stratified)
            rows += [
                {"embedding": name, "score": score, "seed": seed, "value": values[score]}
                for score in SCORES
            ]
    return PaperResult(pd.DataFrame(rows), dict(embeddings), task, stratified, model, seconds)


def _neighbours(
    points: pd.DataFrame, labels: pd.Series, task: PaperTask, seed: int, stratified: bool
) -> dict[str, float]:
    """Classify a quarter of the test samples by their neighbours in the other three."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split
    from sklearn.neighbors import KNeighborsClassifier

    known = labels.notna().to_numpy()
    x = points.to_numpy(dtype=np.float64)[known]
    # Classes in sorted order, as the paper's are: the splits and the ties depend on it.
    codes = labels[known].astype("category").cat.codes.to_numpy()
    rows = np.arange(len(codes))
    try:
        if task.groups is None:
            learn, test = train_test_split(
                rows, test_size=0.25, random_state=seed, stratify=codes if stratified else None
            )
        else:
            groups = task.groups.loc[task.split.test].to_numpy()[known]
            splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
            ((learn, test),) = splitter.split(rows, groups=groups)
    except ValueError as error:
        raise DataError(f"the test samples cannot be split: {error}") from error
    if len(learn) < task.n_classes:
        raise DataError(
            f"{task.n_classes} neighbours cannot be found among {len(learn)} test samples"
        )
    predicted = KNeighborsClassifier(task.n_classes).fit(x[learn], codes[learn]).predict(x[test])
    return {
        "knn": float(np.mean(predicted == codes[test])),
        "knn_balanced": balanced_accuracy(codes[test], predicted),
    }


def _resolved(settings: Settings | Mapping[str, Any] | str) -> Settings:
    if isinstance(settings, Settings):
        return settings
    return (
        Settings.preset(settings) if isinstance(settings, str) else settings_from_mapping(settings)
    )


def _column(cohort: MultiOmics, what: str, given: str | pd.Series) -> pd.Series:
    """Return a column of obs, or a Series put in the order of the samples."""
    if isinstance(given, str):
        if given not in cohort.obs.columns:
            raise DataError(
                f"{what}: the obs table has no column '{given}'; it has "
                f"{name_some(cohort.obs.columns, 20) or 'none'}"
            )
        return cohort.obs[given]
    absent = cohort.samples.difference(given.index, sort=False)
    if len(absent):
        raise DataError(f"{what}: {len(absent)} samples have no entry: {name_some(absent)}")
    return given.loc[cohort.samples]
