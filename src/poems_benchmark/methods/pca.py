"""Principal components of the standardised, block-scaled views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from poems.data.container import MultiOmics
from poems.evaluation.baselines import pca_embedding
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult


@dataclass(frozen=True)
class Pca:
    """Principal component analysis; what was not measured takes its feature's mean.

    Parameters
    ----------
    n_components
        Components, at most; see :func:`poems.evaluation.baselines.pca_embedding`.
    """

    n_components: int = 32
    name: str = "PCA"
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {"n_components": self.n_components, "code": source_digest(__name__)}

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Return the scores; the seed plays no part."""
        return MethodResult(pca_embedding(cohort, self.n_components))
