"""The data of the map of samples: planes to see them in, columns to colour them by."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.latent import centre_plane, principal_plane
from poems.plots.style import PALETTE
from poems.report.blocks import Map
from poems.report.source import Source
from poems.report.wording import column_title, general, whole

# Dots at most; of more samples, a random subset.
MOST_DOTS: Final = 3000
# Groups that get a colour of their own; of columns with more, the commonest.
MOST_GROUPS: Final = 12
# Columns of the obs table that can be chosen, at most.
MOST_COLUMNS: Final = 40
_STEPS: Final = 9
# From light to dark, as matplotlib's "viridis" turned round; readable in grey.
_SHADES: Final = (
    "#fde725", "#addc30", "#5ec962", "#28ae80", "#21918c", "#2c728e", "#3b528b", "#472d7b",
    "#440154",
)  # fmt: skip
_REST: Final = "#8b95a1"


def sample_map(source: Source) -> Map:
    """Return the map: a random subset of at most 3,000 samples, which its caption says."""
    run, model = source.run, source.model
    metric, points = source.metric, source.embedding()
    subtypes = source.subtypes
    parted = subtypes.nunique() > 1
    planes = {
        **(
            {"Plane that parts the subtypes": centre_plane(points, subtypes, metric)}
            if parted
            else {}
        ),
        "Principal plane": principal_plane(points, metric),
    }
    rows = np.arange(len(points))
    said = ""
    if len(rows) > MOST_DOTS:
        rows = np.sort(np.random.default_rng(model.seed).choice(rows, MOST_DOTS, replace=False))
        said = f" {whole(MOST_DOTS)} of {whole(len(points))} samples, drawn at random."
    columns = [
        {**_column(run.obs.iloc[rows, at]), "name": column_title(run.obs.columns[at])}
        for at in _shown_columns(run.obs, None if parted else source.labels)
    ]
    # One subtype is no colour, unless there is no other.
    if parted or not columns:
        columns.insert(0, {**_groups(subtypes.iloc[rows]), "name": "Subtype"})
    data = {
        "samples": [str(name) for name in points.index[rows]],
        "planes": [
            {
                "name": name,
                "axes": [str(column) for column in plane.columns],
                "x": _rounded(plane.iloc[rows, 0]),
                "y": _rounded(plane.iloc[rows, 1]),
            }
            for name, plane in planes.items()
        ],
        "columns": columns,
    }
    warned = (
        " The plane that parts the subtypes was chosen to do so: that they look apart in it is no "
        "evidence that they are real."
        if parted
        else ""
    )
    text = (
        f"Each dot is a sample; near dots are alike.{warned}"
        f"{said} Coordinates: {'network' if metric == 'network' else 'latent'}.csv in the run "
        "folder."
    )
    alt = (
        f"Map of {len(rows)} samples in a plane of the {metric} embedding, coloured by "
        f"{columns[0]['name']}{' or another column' if len(columns) > 1 else ''}."
    )
    return Map("map", data, text, alt)


def _shown_columns(obs: pd.DataFrame, labels: str | None) -> list[int]:
    """Return which columns of the obs table may colour the map, labels first if given."""
    order = sorted(range(obs.shape[1]), key=lambda at: str(obs.columns[at]) != labels)
    return order[:MOST_COLUMNS]


def _column(values: pd.Series) -> dict[str, Any]:
    known = values.dropna()
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric and known.nunique() > 2:
        return _numbers(values.to_numpy(dtype=float, na_value=np.nan))
    return _groups(values.map(_name, na_action="ignore"))


def _name(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _groups(values: pd.Series) -> dict[str, Any]:
    counts = values.value_counts()
    # The commonest, in the order of their names.
    kept = sorted(counts.index[:MOST_GROUPS], key=natural_order)
    place = {name: at for at, name in enumerate(kept)}
    rest = len(counts) - len(kept)
    codes = [
        -1 if pd.isna(value) else place.get(value, len(kept)) for value in values.astype(object)
    ]
    keys = [f"{name} ({counts[name]})" for name in kept]
    shades = list(PALETTE[: len(kept)])
    if rest:
        keys.append(f"{rest} other values ({int(counts.iloc[MOST_GROUPS:].sum())})")
        shades.append(_REST)
    texts = ["not known" if pd.isna(value) else str(value) for value in values.astype(object)]
    return {"codes": codes, "texts": texts, "colours": shades, "keys": keys, "key_colours": shades}


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    known = np.isfinite(values)
    # By ranks: a few extreme values would leave all others one colour.
    edges = np.quantile(values[known], np.linspace(0, 1, _STEPS + 1))
    codes = np.where(known, np.searchsorted(edges[1:-1], values, side="right"), -1)
    shown = [0, _STEPS // 2, _STEPS - 1]
    keys = [f"{general(edges[at])} to {general(edges[at + 1])}" for at in shown]
    return {
        "codes": [int(code) for code in codes],
        "texts": [
            general(value) if there else "not known"
            for value, there in zip(values, known, strict=True)
        ],
        "colours": list(_SHADES),
        "keys": keys,
        "key_colours": [_SHADES[at] for at in shown],
    }


def _rounded(values: pd.Series) -> list[float]:
    return [round(float(value), 4) for value in values]
