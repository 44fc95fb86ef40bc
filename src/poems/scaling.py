"""Scaling of one view: learned on its training samples, applied to any, inverted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.config import PreprocessingSettings
from poems.data.container import View
from poems.errors import DataError
from poems.findings import Finding, name_some

Array = npt.NDArray[np.float64]

# Rounds of clipping, and how close to the limit (as a share of it) they have to come.
_WINSORISE_ROUNDS = 100
_WINSORISE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ViewScaling:
    """How one view's values are brought to the model's scale.

    In this order: log(1 + x) if ``log1p``; clip to [``lower``, ``upper``];
    subtract ``offset`` and divide by ``scale``. All arrays have shape
    (n_features,), over the ``features`` that are kept.

    ``fill`` is the mean of the scaled training values, which the encoder sees
    where an entry is missing; ``variance`` is theirs too.
    """

    features: pd.Index
    log1p: bool
    lower: Array
    upper: Array
    offset: Array
    scale: Array
    fill: Array
    variance: Array

    def apply(
        self, values: npt.NDArray[np.float32], name: str
    ) -> tuple[npt.NDArray[np.float32], int]:
        """Scale values of shape (n_samples, n_features); also count the clipped entries.

        ``name`` is the view's, for errors.
        """
        x = values.astype(np.float64)
        if self.log1p:
            x = _log1p(x, name)
        clipped = np.clip(x, self.lower, self.upper)
        n_clipped = int(np.count_nonzero(clipped != x) - np.count_nonzero(np.isnan(x)))
        return ((clipped - self.offset) / self.scale).astype(np.float32), n_clipped

    def invert(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Bring scaled values back to the units of the input."""
        x = values.astype(np.float64) * self.scale + self.offset
        return np.expm1(x) if self.log1p else x


def fit_scaling(
    name: str, view: View, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how one view is scaled; also report what is left out or as it was.

    Raises
    ------
    DataError
        If no feature is usable, or log1p meets values below zero.
    """
    x = view.values[view.measured].astype(np.float64)
    log1p = name in settings.log1p
    if log1p:
        x = _log1p(x, name)
    chosen, findings = _choose_features(name, view.features, x, settings.most_variable)
    x = x[:, chosen]
    lower, upper = _limits(x, settings.winsorise)
    if settings.winsorise is not None and np.isinf(upper).any():
        uneven = tuple(map(str, view.features[chosen][np.isinf(upper)]))
        findings.append(
            Finding(
                "note",
                "not-winsorised",
                f"no clipping brings {len(uneven)} features within {settings.winsorise:g} standard "
                "deviations, usually because nearly all of their entries are equal; they were "
                f"left as they are: {name_some(uneven)}",
                name,
                uneven,
            )
        )
    x = np.clip(x, lower, upper)
    if settings.scale == "standard":
        offset, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    elif settings.scale == "minmax":
        offset = np.nanmin(x, axis=0)
        scale = np.nanmax(x, axis=0) - offset
    else:
        offset, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    scaled = (x - offset) / scale
    scaling = ViewScaling(
        features=view.features[chosen],
        log1p=log1p,
        lower=lower,
        upper=upper,
        offset=offset,
        scale=scale,
        fill=np.nanmean(scaled, axis=0),
        variance=np.nanvar(scaled, axis=0),
    )
    return scaling, findings


def _choose_features(
    name: str, features: pd.Index, x: Array, most_variable: int | None
) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Choose the features that vary and, if asked, the most variable of them."""
    findings = []
    n_there = np.count_nonzero(~np.isnan(x), axis=0)
    usable = n_there > 1
    if usable.any():
        usable[usable] = np.nanmin(x[:, usable], axis=0) < np.nanmax(x[:, usable], axis=0)
    if not usable.any():
        raise DataError(
            f"view '{name}' has no usable feature: every one is constant or missing. "
            "Leave the view out."
        )
    if not usable.all():
        left_out = tuple(map(str, features[~usable]))
        findings.append(
            Finding(
                "warning",
                "features-left-out",
                f"{len(left_out)} features are constant or missing throughout and were left out: "
                f"{name_some(left_out)}",
                name,
                left_out,
            )
        )
    if most_variable is not None and usable.sum() > most_variable:
        spread = np.full(len(usable), -np.inf)
        spread[usable] = np.nanvar(x[:, usable], axis=0)
        keep = np.sort(np.argsort(-spread, kind="stable")[:most_variable])
        findings.append(
            Finding(
                "note",
                "most-variable",
                f"the {most_variable} most variable of {usable.sum()} features were kept",
                name,
                tuple(map(str, features[keep])),
            )
        )
        usable = np.zeros_like(usable)
        usable[keep] = True
    return usable, findings


def _log1p(x: Array, name: str) -> Array:
    """Take log(1 + x), refusing values below zero."""
    below = x < 0
    if below.any():
        raise DataError(
            f"view '{name}': log1p was asked for, but {below.sum()} values are below zero "
            f"(the least is {np.nanmin(x):g}). It is for counts; leave it out for this view."
        )
    return np.log1p(x)


def _limits(x: Array, n_sd: float | None) -> tuple[Array, Array]:
    """Find limits ``n_sd`` standard deviations from the mean of each feature.

    An outlier inflates the very standard deviation that it is judged by, so the
    limits are found anew from the clipped values until they settle. Where more
    than a share of about 1 - 1 / n_sd^2 of the entries are equal (a rare
    mutation) they never do: the limits would close in on that value and take
    the feature with them. It gets infinite limits.
    """
    lower, upper = np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf)
    if n_sd is None:
        return lower, upper
    # About the median, so that entries equal to it are exact zeros throughout.
    centre = np.nanmedian(x, axis=0)
    x = x - centre
    open_ = np.arange(x.shape[1])
    beyond = np.ones(x.shape[1], dtype=bool)
    for _ in range(_WINSORISE_ROUNDS):
        part = x[:, open_]
        mean, sd = np.nanmean(part, axis=0), np.nanstd(part, axis=0)
        lower[open_] = np.maximum(lower[open_], mean - n_sd * sd)
        upper[open_] = np.minimum(upper[open_], mean + n_sd * sd)
        furthest = np.nanmax(np.abs(part - mean), axis=0)
        beyond[open_] = furthest > n_sd * sd * (1.0 + _WINSORISE_TOLERANCE)
        open_ = open_[furthest > n_sd * sd]
        if not open_.size:
            break
        x[:, open_] = np.clip(x[:, open_], lower[open_], upper[open_])
    lower[beyond], upper[beyond] = -np.inf, np.inf
    return lower + centre, upper + centre
