"""Markers among samples that were measured alike: what missing omics cannot have made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.analysis.subtypes.half_subtypes import HalfSubtypes
from poems.analysis.subtypes.marker_tests import marker_table
from poems.findings import Finding, count, name_some
from poems.scaling.batch import Batch
from poems.settings.rates import FDR

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

_KEY = ["view", "feature", "subtype"]


def markers_alike(
    model: FittedPoems,
    data: Batch,
    codes: npt.NDArray[np.intp],
    names: Sequence[str],
    halves: Sequence[HalfSubtypes],
    table: pd.DataFrame,
    left_out: Sequence[str],
) -> tuple[pd.DataFrame, Finding]:
    """Repeat the tests of markers among the samples that have the most frequent set of omics.

    Parameters
    ----------
    model, data, codes, names, halves
        As for :func:`poems.analysis.subtypes.marker_tests.marker_table`.
    table
        What that returned.
    left_out
        Subtypes that no sample of ``data`` is in, because they go with which omics were measured.

    Returns
    -------
    The table with the columns ``p_alike`` and ``q_alike``, and what is to be said.
    """
    patterns, which, sizes = np.unique(
        data.measured.numpy(), axis=0, return_inverse=True, return_counts=True
    )
    most = int(sizes.argmax())
    rows = np.flatnonzero(which.ravel() == most)
    alike = marker_table(
        model,
        data.take(torch.from_numpy(rows)),
        codes[rows],
        names,
        [replace(half, codes=half.codes[rows]) for half in halves],
    )
    columns = {"p": "p_alike", "q": "q_alike"}
    merged = table.merge(alike[[*_KEY, *columns]].rename(columns=columns), on=_KEY, how="left")
    found = merged["q"] <= FDR
    again = found & (merged["q_alike"] <= FDR)
    views = [name for name, one in zip(data.n_features, patterns[most], strict=True) if one]
    text = (
        f"{name_some(left_out, 8)} left out of the markers, and of what the others are compared "
        f"with: {'it goes' if len(left_out) == 1 else 'they go'} with which omics were measured. "
        f"Of {count(int(found.sum()), 'marker')} of the others {int(again.sum())} are so, too, "
        f"among the {count(len(rows), 'sample')} that have {name_some(views, 8)}, and nothing else "
        f"(q_alike)"
    )
    return merged, Finding("note", "markers-missing-omics", text, items=tuple(left_out))
