"""Reading the parts of an AnnData or MuData that are needed, checked, into memory."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from poems.data.disk.layers import layer_names, layer_of, values_element
from poems.data.disk.stores import (
    modalities,
    read_frame,
    read_names,
    require_parts,
    shared_obs,
    sparse_kind,
    sparse_parts,
)
from poems.data.layers import LAYERS_KEY, Layer
from poems.data.stored.anndata_quiet import quiet
from poems.data.stored.compressed import checked_sparse
from poems.data.stored.memory import require_memory
from poems.data.stored.parsing import guarded
from poems.errors import ReadError

# The views, the obs that they share (None without columns), the order of samples if it is told.
Split: TypeAlias = tuple[dict[str, Any], pd.DataFrame | None, pd.Index | None]


def read_mudata(group: Any, where: str, layer: Layer = None) -> Split:
    """Return what is needed of a MuData group: its views as AnnData, obs and order.

    Raises
    ------
    DataError
        If it holds no views, or views that do not share samples by design.
    ReadError
        If it is damaged.
    """
    views = {
        name: read_anndata(part, f"{where}, view '{name}'", layer_of(name, layer))
        for name, part in modalities(group, where).items()
    }
    obs, order = shared_obs(group, where)
    return views, obs if obs is not None and len(obs.columns) else None, order


def read_anndata(group: Any, where: str, layer: str | None = None) -> Any:
    """Return the AnnData of the X, obs and names of features of a group.

    A layer that is asked for becomes its X; without, ``uns`` names those that there are.

    Raises
    ------
    DataError
        If there is no X, or of a kind that cannot be read.
    ReadError
        If the shapes contradict each other, or something is damaged.
    """
    import anndata

    require_parts(group, where)
    values_of, place = values_element(group, where, layer)
    obs = read_frame(group["obs"], f"{where}, obs")
    features = read_names(group["var"], f"{where}, var")
    values = _values(values_of, place, (len(obs), len(features)))
    names = {LAYERS_KEY: layer_names(group) if layer is None else []}
    with quiet():
        return guarded(
            where,
            lambda: anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=features), uns=names),
        )


def _values(element: Any, where: str, names: tuple[int, int]) -> Any:
    """Return X, once its shape is that of the names and there is memory for it."""
    is_sparse = hasattr(element, "keys")
    kind, shape = sparse_kind(element, where) if is_sparse else ("", element.shape)
    if shape is None:
        raise ReadError(f"{where} is an empty place without a shape; write the values again")
    if tuple(shape) != names:
        raise ReadError(
            f"{where} has shape {shape}, but there are {names[0]} names of samples and {names[1]} "
            "of features; write the file again"
        )
    require_memory(names, where)
    if not is_sparse:
        return np.asarray(guarded(where, lambda: element[()]))
    indptr, indices, data = (
        guarded(where, lambda part=part: part[()]) for part in sparse_parts(element, where)
    )
    return checked_sparse(data, indices, indptr, names, where, kind)
