"""The methods that the paper's protocol is run for, all on the same split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics
from poems.errors import SettingsError
from poems.evaluation.paper.experiments import (
    DEFAULT_EPOCHS,
    PaperResult,
    PaperTask,
    run_poems,
    scored,
)
from poems.findings import name_some
from poems.scaling.preprocessing import Preprocessing, fit_preprocessing
from poems.settings.groups import PreprocessingSettings

# Components of the baseline: as many as the paper's model has latents.
_N_COMPONENTS = 32


@dataclass(frozen=True)
class PaperMethod:
    """A method of the comparison.

    Parameters
    ----------
    about
        What it is, in a few words.
    preset
        The settings of POEMS that it starts from; ``None`` for PCA.
    overrides
        Single settings that differ.
    """

    about: str
    preset: str | None
    overrides: Mapping[str, Any] = field(default_factory=dict)


PAPER_METHODS: Mapping[str, PaperMethod] = {
    "poems-paper": PaperMethod("POEMS, published settings", "paper"),
    "poem-dense": PaperMethod("POEM: its dense decoder", "paper", {"decoder": "dense"}),
    "equal-gate": PaperMethod("POEMS with equal gates", "paper", {"gate": "equal"}),
    "poems-default": PaperMethod("POEMS, default settings", "default"),
    "pca": PaperMethod("principal components", None),
}


def compare_paper_methods(
    task: PaperTask,
    *,
    methods: Sequence[str] = tuple(PAPER_METHODS),
    epochs: int = DEFAULT_EPOCHS,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[str, PaperResult]:
    """Run the paper's protocol for several methods on one task.

    Parameters
    ----------
    task
        Cohort, labels and split, from
        :func:`poems.evaluation.paper.experiments.paper_task`.
    methods
        Names out of ``PAPER_METHODS``.
    epochs
        Epochs at most of the methods with published settings. The default
        settings keep their own number.
    seed, threads
        As in :func:`poems.fit`.
    progress
        Called with the name of each method before it runs.

    Raises
    ------
    SettingsError
        If a method is unknown.
    DataError
        If the cohort cannot be fitted, or the test samples not be scored.

    Examples
    --------
    >>> from poems.evaluation.paper.experiments import paper_task
    >>> from poems.simulation.cohort import simulate
    >>> task = paper_task(simulate(n_samples=100, n_features=20, seed=0).cohort, "subtype")
    >>> results = compare_paper_methods(task, methods=["pca"])
    >>> paper_table(results).index.tolist()
    [('pca', 'scores')]
    """
    unknown = [name for name in methods if name not in PAPER_METHODS]
    if unknown:
        raise SettingsError(
            f"no method {name_some(unknown)}; there are {name_some(PAPER_METHODS, 20)}"
        )
    results = {}
    for name in methods:
        if progress is not None:
            progress(name)
        method = PAPER_METHODS[name]
        if method.preset is None:
            results[name] = _run_pca(task)
            continue
        options = dict(method.overrides)
        if method.preset == "paper":
            options["epochs"] = epochs
        results[name] = run_poems(
            task, settings=method.preset, seed=seed, threads=threads, **options
        )
    return results


def paper_table(results: Mapping[str, PaperResult]) -> pd.DataFrame:
    """Return the mean scores of each method and embedding, and the seconds that it took."""
    tables = {
        name: result.scores.assign(seconds=result.seconds) for name, result in results.items()
    }
    table: pd.DataFrame = pd.concat(tables, names=["method", "embedding"])
    return table


def _run_pca(task: PaperTask) -> PaperResult:
    start = time.perf_counter()
    points = pca_projection(task.part(task.split.fitted), task.part(task.split.test))
    return scored(task, {"scores": points}, None, time.perf_counter() - start)


def pca_projection(
    cohort: MultiOmics, new: MultiOmics, n_components: int = _N_COMPONENTS
) -> pd.DataFrame:
    """Compute principal component scores of new samples, components learned on a cohort.

    Features are standardised by the cohort's means and deviations, missing
    entries take the mean, and each view is divided by the square root of its
    number of features.

    Parameters
    ----------
    cohort
        The samples to learn from.
    new
        The samples to project.
    n_components
        Number of components, at most.

    Returns
    -------
    pandas.DataFrame
        Shape (n_new, n_components).

    Raises
    ------
    DataError
        If a view has no usable feature, or ``new`` shares none.

    Examples
    --------
    >>> from poems.simulation.cohort import simulate
    >>> cohort = simulate(n_samples=40, seed=0).cohort
    >>> pca_projection(cohort.take(range(30)), cohort.take(range(30, 40)), 2).shape
    (10, 2)
    """
    from sklearn.decomposition import PCA

    settings = PreprocessingSettings(scale="standard", winsorise=None)
    preprocessing, _ = fit_preprocessing(cohort, settings)
    x = _block_scaled(preprocessing, cohort)
    # The full decomposition is deterministic.
    pca = PCA(min(n_components, *x.shape), svd_solver="full").fit(x)
    scores = pca.transform(_block_scaled(preprocessing, new))
    columns = [f"PC{number + 1}" for number in range(scores.shape[1])]
    return pd.DataFrame(scores, index=new.samples, columns=columns)


def _block_scaled(preprocessing: Preprocessing, cohort: MultiOmics) -> npt.NDArray[np.float64]:
    batch, _ = preprocessing.apply(cohort)
    blocks = []
    for at, values in enumerate(batch.values.values()):
        block = values.double().numpy().copy()
        # The mean of a standardised feature.
        block[~batch.measured[:, at].numpy()] = 0.0
        blocks.append(block / np.sqrt(block.shape[1]))
    return np.hstack(blocks)
