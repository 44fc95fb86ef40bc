"""The scaling of a view on disk, learned from its statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.data.disk.summary import Summary, summarise
from poems.data.disk.view import BackedView
from poems.data.winsorising import Limits
from poems.findings import Finding
from poems.scaling.left_out import left_out_findings
from poems.scaling.screening import Screening
from poems.scaling.view_scaling import (
    Array,
    ViewScaling,
    require_not_negative,
    scaling_from,
)
from poems.settings.groups import PreprocessingSettings


def fit_backed_scaling(
    name: str,
    view: BackedView,
    settings: PreprocessingSettings,
    screening: Screening | None = None,
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how one view is scaled.

    The numbers are those of :func:`poems.scaling.view_scaling.fit_scaling` but for rounding:
    nothing is approximated.

    Raises
    ------
    DataError
        If no feature is usable, or log1p meets values below zero.
    """
    found = summarise(view, log1p=name in settings.log1p, n_sd=settings.winsorise).features
    if name in settings.log1p:
        require_not_negative(name, int(found.n_below_zero.sum()), float(np.nanmin(found.lowest)))
    kept = np.flatnonzero(found.varies)
    findings = list(left_out_findings(name, view.features, kept))
    n_samples = int(view.measured.sum())
    scaling, more = scaling_from(
        name, view.features[kept], _Summarised(found, kept), settings, n_samples, screening
    )
    return scaling, [*findings, *more]


@dataclass(frozen=True, eq=False)
class _Summarised:
    """Statistics of some columns of a summary."""

    of: Summary
    columns: npt.NDArray[np.intp]

    @property
    def limits(self) -> Limits:
        return Limits(self.of.lower, self.of.upper, self.of.settled).take(self.columns)

    def take(self, columns: npt.NDArray[np.intp]) -> _Summarised:
        return _Summarised(self.of, self.columns[columns])

    def clipped_variance(self) -> Array:
        return self.of.clipped_variance[self.columns]

    def clipped_range(self) -> tuple[Array, Array]:
        limits = self.limits
        # The winsorising that was asked for.
        lowest, highest = (
            np.clip(extreme[self.columns], limits.lower, limits.upper)
            for extreme in (self.of.lowest, self.of.highest)
        )
        return lowest, highest

    def moments(self) -> tuple[Array, Array]:
        settled = self.of.settled
        mean = np.where(settled, self.of.clipped_mean, self.of.mean)
        variance = np.where(settled, self.of.clipped_variance, self.of.variance)
        return mean[self.columns], np.sqrt(variance[self.columns])

    def scaled(self, offset: Array, scale: Array) -> tuple[Array, Array]:
        mean = self.of.clipped_mean[self.columns]
        return (mean - offset) / scale, self.clipped_variance() / scale**2
