"""Values on their own scale: what a likelihood is given of a view that is not Gaussian.

Such a likelihood is given the values as they were measured. Encoders, the start and what compares
samples are given their residuals about a model without factors, standardised; see
:class:`poems.scaling.view_scaling.ViewScaling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import Values
from poems.errors import DataError
from poems.scaling.sizes import column_of, sizes_in
from poems.settings.parts import SIZES

Array = npt.NDArray[np.float64]
Kind = Literal["continuous", "binary", "counts", "fractions", "levels", "heavy"]


# Entries in double precision at a time, some ten times over.
_AT_ONCE = 1 << 22


def row_blocks(shape: tuple[int, ...]) -> list[slice]:
    """Cut rows of a table into blocks of a bounded number of entries.

    >>> row_blocks((3, 1 << 21))
    [slice(0, 2, None), slice(2, 4, None)]
    """
    step = max(1, _AT_ONCE // max(1, shape[1]))
    # One block of no rows for a table of none.
    return [slice(start, start + step) for start in range(0, max(1, shape[0]), step)]


def own_scale_views(kinds: Mapping[str, Kind]) -> list[str]:
    """Name the views whose likelihood is given values as they were measured.

    >>> own_scale_views({"rna": "continuous", "calls": "binary"})
    ['calls']
    """
    return [name for name, kind in kinds.items() if kind != "continuous"]


_TAKES: dict[str, tuple[str, str]] = {
    "binary": ("0 and 1 alone", "Recode the view as 0 and 1"),
    "counts": ("whole numbers from 0 on", "Give counts that were neither logged nor normalised"),
    "fractions": ("numbers from 0 to 1", "Give fractions (percentages divided by 100)"),
    "levels": ("whole numbers", "Recode the levels as whole numbers in their order"),
}


@dataclass(frozen=True, eq=False)
class OwnScale:
    """How a view's values are given to their likelihood, and what residuals are about.

    Arrays are of shape (n_features,), but for ``levels`` (n_levels,), the values that ordered
    levels take. ``mean`` is that of each feature, of counts at a sample of size 1; ``dispersion``
    is of counts: variance = mean + dispersion mean^2. ``sizes`` says where sizes of samples come
    from (:mod:`poems.scaling.sizes`), ``none`` where they are alike; of a column of obs
    ``reference`` stands for 1. ``ends``: what stands for fractions of 0 and of 1 is this far from
    them.
    """

    kind: Kind
    mean: Array
    dispersion: Array
    levels: Array
    sizes: str = "none"
    ends: float = 0.0
    reference: float = 1.0

    @property
    def sized(self) -> bool:
        """Whether samples have sizes."""
        return self.sizes != "none"

    def targets(
        self,
        values: Values,
        name: str,
        features: pd.Index,
        samples: pd.Index,
    ) -> Array:
        """Check values, (n_samples, n_features), and return what the likelihood is given.

        Raises
        ------
        DataError
            If the likelihood cannot take one of them.
        """
        x = values.astype(np.float64)
        require_allowed(self.kind, x, name, features, samples)
        if self.kind == "levels":
            unknown = ~np.isnan(x) & ~np.isin(x, self.levels)
            if unknown.any():
                shown = ", ".join(f"{level:g}" for level in self.levels)
                takes = f"the levels {shown}, which the model knows"
                raise _refused(name, x, unknown, features, samples, takes)
        return self.coded(x)

    def coded(self, x: Array) -> Array:
        """Return what the likelihood is given of values that it can take, ``NaN`` as it is."""
        if self.kind == "fractions":
            return np.where(x <= 0, self.ends, np.where(x >= 1, 1.0 - self.ends, x))
        if self.kind == "levels":
            # Levels are numbered from 0 in their order.
            return np.where(np.isnan(x), np.nan, np.searchsorted(self.levels, x))
        return x

    def log_sizes(self, x: Array, name: str, obs: pd.DataFrame) -> Array:
        """Return the logarithm of each sample's size, (n_samples,): 0 where they are alike.

        A sample without any measured feature has size 1. ``obs`` is the table of the samples.

        Raises
        ------
        DataError
            If a sample's counts are all 0, or the column that has the sizes lacks one.
        """
        if not self.sized:
            return np.zeros(len(x))
        column = column_of(self.sizes)
        there = np.any(~np.isnan(x), axis=1)
        if column is not None:
            size = sizes_in(obs, column, name, there) / self.reference
            return np.where(there, np.log(size), 0.0)
        size = SIZES.find(self.sizes)(x, self.mean)
        empty = there & (size == 0)
        if empty.any():
            raise _empty(name, obs.index[empty][0])
        return np.asarray(np.log(size), dtype=np.float64)

    def residuals(self, x: Array, log_size: Array) -> Array:
        """Return residuals of targets about a model without factors: (n_samples, n_features).

        Deviance residuals of counts; for other kinds values themselves, which differ from
        Pearson's by a shift and a factor a feature.
        """
        if self.kind != "counts":
            return x
        from scipy import special

        mean = np.exp(log_size)[:, None] * self.mean
        of_mean = np.log1p(self.dispersion * mean)
        found = -np.sqrt(2.0 * ((1.0 / self.dispersion) * of_mean))
        # Of zeros, which most counts are, nothing else is left.
        row, column = np.nonzero(x)
        x, mean, alpha = x[row, column], mean[row, column], self.dispersion[column]
        apart = np.log1p(alpha * x) - of_mean[row, column]
        deviance = special.xlogy(x, x / mean) - (x + 1.0 / alpha) * apart
        # Not below 0 but by rounding.
        found[row, column] = np.sign(x - mean) * np.sqrt(2.0 * np.maximum(deviance, 0.0))
        return np.asarray(found)

    def invert(self, predicted: Array) -> Array:
        """Bring means of targets back to the units of the input."""
        if self.kind != "levels":
            return predicted
        return np.asarray(np.interp(predicted, np.arange(len(self.levels)), self.levels))

    def take(self, columns: npt.NDArray[np.intp]) -> OwnScale:
        """Return that of some of the features."""
        return replace(self, mean=self.mean[columns], dispersion=self.dispersion[columns])


def _empty(name: str, sample: object) -> DataError:
    return DataError(
        f"view '{name}': of the features used, all counts of sample {sample} are 0, so that it has "
        "no size. Leave such samples out of the view, or set size_factors='none' "
        "(--size-factors none)."
    )


def require_allowed(kind: Kind, x: Array, name: str, features: pd.Index, samples: pd.Index) -> None:
    """Refuse values that a likelihood of this kind cannot take, (n_samples, n_features).

    Raises
    ------
    DataError
        If there is one; the text names the first by feature and sample.
    """
    wrong = _wrong(kind, x)
    if wrong is not None and wrong.any():
        raise _refused(name, x, wrong, features, samples, *_TAKES[kind])


def _wrong(kind: Kind, x: Array) -> npt.NDArray[np.bool_] | None:
    """Which values a likelihood of this kind cannot take; a missing one is none of them."""
    there = ~np.isnan(x)
    allowed: npt.NDArray[np.bool_]
    if kind == "binary":
        allowed = (x == 0) | (x == 1)
    elif kind == "counts":
        allowed = (x >= 0) & (x == np.round(x))
    elif kind == "fractions":
        allowed = (x >= 0) & (x <= 1)
    elif kind == "levels":
        allowed = x == np.round(x)
    else:
        return None
    return there & ~allowed


def _refused(
    name: str,
    x: Array,
    wrong: npt.NDArray[np.bool_],
    features: pd.Index,
    samples: pd.Index,
    takes: str,
    remedy: str = "Leave the entries out",
) -> DataError:
    row, column = (int(at[0]) for at in np.nonzero(wrong))
    return DataError(
        f"view '{name}' holds {x[row, column]:g} in feature {features[column]} of sample "
        f"{samples[row]}, and its likelihood takes {takes}. "
        f"{remedy}, or choose another likelihood for the view."
    )
