"""Opening h5ad, h5mu and zarr files without reading their matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.backed.matrix import CsrArrays, DenseArray, Matrix, guarded
from poems.data.files import existing_file
from poems.data.mudata_io import ORDER_KEY, quiet
from poems.errors import DataError, ReadError
from poems.findings import Finding, name_some


@dataclass(frozen=True, eq=False)
class OpenView:
    """A view's matrix and names as they stand in the file, before anything is matched."""

    matrix: Matrix
    samples: pd.Index
    features: pd.Index
    obs: pd.DataFrame | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class OpenStore:
    """The views of one file; ``order``: the names of the samples, in the cohort's order."""

    views: Mapping[str, OpenView]
    obs: pd.DataFrame | None = None
    order: pd.Index | None = None
    # What has to stay open, and is closed with the cohort.
    handles: tuple[Any, ...] = field(default=())


def open_store(path: Path) -> tuple[Any, Any]:
    """Return the root group of an HDF5 file or a zarr folder, and what to close.

    Raises
    ------
    ReadError
        If nothing is there, or it is neither.
    """
    if path.is_dir():
        return _open_zarr(path), None
    import h5py

    if not h5py.is_hdf5(existing_file(path)):
        raise ReadError(f"{path} is not an HDF5 file, as .h5ad and .h5mu must be")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ReadError(f"{path} is a damaged HDF5 file: {error}") from None
    return file, file


def open_anndata(group: Any, where: str) -> OpenView:
    """Return the X of an AnnData group, dense or CSR.

    Raises
    ------
    DataError
        If there is no X, or in a form that cannot be read by rows.
    ReadError
        If the group is damaged.
    """
    _require_no_links(group, where)
    for part in ("X", "obs", "var"):
        if part not in group:
            raise DataError(f"{where} has no {part}; put the values to fit into X")
    matrix = _matrix(group["X"], f"{where}, X")
    obs = _frame(group["obs"], f"{where}, obs")
    samples, features = obs.index, _names(group["var"], f"{where}, var")
    if matrix.shape != (len(samples), len(features)):
        raise ReadError(
            f"{where}: X has shape {matrix.shape}, but there are {len(samples)} names of samples "
            f"and {len(features)} of features; write the file again"
        )
    return OpenView(matrix, samples, features, obs if len(obs.columns) else None)


def open_mudata(group: Any, where: str) -> OpenStore:
    """Return the views of a MuData group, its global obs and its order of samples.

    Raises
    ------
    DataError
        If it holds no views, or views that do not share samples by design.
    """
    _require_no_links(group, where)
    axis = int(group.attrs.get("axis", 0))
    if axis != 0:
        raise DataError(f"the views of {where} do not share samples (axis={axis}); expected axis=0")
    mod = group["mod"]
    _require_no_links(mod, where)
    names = list(mod)
    ordered = [str(name) for name in np.asarray(mod.attrs.get("mod-order", names)).tolist()]
    if set(ordered) == set(names):
        names = ordered
    if not names:
        raise DataError(f"{where} holds no views")
    views = {name: open_anndata(mod[name], f"{where}, view '{name}'") for name in names}
    obs = _frame(group["obs"], f"{where}, obs") if "obs" in group else None
    order = None if obs is None else obs.index
    if order is not None and "uns" in group and ORDER_KEY in group["uns"]:
        stored = pd.Index(_element(group["uns"][ORDER_KEY], where), dtype=object)
        if order.isin(stored).all():
            order = stored[stored.isin(order)]
    return OpenStore(views, obs if obs is not None and len(obs.columns) else None, order)


def _open_zarr(path: Path) -> Any:
    import zarr

    try:
        # A folder of this machine, and nothing that the library would fetch.
        return zarr.open_group(zarr.storage.LocalStore(path, read_only=True), mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{path} is a folder, but not a zarr store that can be read ({error}); name a .zarr "
            "folder, an .h5mu or an .h5ad file"
        ) from None


def _matrix(element: Any, where: str) -> Matrix:
    if not hasattr(element, "keys"):
        _require_local(element, where)
        return DenseArray(element, where)
    _require_no_links(element, where)
    kind = str(element.attrs.get("encoding-type", element.attrs.get("h5sparse_format", "")))
    if not kind.startswith("csr"):
        remedy = (
            "store it by rows before writing: adata.X = adata.X.tocsr()"
            if kind.startswith("csc")
            else "store a dense array or a CSR matrix"
        )
        raise DataError(f"{where} is stored as '{kind or 'a group'}'; {remedy}")
    missing = [name for name in ("indptr", "indices", "data") if name not in element]
    shape = np.asarray(element.attrs.get("shape", element.attrs.get("h5sparse_shape", ()))).tolist()
    if missing or len(shape) != 2:
        raise ReadError(
            f"{where} is a damaged sparse matrix: it lacks {name_some(missing or ['its shape'])}; "
            "write it again"
        )
    indptr, indices, data = (element[name] for name in ("indptr", "indices", "data"))
    for array in (indptr, indices, data):
        _require_local(array, where)
    return CsrArrays(indptr, indices, data, (int(shape[0]), int(shape[1])), where)


def _require_no_links(group: Any, where: str) -> None:
    """Refuse a group of which a part lies in another file."""
    import h5py

    if isinstance(group, h5py.Group) and any(
        isinstance(group.get(name, getlink=True), h5py.ExternalLink) for name in group
    ):
        raise ReadError(f"{where} takes its values from other files; copy them into one")


def _require_local(array: Any, where: str) -> None:
    """Refuse arrays whose contents lie in other files, or would be unpickled."""
    if getattr(array, "is_virtual", False) or getattr(array, "external", None):
        raise ReadError(f"{where} takes its values from other files; copy them into one")
    metadata = getattr(array, "metadata", None)
    codecs = [
        *(getattr(metadata, "filters", None) or ()),
        *(getattr(metadata, "codecs", None) or ()),
        getattr(metadata, "compressor", None),
    ]
    if any("pickle" in str(getattr(codec, "codec_id", type(codec))).lower() for codec in codecs):
        raise ReadError(f"{where} is pickled, which is never loaded; write it again")


def _names(group: Any, where: str) -> pd.Index:
    """Read the index of a table without its columns."""
    index = group.attrs.get("_index") if hasattr(group, "keys") else None
    if index is None or str(index) not in group:
        return _frame(group, where).index
    return pd.Index(np.asarray(_element(group[str(index)], where), dtype=object))


def _frame(group: Any, where: str) -> pd.DataFrame:
    found = _element(group, where)
    if not isinstance(found, pd.DataFrame):
        raise ReadError(f"{where} is not a table; write the file again with anndata 0.7 or newer")
    return found


def _element(group: Any, where: str) -> Any:
    from anndata.io import read_elem

    if hasattr(group, "keys"):
        for name in group:
            if not hasattr(group[name], "keys"):
                _require_local(group[name], f"{where}/{name}")
    else:
        _require_local(group, where)
    with quiet():
        return guarded(where, lambda: read_elem(group))
