"""Learn how residuals of a view are scaled whose likelihood is given values as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from poems.data.container import Values, View
from poems.findings import Finding
from poems.scaling.own_scale import Array, Kind, OwnScale, fit_own_scale
from poems.scaling.sizes import POOLED, column_of
from poems.scaling.view_scaling import (
    ViewScaling,
    fit_scaling,
    left_out_findings,
    most_variable_finding,
    varies,
)
from poems.settings.groups import PreprocessingSettings

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
        scaling, findings = fit_scaling(name, view, settings)
        width = len(scaling.features)
        own = OwnScale(kind, np.zeros(width), np.zeros(width), np.zeros(0))
        return replace(scaling, own=own), findings
    x, known = view.values[view.measured], obs[view.measured]
    kept = np.flatnonzero(varies(x.astype(np.float64)))
    findings = list(left_out_findings(name, view.features, kept))
    sizes = settings.sizes_of(name)
    own, residuals = _own(kind, x[:, kept], name, view.features[kept], known, sizes)
    if settings.most_variable is not None and len(kept) > settings.most_variable:
        # About one small dispersion for all: about its own, every feature varies alike.
        alike = replace(own, dispersion=np.full(len(kept), _SMALL_DISPERSION))
        targets = own.targets(x[:, kept], name, view.features[kept], known.index)
        about_it = alike.residuals(targets, own.log_sizes(targets, name, known))
        by_variance = np.argsort(-np.nanvar(about_it, axis=0), kind="stable")
        most = np.sort(by_variance[: settings.most_variable])
        findings.append(most_variable_finding(name, view.features[kept[most]], len(kept)))
        kept = kept[most]
        own, residuals = _own(kind, x[:, kept], name, view.features[kept], known, sizes)
    unlimited = np.full(len(kept), np.inf)
    # A feature that makes up the sizes, alone in its view say, has residuals of 0 and keeps them.
    spread = np.nanstd(residuals, axis=0)
    scaling = ViewScaling(
        features=view.features[kept],
        log1p=False,
        lower=-unlimited,
        upper=unlimited,
        offset=np.nanmean(residuals, axis=0),
        scale=np.where(spread > _NO_SPREAD, spread, 1.0),
        fill=np.zeros(len(kept)),
        variance=np.ones(len(kept)),
        own=own,
    )
    return scaling, findings


def _own(
    kind: Kind,
    x: Values,
    name: str,
    features: pd.Index,
    obs: pd.DataFrame,
    sizes: str,
) -> tuple[OwnScale, Array]:
    """An own scale, and the residuals of the values that it was learned from."""
    own = fit_own_scale(kind, x, name, features, obs, sizes)
    targets = own.targets(x, name, features, obs.index)
    return own, own.residuals(targets, own.log_sizes(targets, name, obs))


def own_findings(name: str, view: View, scaling: ViewScaling) -> list[Finding]:
    """Say what is done to the values of a view that its likelihood is given as they are."""
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
        *_of_kind(name, view, own),
    ]


def _of_kind(name: str, view: View, own: OwnScale) -> list[Finding]:
    if own.sized:
        return [Finding("note", "size-factors", _of_sizes(own), name)]
    if own.kind == "fractions":
        n = int(np.count_nonzero((view.values <= 0) | (view.values >= 1)))
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
