"""Learn how residuals of a view are scaled whose likelihood is given values as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import Values, View
from poems.findings import Finding
from poems.scaling.left_out import left_out_findings, most_variable_finding
from poems.scaling.own_fitting import fit_own_scale, residual_moments
from poems.scaling.own_scale import Kind, OwnScale, row_blocks
from poems.scaling.sizes import POOLED, column_of
from poems.scaling.view_scaling import (
    ViewScaling,
    fit_scaling,
    varies,
)
from poems.settings.groups import PreprocessingSettings

Columns: TypeAlias = Callable[[npt.NDArray[np.intp]], Iterable[tuple[Values, pd.DataFrame]]]

# Dispersion of counts about which features are compared in how much they vary, and a standard
# deviation of residuals that is rounding.
_SMALL_DISPERSION, _NO_SPREAD = 0.01, 1e-6


def fit_own_scaling(
    name: str, view: View, obs: pd.DataFrame, kind: Kind, settings: PreprocessingSettings
) -> tuple[ViewScaling, list[Finding]]:
    """Learn how residuals of a view are scaled whose likelihood is given values as they are.

    Parameters
    ----------
    name, view, obs
        The view, and the table of the cohort's samples.
    kind
        What its values are; not continuous.
    settings
        Which features are kept, and where sizes of samples come from.

    Raises
    ------
    DataError
        If no feature is usable, the likelihood cannot take one of the values, or a sample of counts
        has no size.
    """
    if kind == "heavy":
        return as_heavy(*fit_scaling(name, view, settings))
    x, known = view.values[view.measured], obs[view.measured]
    kept = np.flatnonzero(varies(x.astype(np.float64)))
    parts = row_blocks(x.shape)
    return own_scaling_from(
        name,
        view.features,
        kept,
        lambda columns: ((x[rows][:, columns], known[rows]) for rows in parts),
        kind,
        settings,
    )


def as_heavy(scaling: ViewScaling, findings: list[Finding]) -> tuple[ViewScaling, list[Finding]]:
    """Return the scaling of continuous values, for a likelihood that is given them unclipped."""
    width = len(scaling.features)
    own = OwnScale("heavy", np.zeros(width), np.zeros(width), np.zeros(0))
    return replace(scaling, own=own), findings


def own_scaling_from(
    name: str,
    features: pd.Index,
    kept: npt.NDArray[np.intp],
    columns: Columns,
    kind: Kind,
    settings: PreprocessingSettings,
) -> tuple[ViewScaling, list[Finding]]:
    """Learn the scaling of a view from passes over some of its features, wherever these are.

    Parameters
    ----------
    name, features
        The view's.
    kept
        Positions of the features that vary.
    columns
        Positions of features to one pass over them.
    kind, settings
        As :func:`fit_own_scaling` has them.
    """
    findings = list(left_out_findings(name, features, kept))
    sizes = settings.sizes_of(name)
    own = fit_own_scale(kind, partial(columns, kept), name, features[kept], sizes)
    if settings.most_variable is not None and len(kept) > settings.most_variable:
        # About one small dispersion for all: about its own, every feature varies alike.
        alike = replace(own, dispersion=np.full(len(kept), _SMALL_DISPERSION))
        spread = residual_moments(alike, partial(columns, kept), name)[1]
        by_variance = np.argsort(-spread, kind="stable")
        most = np.sort(by_variance[: settings.most_variable])
        findings.append(most_variable_finding(name, features[kept[most]], len(kept)))
        kept = kept[most]
        own = fit_own_scale(kind, partial(columns, kept), name, features[kept], sizes)
    offset, spread = residual_moments(own, partial(columns, kept), name)
    unlimited = np.full(len(kept), np.inf)
    scaling = ViewScaling(
        features=features[kept],
        log1p=False,
        lower=-unlimited,
        upper=unlimited,
        offset=offset,
        # A feature that makes up the sizes, alone in its view say, has residuals of 0 and keeps
        # them.
        scale=np.where(spread > _NO_SPREAD, spread, 1.0),
        fill=np.zeros(len(kept)),
        variance=np.ones(len(kept)),
        own=own,
    )
    return scaling, findings


def own_findings(name: str, n_at_ends: Callable[[], int], scaling: ViewScaling) -> list[Finding]:
    """Say what is done to the values of a view that its likelihood is given as they are.

    ``n_at_ends`` counts fractions of 0 and of 1, where the view is one of fractions.
    """
    own = scaling.own
    if own is None:
        return []
    return [
        Finding(
            "note",
            "deviance-explained",
            "the likelihood is given values as they were measured: its loadings are effects on the "
            "scale of its link (log odds, log fold changes), and what it explains is a share of "
            "deviance, against a model without factors, beside R² of the values",
            name,
        ),
        *_of_kind(name, n_at_ends, own),
    ]


def _of_kind(name: str, n_at_ends: Callable[[], int], own: OwnScale) -> list[Finding]:
    if own.sized:
        return [Finding("note", "size-factors", _of_sizes(own), name)]
    if own.kind == "fractions":
        n = n_at_ends()
        if n:
            text = (
                f"{n} fractions of 0 or 1, which no beta distribution has, stand at "
                f"{own.ends:.3g} and {1 - own.ends:.3g}: half as far from the end as the nearest "
                "other value, at most 0.01"
            )
            return [Finding("note", "fractions-at-ends", text, name)]
    return []


def _of_sizes(own: OwnScale) -> str:
    """Say what counts are expected in proportion to."""
    column = column_of(own.sizes)
    if column is not None:
        return (
            f"counts are expected in proportion to {column} in the table of the samples, of which "
            f"the geometric mean of these samples, {own.reference:.4g}, stands for 1; new samples "
            "need that column, in the same unit"
        )
    if own.sizes == "pooled":
        return (
            "counts are compared at the same depth: a sample's size is the median of the ratios of "
            f"its counts to a typical sample's, features pooled until {POOLED:g} counts are "
            "expected of them, so that few features that change do not count as depth; the "
            "geometric mean stands for 1"
        )
    if own.sizes != "totals":
        return f"counts are expected in proportion to sizes of samples by the rule {own.sizes}"
    return (
        "counts are compared at the same total: a sample's counts are expected in proportion "
        "to its total over the features used, of which the geometric mean stands for 1 "
        "(size_factors='none' compares them as they are, 'pooled' where a few large features "
        "change, 'obs:COLUMN' at sizes of your own)"
    )
