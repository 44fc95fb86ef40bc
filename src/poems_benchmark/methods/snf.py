"""Similarity network fusion (snfpy): one graph of samples from all views, cut by its spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.networks import diffusion_coordinates
from poems.data.container import MultiOmics, View
from poems.evaluation.baselines import standardised
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult, require

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Snf:
    """Similarity network fusion (Wang et al., Nature Methods 11:333, 2014).

    Features are standardised, missing entries take the mean; affinities use
    Euclidean distances among the samples on which the view was measured.

    A sample that lacks a view gets neutral affinities there: for a pair that
    was not measured in a view, the mean of its affinities, each relative to
    the view's average, over the views in which both were; 1, the average
    affinity, for a pair that shares no view. So the fused graph rests on what
    was measured. snfpy itself does not take cohorts with gaps.

    The embedding is spectral, and the same as POEMS's: see
    :func:`poems.clustering.networks.diffusion_coordinates`. The method's own clusters are those
    of spectral clustering of the fused graph, and count as its result.

    Parameters
    ----------
    n_neighbours
        K, for the width of the kernel and for the local graph.
    mu
        Scale of the kernel.
    n_steps
        Steps of the fusion.
    n_components
        Width of the embedding, at most.
    """

    n_neighbours: int = 20
    mu: float = 0.5
    n_steps: int = 20
    n_components: int = 11
    name: str = "SNF"
    requires: tuple[str, ...] = ("snfpy",)
    modules: tuple[str, ...] = ("snf.compute", "sklearn.cluster")
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {
            "n_neighbours": self.n_neighbours,
            "mu": self.mu,
            "n_steps": self.n_steps,
            "n_components": self.n_components,
            "code": source_digest(__name__),
        }

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Fuse the views' graphs; the seed plays no part."""
        require(self.name, self.requires)
        fused = self.fused_affinity(cohort)
        embedding = diffusion_coordinates(fused, self.n_components)
        columns = [f"SNF{number}" for number in range(1, embedding.shape[1] + 1)]
        return MethodResult(
            pd.DataFrame(embedding, index=cohort.samples, columns=columns),
            own_clusters=partial(spectral_clusters, fused),
            headline="own",
        )

    def fused_affinity(self, cohort: MultiOmics) -> _Floats:
        """Return the fused affinity of every pair of samples, (n_samples, n_samples), symmetric."""
        k = min(self.n_neighbours, cohort.n_samples - 1)
        graphs = _neutral_where_unmeasured(list(map(self.affinity, cohort.views.values())))
        if len(graphs) == 1:
            return graphs[0]
        with _todays_scikit_learn() as compute:
            fused: _Floats = compute.snf(*graphs, K=k, t=self.n_steps)
        # Rows are normalised last, which leaves the graph a little lopsided.
        return (fused + fused.T) / 2

    def affinity(self, view: View) -> _Floats:
        """Return a view's affinities, NaN for pairs of which one was not measured."""
        rows = view.measured
        x = standardised(view)[rows]
        full = np.full((len(rows), len(rows)), np.nan)
        if rows.sum() > 1:
            k = min(self.n_neighbours, int(rows.sum()) - 1)
            with _todays_scikit_learn() as compute:
                own = compute.make_affinity(x, K=k, mu=self.mu, normalize=False)
            full[np.ix_(rows, rows)] = own
        return full


def spectral_clusters(affinity: _Floats, k: int, seed: int) -> npt.NDArray[np.intp]:
    """Return a cluster for each sample, by spectral clustering of a graph."""
    from sklearn.cluster import spectral_clustering

    labels = spectral_clustering(affinity, n_clusters=k, random_state=seed)
    return np.asarray(labels, dtype=np.intp)


def _neutral_where_unmeasured(graphs: list[_Floats]) -> list[_Floats]:
    """Fill pairs that were not measured in a view by what the other views say."""
    if not any(np.isnan(graph).any() for graph in graphs):
        return graphs
    relative = []
    for graph in graphs:
        known = ~np.isnan(graph)
        scaled = graph / np.where(known, graph, 0.0).sum() * max(int(known.sum()), 1)
        relative.append(scaled)
    stacked = np.stack(relative)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    # Of a pair that no graph has the mean is the 1 beside it.
    mean = np.where(count > 0, total / np.maximum(count, 1), 1.0)
    return [np.where(np.isnan(graph), mean, graph) for graph in relative]


@contextmanager
def _todays_scikit_learn() -> Iterator[Any]:
    """Yield snf.compute, able to call scikit-learn 1.8 and later while this lasts.

    snfpy 0.2.2 passes ``force_all_finite`` to ``check_array``, which was
    renamed to ``ensure_all_finite`` in scikit-learn 1.6 and left out in 1.8.
    """
    from sklearn.utils.validation import check_array
    from snf import compute

    original = compute.check_array

    def renamed(*args: Any, force_all_finite: bool | str = True, **kwargs: Any) -> Any:
        return check_array(*args, ensure_all_finite=force_all_finite, **kwargs)

    compute.check_array = renamed
    try:
        yield compute
    finally:
        compute.check_array = original
