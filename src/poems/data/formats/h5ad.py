"""h5ad: the X of an AnnData, a view by itself or a whole cohort of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poems.data.formats import Contents, Reader
from poems.data.layers import LAYERS_KEY, Layer, layer_note

if TYPE_CHECKING:
    from poems.data.disk.stores import OpenStore
    from poems.data.stored.in_memory import Split

# What reads is imported when it does: whether a path is there is said before.


def read_table(path: Path, layer: str | None = None) -> Contents:
    """Read X or a layer, with the obs that lies beside it."""
    from poems.data.mudata_io import read_h5ad

    # What was read stands in X, whatever it was called.
    return anndata_contents(read_h5ad(path, layer), str(path))


def anndata_contents(data: Any, where: str, layer: str | None = None) -> Contents:
    """Return the X, or a layer, and obs of an AnnData.

    Raises
    ------
    DataError
        If there is no X, or no such layer.
    """
    import pandas as pd

    from poems.data.stored.handed_in import anndata_values

    values = anndata_values(data, where, layer)
    cells = pd.DataFrame(values, index=data.obs_names, columns=data.var_names)
    layers = [*data.layers, *data.uns.get(LAYERS_KEY, ())]
    return Contents(cells, layer_note(layers, layer, where), obs=data.obs)


def read_cohort(path: Path, layer: Layer = None) -> Split:
    """Take the file for a cohort of one view, which is named after it."""
    return {path.stem: path}, None, None


def open_parts(path: Path, view: str | None, layer: Layer = None) -> OpenStore:
    """Open the file, its values left on disk."""
    from poems.data.disk.stores import open_views

    return open_views(path, view, layer)


READER = Reader(table=read_table, cohort=read_cohort, parts=open_parts, layers=True)
