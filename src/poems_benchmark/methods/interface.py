"""What a method of the benchmark is: a cohort and a seed in, an embedding out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.findings import name_some

Clusters = Callable[[int, int], npt.NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What a method found in a cohort.

    Parameters
    ----------
    embedding
        DataFrame of shape (n_samples, n_dimensions), finite: k-means and
        nearest neighbours run on it.
    loadings
        View to DataFrame of shape (n_features, n_factors), or ``None`` for a
        method without loadings.
    n_factors
        Factors that the method reports; the embedding's width by default.
    own_clusters
        For a method with a clustering of its own: a function of the number of
        clusters and a seed that returns one label a sample. ``None`` otherwise.
    headline
        Which clusters count as the method's: ``"kmeans"`` on the embedding,
        or its ``"own"``.
    details
        Single numbers worth keeping, such as the iterations that were needed.

    Raises
    ------
    DataError
        If the embedding has no dimension or an entry that is not finite.
    """

    embedding: pd.DataFrame
    loadings: Mapping[str, pd.DataFrame] | None = None
    n_factors: int | None = None
    own_clusters: Clusters | None = None
    headline: Literal["kmeans", "own"] = "kmeans"
    details: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.embedding.shape[1] == 0:
            raise DataError("the embedding has no dimension: the method found no factor")
        bad = ~np.isfinite(self.embedding.to_numpy(dtype=np.float64)).all(axis=1)
        if bad.any():
            raise DataError(
                f"the embedding of {bad.sum()} of {len(bad)} samples is not finite: "
                f"{name_some(self.embedding.index[bad])}"
            )
        if self.headline == "own" and self.own_clusters is None:
            raise DataError("headline is 'own', but the method has no clusters of its own")
        if self.n_factors is None:
            object.__setattr__(self, "n_factors", self.embedding.shape[1])


class Method(Protocol):
    """A method of the benchmark; labels never reach it."""

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    @property
    def requires(self) -> tuple[str, ...]:
        """Distributions beyond those that POEMS itself needs."""
        ...

    @property
    def modules(self) -> tuple[str, ...]:
        """What to import before a fit is timed."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether the seed changes nothing, so that one run says all."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """Everything else that decides about the result, as JSON can hold it.

        A stored result counts for as long as these are the same.
        """
        ...

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Fit the method to a cohort."""
        ...


def require(method: str, distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of the distributions that a method needs.

    Raises
    ------
    SettingsError
        If one is not installed; the text says how to install it.

    Examples
    --------
    >>> list(require("PCA", ["numpy"]))
    ['numpy']
    """
    versions, absent = {}, []
    for name in distributions:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        raise SettingsError(
            f"{method} needs {' and '.join(absent)}, which is not installed; "
            "pip install 'poems-omics[benchmark]'"
        )
    return versions
