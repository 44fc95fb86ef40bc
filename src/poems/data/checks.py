"""check(): everything there is to say about a cohort before fitting, without an exception."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from poems.data.assemble import SampleRule
from poems.data.container import MultiOmics, Values
from poems.data.disk.summary import any_summary
from poems.data.disk.view import BackedCohort, BackedView
from poems.data.likelihoods import chosen_likelihoods, depth_findings, likelihood_findings
from poems.data.quality import quality_findings
from poems.data.readers import Loaded, load
from poems.data.tables import has_values
from poems.findings import Finding, said_once
from poems.notebook import Shown


@dataclass(frozen=True, eq=False, repr=False)
class CheckReport(Shown):
    """What is in a cohort, and what is wrong with it.

    Parameters
    ----------
    findings
        All that was noticed, errors first.
    summary
        One row per view that could be read, indexed by its name: ``samples``
        and ``features`` (how many), ``missing_samples`` (samples of the
        cohort on which it was not measured), ``missing_share`` (missing
        entries among those of the measured samples, 0 to 1), ``min``,
        ``median`` and ``max`` of the values.
    cohort
        The cohort, or ``None`` if errors prevented it.
    """

    findings: tuple[Finding, ...]
    summary: pd.DataFrame
    cohort: MultiOmics | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found that prevents a fit."""
        return all(finding.severity != "error" for finding in self.findings)


def check(
    views: Any,
    *,
    obs: Any = None,
    features_in_rows: bool | Collection[str] = False,
    samples: SampleRule = "union",
    layer: str | Mapping[str, str] | None = None,
    backed: bool = False,
) -> CheckReport:
    """Read a cohort and report what is in it and what may hurt a fit.

    Takes the arguments of :func:`poems.read`; the values of a cohort on disk (``backed``) are
    looked at in blocks, and its files stay open for whoever fits it. What is wrong with the data
    becomes findings of severity ``"error"`` instead of an exception.

    Raises
    ------
    SettingsError
        If an option has a value that is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> rna = pd.DataFrame({"g1": ["1.5", "high"]}, index=["s1", "s2"])
    >>> report = check({"rna": rna})
    >>> report.ok
    False
    >>> print(report.findings[0])
    error: rna: the DataFrame: 1 cell is not a number: 'high' (sample 's2', feature 'g1'). ...
    """
    loaded = load(
        views,
        obs=obs,
        features_in_rows=features_in_rows,
        samples=samples,
        layer=layer,
        backed=backed,
    )
    findings = loaded.findings
    if loaded.cohort is not None:
        likelihoods = tuple(likelihood_findings(loaded.cohort))
        chosen = chosen_likelihoods(likelihoods)
        quality = quality_findings(loaded.cohort, own_scale=chosen)
        findings += said_once((*quality, *depth_findings(loaded.cohort, chosen), *likelihoods))
    order = ("error", "warning", "note")
    return CheckReport(
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        summary=_summary(loaded),
        cohort=loaded.cohort,
    )


def _summary(loaded: Loaded) -> pd.DataFrame:
    cohort = loaded.cohort
    columns = ["samples", "features", "missing_samples", "missing_share", "min", "median", "max"]
    if isinstance(cohort, BackedCohort):
        rows = {
            name: _on_disk(view, cohort.n_samples) for name, view in cohort.backed_views().items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    if cohort is not None:
        tables = {name: view.values[view.measured] for name, view in cohort.views.items()}
        n_samples = cohort.n_samples
    else:
        tables = {
            name: table.values[has_values(table.values)].astype(np.float32)
            for name, table in loaded.tables.items()
            # Of views on disk names alone were read.
            if table.values.shape[1] == len(table.features)
        }
        n_samples = len({sample for table in loaded.tables.values() for sample in table.samples})
    rows = {name: _in_memory(values, n_samples) for name, values in tables.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _in_memory(values: Values, n_samples: int) -> dict[str, float]:
    """Describe the values of the samples that have a view, (n_measured, n_features)."""
    present = values[~np.isnan(values)]
    lowest, middle, highest = np.quantile(present, (0, 0.5, 1)) if present.size else (np.nan,) * 3
    return {
        "samples": values.shape[0],
        "features": values.shape[1],
        "missing_samples": n_samples - values.shape[0],
        "missing_share": 1 - present.size / values.size if values.size else np.nan,
        "min": float(lowest),
        "median": float(middle),
        "max": float(highest),
    }


def _on_disk(view: BackedView, n_samples: int) -> dict[str, float]:
    """Describe a view on disk by its statistics; the median is known to within 1 %."""
    found = any_summary(view, log1p=False)
    n_measured = int(view.measured.sum())
    described: dict[str, float] = {
        "samples": n_measured,
        "features": view.n_features,
        "missing_samples": n_samples - n_measured,
    }
    if not found.values.n:
        return described
    return described | {
        "missing_share": 1 - found.values.n / (n_measured * view.n_features),
        "min": float(np.nanmin(found.features.lowest)),
        "median": found.values.median(),
        "max": float(np.nanmax(found.features.highest)),
    }
