"""The values behind a heat map of markers: what the samples have of the strongest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.fitting.projection import Inferred
from poems.scaling.batch import Batch

if TYPE_CHECKING:
    from poems.analysis.subtypes.markers import Markers

# Markers of each subtype and view, features and samples, at most: a picture shows no more.
_TOP: Final = 4
_MOST_FEATURES: Final = 40
_MOST_SAMPLES: Final = 300
COLUMNS: Final = ["sample", "view", "feature", "value"]


def marker_values(markers: Markers, samples: Inferred, *, seed: int = 0) -> pd.DataFrame:
    """Return the values of the strongest markers of each subtype.

    On the model's scale: standard deviations from the mean, by default. Of more than 300 samples
    a random part.

    Parameters
    ----------
    markers
        Of the subtypes.
    samples
        As the model sees them.
    seed
        Of the samples, where there are too many.

    Returns
    -------
    DataFrame with a row per sample and feature: ``sample``, ``view``, ``feature``, ``value``
    (NaN where not measured); without a row where nothing marks a subtype, or the values are on
    disk.
    """
    top = _strongest(markers)
    data = samples.data
    if not isinstance(data, Batch) or not len(top):
        return pd.DataFrame(columns=COLUMNS)
    names = samples.cohort.samples
    rows = np.arange(len(names))
    if len(rows) > _MOST_SAMPLES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_SAMPLES, replace=False))
    parts = []
    for row in top.itertuples():
        values = _values(samples, data, str(row.view), row.feature)[rows]
        part = {"sample": names[rows], "view": row.view, "feature": row.feature, "value": values}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _strongest(markers: Markers) -> pd.DataFrame:
    """Return as many markers of each subtype and view as a picture has room for."""
    for each in range(_TOP, 0, -1):
        top = markers.top(each).drop_duplicates(["view", "feature"])
        if len(top) <= _MOST_FEATURES:
            break
    return top.head(_MOST_FEATURES)


def _values(samples: Inferred, data: Batch, view: str, feature: object) -> np.ndarray:
    column = int(samples.features[view].get_indexer(pd.Index([feature]))[0])
    values = data.values[view][:, column].numpy().astype(np.float64)
    there = data.measured[:, list(data.values).index(view)].numpy().copy()
    observed = data.observed[view]
    if observed is not None:
        there &= observed[:, column].numpy()
    return np.where(there, np.round(values, 3), np.nan)
