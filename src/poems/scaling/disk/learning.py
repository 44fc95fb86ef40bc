"""The scaling of a view on disk, learned from its statistics."""

from __future__ import annotations

import numpy as np

from poems.data.disk.summary import summarise
from poems.data.disk.view import BackedView
from poems.findings import Finding
from poems.scaling.view_scaling import (
    ViewScaling,
    left_out_findings,
    most_variable_finding,
    require_not_negative,
)
from poems.settings.schema import PreprocessingSettings


def fit_backed_scaling(
    name: str, view: BackedView, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how one view is scaled.

    The numbers are those of :func:`poems.scaling.view_scaling.fit_scaling` but for rounding:
    nothing is approximated.

    Raises
    ------
    DataError
        If no feature is usable, or log1p meets values below zero.
    """
    log1p = name in settings.log1p
    found = summarise(view, log1p=log1p, n_sd=settings.winsorise).features
    if log1p:
        require_not_negative(name, int(found.n_below_zero.sum()), float(np.nanmin(found.lowest)))
    kept = np.flatnonzero(found.varies)
    findings = list(left_out_findings(name, view.features, kept))
    variance = found.clipped_variance
    if settings.most_variable is not None and len(kept) > settings.most_variable:
        most = kept[np.argsort(-variance[kept], kind="stable")[: settings.most_variable]]
        most.sort()
        findings.append(most_variable_finding(name, view.features[most], len(kept)))
        kept = most
    lower, upper = found.lower[kept], found.upper[kept]
    mean, variance = found.clipped_mean[kept], variance[kept]
    if settings.scale == "standard":
        settled = found.settled[kept]
        offset = np.where(settled, mean, found.mean[kept])
        scale = np.sqrt(np.where(settled, variance, found.variance[kept]))
    elif settings.scale == "minmax":
        # Least and largest value after the winsorising that was asked for.
        offset = np.clip(found.lowest[kept], lower, upper)
        scale = np.clip(found.highest[kept], lower, upper) - offset
    else:
        offset, scale = np.zeros(len(kept)), np.ones(len(kept))
    scaling = ViewScaling(
        features=view.features[kept],
        log1p=log1p,
        lower=lower,
        upper=upper,
        offset=offset,
        scale=scale,
        fill=(mean - offset) / scale,
        variance=variance / scale**2,
    )
    return scaling, findings
