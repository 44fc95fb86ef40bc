"""NEMO, after the paper: relative similarities to near neighbours, averaged over the omics.

Rappoport & Shamir, NEMO: cancer subtyping by integration of partial multi-omic data,
Bioinformatics 35:3348 (2019). Its authors' program is in R; this follows the paper's formulas with
its defaults, and is no copy of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.networks import diffusion_coordinates
from poems.data.container import MultiOmics, View
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult, require
from poems_benchmark.methods.snf import Snf, spectral_clusters

Floats = npt.NDArray[np.float64]
# Samples for each neighbour: the paper's k.
_SAMPLES_A_NEIGHBOUR = 6


@dataclass(frozen=True)
class Nemo:
    """NEMO with the kernel of similarity network fusion, as in the paper.

    Features are standardised, missing entries take the mean. Pairs that no omic measured both of
    are not similar; the paper asks that there be none.

    The embedding is that of SNF: :func:`poems.clustering.networks.diffusion_coordinates`.
    """

    n_components: int = 11
    name: str = "NEMO, after the paper"
    requires: tuple[str, ...] = ("snfpy",)
    modules: tuple[str, ...] = ("snf.compute", "sklearn.cluster")
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {"n_components": self.n_components, "code": source_digest(__name__)}

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Average the omics' relative similarities; the seed plays no part."""
        require(self.name, self.requires)
        graph = averaged([relative_similarity(view) for view in cohort.views.values()])
        points = diffusion_coordinates(graph, self.n_components)
        return MethodResult(
            pd.DataFrame(points, index=cohort.samples),
            own_clusters=partial(spectral_clusters, graph),
            headline="own",
        )


def relative_similarity(view: View) -> Floats:
    """Compute S_ij / sum of i's neighbours, where j is one, plus the same the other way round.

    (n_samples, n_samples), NaN for pairs of which one was not measured.
    """
    k = max(1, int(view.measured.sum()) // _SAMPLES_A_NEIGHBOUR)
    affinity = Snf(n_neighbours=k).affinity(view)
    own = np.where(np.isnan(affinity), 0.0, affinity)
    np.fill_diagonal(own, 0.0)
    # Of as many as k, the least that counts; equal ones count all.
    least = -np.partition(-own, k - 1, axis=1)[:, k - 1 : k]
    near = np.where(own >= least, own, 0.0)
    sums = near.sum(axis=1, keepdims=True)
    shares = np.divide(near, sums, out=np.zeros_like(near), where=sums > 0)
    return np.where(np.isnan(affinity), np.nan, shares + shares.T)


def averaged(graphs: Sequence[Floats]) -> Floats:
    """Average over the omics that both samples of a pair have."""
    stacked = np.stack(graphs)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: Floats = total / np.maximum(known.sum(axis=0), 1)
    return mean
