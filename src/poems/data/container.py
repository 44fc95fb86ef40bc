"""MultiOmics: the one checked container that everything downstream works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.errors import DataError
from poems.findings import Finding, count, name_some
from poems.notebook import Shown, card

# In single precision, or double where that would lose digits.
Values: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class View(Shown):
    """One omic, aligned to the samples of its cohort.

    Parameters
    ----------
    values
        Array of shape (n_samples, n_features), float32, or float64 where values lie so far
        from 0 that their differences would be lost in single precision. ``NaN`` marks a
        missing entry; a sample on which the view was not measured is a row of
        ``NaN``. There are no infinities.
    features
        Unique feature names, of length n_features.
    measured
        Boolean array of shape (n_samples,): was this view measured on the
        sample?
    """

    values: Values
    features: pd.Index
    measured: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        n_samples, n_features = self.values.shape
        if len(self.features) != n_features or self.measured.shape != (n_samples,):
            raise DataError(
                f"values of shape {self.values.shape} do not fit "
                f"{count(len(self.features), 'feature name')} and a measured mask of "
                f"shape {self.measured.shape}"
            )
        if self.values.dtype not in (np.float32, np.float64):
            raise DataError(f"values must be float32 or float64, not {self.values.dtype}")

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.features)

    def take(self, rows: npt.NDArray[np.intp]) -> View:
        """Return the view of the samples at ``rows``."""
        return View(self.values[rows], self.features, self.measured[rows])


@dataclass(frozen=True, eq=False)
class MultiOmics:
    """A cohort measured in one or more views (omics) on matched samples.

    Build one with :func:`poems.read`, which checks files and tables at the
    border; this class assumes clean names and only verifies that they agree.

    Parameters
    ----------
    views
        Mapping of view name to :class:`View`; all share the order of
        ``samples``.
    samples
        Unique sample names, of length n_samples.
    obs
        One row per sample, in the order of ``samples``: clinical columns,
        labels. May have no columns.
    findings
        What was assumed or left out on the way here.

    Raises
    ------
    DataError
        If names are duplicated, lengths differ, or a sample has no view.

    Examples
    --------
    >>> import pandas as pd, poems
    >>> rna = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["s1", "s2"], columns=["g1", "g2"])
    >>> cohort = poems.read({"rna": rna})
    >>> cohort
    MultiOmics: 2 samples
      rna: 2 features, measured on 2 samples
    """

    views: Mapping[str, View]
    samples: pd.Index
    obs: pd.DataFrame
    findings: tuple[Finding, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", MappingProxyType(dict(self.views)))
        if not self.views:
            raise DataError("a cohort needs at least one view")
        if self.samples.has_duplicates:
            raise DataError(
                f"duplicate sample names: {name_some(self.samples[self.samples.duplicated()])}"
            )
        if not self.obs.index.equals(self.samples):
            raise DataError("the obs table must have one row a sample, in the order of the samples")
        for name, view in self.views.items():
            if len(view.measured) != len(self.samples):
                raise DataError(
                    f"view '{name}' has {count(len(view.measured), 'row')} for "
                    f"{count(len(self.samples), 'sample')}"
                )
            if view.features.has_duplicates:
                raise DataError(
                    f"view '{name}' has duplicate feature names: "
                    f"{name_some(view.features[view.features.duplicated()])}"
                )
        without = np.count_nonzero(self.measured, axis=1) == 0
        if without.any():
            raise DataError(
                f"{count(int(without.sum()), 'sample has', 'samples have')} no view at all: "
                f"{name_some(self.samples[without])}. "
                f"Remove {'it' if without.sum() == 1 else 'them'}."
            )

    def __repr__(self) -> str:
        lines = [f"MultiOmics: {count(self.n_samples, 'sample')}"]
        lines += [
            f"  {name}: {count(view.n_features, 'feature')}, measured on "
            f"{count(int(view.measured.sum()), 'sample')}"
            for name, view in self.views.items()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the cohort in a notebook."""
        rows = [
            (name, view.n_features, int(view.measured.sum())) for name, view in self.views.items()
        ]
        columns = f"obs: {name_some(self.obs.columns, 8)}" if len(self.obs.columns) else ""
        return card(
            f"Cohort: {count(self.n_samples, 'sample')}",
            [columns],
            ("omic", "features", "samples measured"),
            rows,
            self.findings,
        )

    def __len__(self) -> int:
        return self.n_samples

    def __iter__(self) -> Iterator[str]:
        return iter(self.views)

    def __getitem__(self, name: str) -> View:
        return self.views[name]

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.samples)

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Boolean array of shape (n_samples, n_views): which view was measured on which sample."""
        return np.column_stack([view.measured for view in self.views.values()])

    def frame(self, name: str) -> pd.DataFrame:
        """Return a view as a DataFrame of shape (n_samples, n_features)."""
        view = self.views[name]
        return pd.DataFrame(view.values, index=self.samples, columns=view.features)

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> MultiOmics:
        """Return the cohort of the samples at positions ``rows``, in that order.

        Findings are not carried over: they speak of the whole cohort.
        """
        index = np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            views={name: view.take(index) for name, view in self.views.items()},
            samples=self.samples[index],
            obs=self.obs.iloc[index],
            findings=(),
        )

    def select(self, names: Sequence[str]) -> MultiOmics:
        """Return the cohort with the views ``names`` only.

        Raises
        ------
        DataError
            If a name is unknown, or a sample is left without any view.
        """
        unknown = [name for name in names if name not in self.views]
        if unknown:
            raise DataError(f"no view {name_some(unknown)}; there are {name_some(self.views, 20)}")
        return replace(
            self,
            views={name: self.views[name] for name in names},
            findings=tuple(f for f in self.findings if f.view is None or f.view in names),
        )
