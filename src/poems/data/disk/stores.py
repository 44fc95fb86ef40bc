"""Opening h5ad, h5mu and zarr files without reading their matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.disk.layers import layer_names, layer_of, values_element
from poems.data.disk.matrix import CsrArrays, DenseArray, Matrix
from poems.data.disk.stamps import Stamp
from poems.data.layers import Layer, layer_note
from poems.data.stored.anndata_quiet import ORDER_KEY, quiet
from poems.data.stored.hdf5 import inspect_hdf5
from poems.data.stored.parsing import guarded
from poems.data.stored.zarr_folder import ZarrArray, ZarrNode, open_folder
from poems.errors import DataError, ReadError
from poems.findings import Finding, name_some

# How files of before AnnData 0.7 call it.
_OLD_KIND, _OLD_SHAPE = "h5sparse_format", "h5sparse_shape"


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
    # The files, as they were when they were opened.
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)


def open_store(path: Path, *, whole: bool = False) -> tuple[Any, Any]:
    """Return the root group of an HDF5 file or a zarr folder, and what to close.

    With ``whole`` all of an HDF5 file is looked through, not only X, obs and var.

    Raises
    ------
    ReadError
        If nothing is there, or it is neither.
    """
    if path.is_dir():
        return open_folder(path), None
    inspect_hdf5(path, whole=whole)
    import h5py

    file = guarded(str(path), lambda: h5py.File(path, "r"))
    return file, file


def open_views(path: Path, view: str | None = None, layer: Layer = None) -> OpenStore:
    """Return the views of an h5ad, h5mu or zarr file, its values left on disk.

    Parameters
    ----------
    view
        Name of its one view; by default that of the file.
    layer
        The layer to take in place of X, or view name to layer.

    Raises
    ------
    ReadError
        If nothing is there, the file is damaged, or it holds several views though one is named.
    DataError
        If it holds none, or none that can be read by rows.
    """
    group, handle = open_store(path, whole=layer is not None)
    handles = () if handle is None else (handle,)
    try:
        # Wherever the library finds out that the file is damaged: the error names the file.
        opened = guarded(str(path), lambda: _views_of(group, path, view, layer))
        return OpenStore(opened.views, opened.obs, opened.order, handles)
    except Exception:
        # Whatever it is, it is raised again; only the file is closed first.
        if handle is not None:
            handle.close()
        raise


def _views_of(group: Any, path: Path, view: str | None, layer: Layer) -> OpenStore:
    if "mod" in group and "X" not in group:
        if view is not None:
            raise ReadError(f"{path} holds several views; pass the path by itself")
        return open_mudata(group, str(path), layer)
    if path.suffix.lower() == ".h5mu":
        raise ReadError(f"{path} is not h5mu: it holds no views. If it is h5ad, name it so")
    name = view or path.stem
    return OpenStore({name: open_anndata(group, str(path), layer_of(name, layer))})


def open_anndata(group: Any, where: str, layer: str | None = None) -> OpenView:
    """Return the X, or a layer, of an AnnData group, dense or CSR.

    Raises
    ------
    DataError
        If there is no X, or in a form that cannot be read by rows.
    ReadError
        If the group is damaged.
    """
    require_parts(group, where)
    matrix = _matrix(*values_element(group, where, layer))
    obs = read_frame(_part(group, "obs", where), f"{where}, obs")
    findings = _unwritten(group["obs"], f"{where}, obs")
    findings += layer_note(layer_names(group), layer, where)
    samples, features = obs.index, read_names(_part(group, "var", where), f"{where}, var")
    if matrix.shape != (len(samples), len(features)):
        raise ReadError(
            f"{where}: X has shape {matrix.shape}, but there are {len(samples)} names of samples "
            f"and {len(features)} of features; write the file again"
        )
    return OpenView(matrix, samples, features, obs if len(obs.columns) else None, findings)


def open_mudata(group: Any, where: str, layer: Layer = None) -> OpenStore:
    """Return the views of a MuData group, its global obs and its order of samples.

    Raises
    ------
    DataError
        If it holds no views, or views that do not share samples by design.
    """
    views = {
        name: open_anndata(part, f"{where}, view '{name}'", layer_of(name, layer))
        for name, part in modalities(group, where).items()
    }
    obs, order = shared_obs(group, where)
    return OpenStore(views, obs if obs is not None and len(obs.columns) else None, order)


def modalities(group: Any, where: str) -> dict[str, Any]:
    """Return the groups of the views of a MuData, in its order.

    Raises
    ------
    DataError
        If it holds no views, or views that do not share samples by design.
    ReadError
        If the group is damaged.
    """
    axis = _attribute(group, "axis", where, 0)
    if isinstance(axis, str | bytes) or np.ndim(axis) != 0:
        raise ReadError(f"{where}: its axis is {str(axis)[:40]!r}, not a number; write it again")
    if int(axis) != 0:
        raise DataError(not_by_samples(where, int(axis)))
    mod = _part(group, "mod", where)
    if not hasattr(mod, "keys"):
        raise ReadError(f"{where}, mod is not a group of views; write the file again")
    names = list(mod)
    ordered = np.atleast_1d(_attribute(mod, "mod-order", where, names)).tolist()
    ordered = [str(name) for name in ordered]
    if set(ordered) == set(names) and len(ordered) == len(names):
        names = ordered
    if not names:
        raise DataError(f"{where} holds no views")
    return {name: _part(mod, name, f"{where}, mod") for name in names}


def not_by_samples(where: str, axis: int) -> str:
    """Say why views that share features, or both, are not taken, and how they can be."""
    shared = "features, not samples" if axis == 1 else "samples and features alike"
    text = f"the views of {where} were put together as sharing {shared} (axis={axis})"
    if axis == 1:
        return text + (
            ": their samples are different ones, and POEMS integrates views of the same samples. "
            "If they are in fact the same, give them the same names and make it again with axis=0"
        )
    return text + (
        "; POEMS takes views that share samples (axis=0). Make it again so: mudata.MuData({name: "
        "view.copy() for name, view in mdata.mod.items()}, axis=0)"
    )


def shared_obs(group: Any, where: str) -> tuple[pd.DataFrame | None, pd.Index | None]:
    """Return the obs that the views of a MuData share, and the names in the cohort's order.

    Raises
    ------
    ReadError
        If the group is damaged.
    """
    if "obs" not in group:
        return None, None
    obs = read_frame(_part(group, "obs", where), f"{where}, obs")
    order = obs.index
    uns: Any = _part(group, "uns", where) if "uns" in group else {}
    if hasattr(uns, "keys") and ORDER_KEY in uns:
        place = f"{where}, uns/{ORDER_KEY}"
        stored = pd.Index(np.ravel(_element(_part(uns, ORDER_KEY, where), place)), dtype=object)
        if order.isin(stored).all():
            order = stored[stored.isin(order)]
    return obs, order


def require_parts(group: Any, where: str) -> None:
    """Refuse what has no obs or var.

    Raises
    ------
    DataError
        If one is not there.
    ReadError
        If it is not a group.
    """
    if not hasattr(group, "keys"):
        raise ReadError(f"{where} is not a group of X, obs and var; write the file again")
    for part in ("obs", "var"):
        if part not in group:
            raise DataError(f"{where} has no {part}; put the names there, and the values into X")


def _matrix(element: Any, where: str) -> Matrix:
    if not hasattr(element, "keys"):
        _require_readable(element, where)
        return DenseArray(element, where)
    kind, shape = sparse_kind(element, where)
    if kind != "csr":
        raise DataError(
            f"{where} is stored as 'csc_matrix'; store it by rows before writing: "
            "adata.X = adata.X.tocsr()"
        )
    indptr, indices, data = sparse_parts(element, where)
    return CsrArrays(indptr, indices, data, shape, where)


def sparse_kind(group: Any, where: str) -> tuple[str, tuple[int, int]]:
    """Return ``"csr"`` or ``"csc"`` and the shape that a group claims.

    Raises
    ------
    DataError
        If it is a group of another kind.
    ReadError
        If the shape is not two numbers.
    """
    kind = str(_attribute(group, "encoding-type", where, _attribute(group, _OLD_KIND, where, "")))
    if kind[:3] not in ("csr", "csc"):
        raise DataError(
            f"{where} is stored as '{kind[:40] or 'a group'}'; store a dense array or a CSR matrix"
        )
    shape = np.asarray(_attribute(group, "shape", where, _attribute(group, _OLD_SHAPE, where, ())))
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise ReadError(f"{where} is a damaged sparse matrix: it lacks its shape; write it again")
    return kind[:3], (int(shape[0]), int(shape[1]))


def sparse_parts(group: Any, where: str) -> list[Any]:
    """Return the arrays ``indptr``, ``indices`` and ``data`` of a sparse matrix, unread.

    Raises
    ------
    ReadError
        If one is missing, or is not an array.
    """
    names = ("indptr", "indices", "data")
    missing = [name for name in names if name not in group]
    if missing:
        raise ReadError(
            f"{where} is a damaged sparse matrix: it lacks {name_some(missing)}; write it again"
        )
    parts = [_part(group, name, where) for name in names]
    for name, array in zip(names, parts, strict=True):
        if hasattr(array, "keys"):
            raise ReadError(f"{where}/{name} is not an array but a group; write it again")
        _require_readable(array, f"{where}/{name}")
    return parts


def _part(group: Any, name: str, where: str) -> Any:
    return guarded(f"{where}, {name}", lambda: group[name])


def _attribute(group: Any, name: str, where: str, default: Any) -> Any:
    found = guarded(where, lambda: group.attrs.get(name))
    return default if found is None else found


def _require_readable(array: Any, where: str) -> None:
    """Refuse arrays that are empty of meaning, would be unpickled, or of which chunks are missing.

    Of HDF5 the values were seen to be there when the file was opened.
    """
    if getattr(array, "shape", None) is None:
        raise ReadError(f"{where} is an empty place without a shape; write the values again")
    if isinstance(array, ZarrArray):
        array.require_no_pickle(where)
        array.require_chunks(where)


def read_names(group: Any, where: str) -> pd.Index:
    """Read the index of a table without its columns.

    Raises
    ------
    ReadError
        If it cannot be read.
    """
    index = _attribute(group, "_index", where, None) if hasattr(group, "keys") else None
    if index is None or str(index) not in group:
        return read_frame(group, where).index
    array = _part(group, str(index), where)
    place = f"{where}/{index}"
    if isinstance(array, ZarrArray):
        array.require_chunks(place)
    found = np.asarray(_element(array, place), dtype=object)
    if found.ndim != 1:
        raise ReadError(f"{place} is not a list of names; write the file again")
    return pd.Index(found, dtype=object)


def read_frame(group: Any, where: str) -> pd.DataFrame:
    """Read a table of annotations.

    Raises
    ------
    ReadError
        If it is not one, or damaged.
    """
    found = _element(group, where)
    if not isinstance(found, pd.DataFrame):
        raise ReadError(f"{where} is not a table; write the file again with anndata 0.7 or newer")
    return found


def _element(group: Any, where: str) -> Any:
    if isinstance(group, ZarrNode):
        for place, array in _arrays(group, where):
            array.require_no_pickle(place)
            array.lacks_chunks()
        return group.read()
    from anndata.io import read_elem

    with quiet():
        return guarded(where, lambda: read_elem(group))


def _arrays(element: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the arrays at and below a place."""
    if not hasattr(element, "keys"):
        yield where, element
        return
    for name in element:
        yield from _arrays(_part(element, name, where), f"{where}/{name}")


def _unwritten(group: Any, where: str) -> tuple[Finding, ...]:
    """Say which annotations of a zarr folder lack chunks, which are taken as zeros or blank."""
    lacking = [
        place
        for place, array in _arrays(group, where)
        if isinstance(array, ZarrArray) and array.lacks_chunks()
    ]
    index = f"{where}/{_attribute(group, '_index', where, '_index')}"
    if index in lacking:
        group[index.rpartition("/")[2]].require_chunks(index)
    if not lacking:
        return ()
    text = (
        f"{name_some(lacking)}: parts were not written, and are read as 0, or the first category; "
        "zarr leaves out what is zero throughout, but if this is not so, copy the folder again"
    )
    return (Finding("warning", "chunks-missing", text, items=tuple(lacking)),)
