"""What becomes of a sample when a view that was measured on it is withheld from the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from poems.analysis.subtypes.assignment import SubtypeModel
from poems.fitting.projection import Inferred
from poems.nn.estimates import SampleEstimates, estimate_samples
from poems.scaling.batch import Batch

if TYPE_CHECKING:
    from poems.findings import Finding
    from poems.fitting.result import FittedPoems

COLUMNS: Final = [
    "sample",
    "view",
    "gate",
    "shift",
    "subtype",
    "subtype_change",
    "nearest",
    "nearest_without",
    "switched",
]


@dataclass(frozen=True, eq=False)
class Withheld:
    """Samples with each of their views withheld in turn.

    Parameters
    ----------
    table
        One row per sample and view that was measured on it beside at least one
        other, by sample, then view. Columns:

        ``gate``
            The weight of the view on the sample, of 1 for all its views.
        ``shift``
            How far the latent moves without the view: sqrt(mean_k
            ((z_k - z'_k) / s_k)²), z and z' the posterior means with all views
            of the sample and without this one, s_k the standard deviation of
            factor k over the training samples: s_k² is the variance of its
            posterior means and the mean of its posterior variances, together.
            1 is about as far as a training sample lies from the mean of all.
        ``subtype``
            The subtype of the sample.
        ``subtype_change``
            Its probability without the view, less that with all views.
        ``nearest``, ``nearest_without``, ``switched``
            The likeliest subtype with all views and without the view, and
            whether they differ.
    n_samples
        Number of samples looked at.
    n_measured
        Number of samples that each view was measured on, by view.
    findings
        What was absent or unknown in the cohort.
    """

    table: pd.DataFrame
    n_samples: int
    n_measured: pd.Series
    findings: tuple[Finding, ...] = ()


@torch.no_grad()
def withhold_views(
    model: FittedPoems, known: Inferred, subtype_model: SubtypeModel, subtypes: pd.Series
) -> Withheld:
    """Infer each sample again without each of its views, and see what changes.

    The model sees a view that is withheld as one that was not measured. A sample with one
    view is passed over.

    Parameters
    ----------
    model
        The fitted model.
    known
        The samples, in memory or on disk: those of the fit or others. Passed
        over once, some at a time.
    subtype_model
        Gives the probabilities of subtypes.
    subtypes
        Subtype by sample; the nearest one for a sample that is not in it.

    Raises
    ------
    DataError
        If no view or no feature is known, or a sample has nothing measured.
    """
    cohort, data = known.cohort, known.data
    model.module.eval()
    spread = _spread(model)
    parts: list[pd.DataFrame] = []
    first = 0
    for chunk, estimates in known.parts():
        samples = cohort.samples[first : first + len(chunk)]
        first += len(chunk)
        gates = estimates.gates
        latent, variance = _tables(model, estimates, samples)
        before = subtype_model.probabilities(latent, variance)
        nearest = before.idxmax(axis=1).astype(object)
        found = subtypes.reindex(samples).astype(object)
        found = found.where(found.isin(before.columns), nearest)
        for view, rows, others in _without_each(model, chunk):
            own, own_variance = _tables(model, others, samples[rows])
            after = subtype_model.probabilities(own, own_variance)
            likeliest = after.idxmax(axis=1).astype(object)
            at = before.columns.get_indexer(pd.Index(found.iloc[rows]))
            change = after.to_numpy() - before.iloc[rows].to_numpy()
            parts.append(
                pd.DataFrame(
                    {
                        "sample": samples[rows],
                        "view": view,
                        "gate": gates[rows, model.view_names.index(view)].numpy().astype(float),
                        "shift": _shift(latent.iloc[rows], own, spread),
                        "subtype": found.iloc[rows].to_numpy(),
                        "subtype_change": change[np.arange(len(at)), at],
                        "nearest": nearest.iloc[rows].to_numpy(),
                        "nearest_without": likeliest.to_numpy(),
                        "switched": (likeliest != nearest.iloc[rows]).to_numpy(),
                        "order": first - len(chunk) + rows,
                    }
                )
            )
    table = pd.DataFrame(columns=[*COLUMNS, "order"])
    if parts:
        table = pd.concat(parts, ignore_index=True).sort_values("order", kind="stable")
    counts = data.measured.sum(dim=0).tolist()
    return Withheld(
        table=table[COLUMNS].reset_index(drop=True),
        n_samples=len(data),
        n_measured=pd.Series(counts, index=list(model.view_names), dtype=int),
        findings=tuple(
            finding
            for finding in (*cohort.findings, *known.findings)
            # The fit has already reported what there is to say of the training cohort.
            if finding not in model.findings
        ),
    )


def _without_each(
    model: FittedPoems, chunk: Batch
) -> Iterator[tuple[str, npt.NDArray[np.intp], SampleEstimates]]:
    """Yield each view, the samples that have it and another one, and what the others say."""
    several = chunk.measured.sum(dim=1) > 1
    for i, view in enumerate(model.view_names):
        rows = (chunk.measured[:, i] & several).nonzero().squeeze(1)
        if len(rows):
            part = chunk.take(rows)
            measured = part.measured.clone()
            measured[:, i] = False
            without = replace(part, measured=measured)
            yield view, rows.numpy(), estimate_samples(model.module, without)


def _tables(
    model: FittedPoems, estimates: SampleEstimates, samples: pd.Index
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means and variances of the active factors, as in the model's tables."""

    def table(values: Tensor) -> pd.DataFrame:
        own: npt.NDArray[Any] = values.numpy()[:, model.active].astype(np.float64)
        return pd.DataFrame(own, index=samples, columns=model.factor_names)

    return table(estimates.loc * model.orientation), table(estimates.variance)


def _spread(model: FittedPoems) -> npt.NDArray[np.float64]:
    """Compute the standard deviation of each factor over the training samples, (n_factors,).

    Of the factor, not of its posterior means alone: these hardly differ for a factor of which the
    data say next to nothing, and moves that its posterior does not care about would count most.
    """
    means, variances = (
        table.to_numpy(dtype=np.float64) for table in (model.latent, model.latent_variance)
    )
    return np.asarray(np.sqrt(means.var(axis=0) + variances.mean(axis=0)), dtype=np.float64)


def _shift(
    before: pd.DataFrame, after: pd.DataFrame, spread: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Compute the root mean square move over factors, in standard deviations; 0 without any."""
    if not before.shape[1]:
        return np.zeros(len(before))
    moved = (before.to_numpy() - after.to_numpy()) / spread
    return np.asarray(np.sqrt((moved**2).mean(axis=1)), dtype=np.float64)
