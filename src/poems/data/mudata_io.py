"""To and from MuData and AnnData, one AnnData a view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.container import MultiOmics
from poems.data.disk.stores import not_by_samples, open_store, require_parts
from poems.data.layers import Layer
from poems.data.stored.anndata_quiet import ORDER_KEY, quiet
from poems.data.stored.hdf5 import inspect_hdf5
from poems.data.stored.in_memory import Split, read_anndata, read_mudata
from poems.data.stored.parsing import guarded
from poems.data.stored.storable import storable as storable
from poems.errors import DataError, ReadError


def to_mudata(cohort: MultiOmics) -> Any:
    """Return the cohort as a MuData, for muon and scverse tools.

    Each view becomes an AnnData of the samples on which it was measured,
    missing entries as NaN; ``obs`` becomes that of the MuData, as far as it can hold it
    (:func:`poems.data.stored.storable.storable`). Nothing is
    stored in ``obsm``, where MuData keeps its own masks under the views' names.

    Examples
    --------
    >>> import pandas as pd, poems
    >>> rna = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["s1", "s2"], columns=["g1", "g2"])
    >>> cnv = pd.DataFrame([[0.0, -1.0]], index=["s2"], columns=["g1", "g2"])
    >>> mudata = to_mudata(poems.read({"rna": rna, "cnv": cnv}))
    >>> mudata["cnv"].obs_names.tolist(), mudata["cnv"].var_names.tolist()
    (['s2'], ['g1', 'g2'])
    """
    import anndata
    import mudata

    views = {
        name: anndata.AnnData(
            X=view.values[view.measured],
            obs=pd.DataFrame(index=cohort.samples[view.measured]),
            var=pd.DataFrame(index=view.features),
        )
        for name, view in cohort.views.items()
    }
    with quiet(), _no_pull():
        result = mudata.MuData(views)
        result.obs = storable(cohort.obs).reindex(result.obs_names)
    result.uns[ORDER_KEY] = cohort.samples.to_numpy(dtype=object)
    return result


def split_mudata(data: Any) -> tuple[dict[str, Any], pd.DataFrame | None, pd.Index]:
    """Return the views of a MuData, its global obs (``None`` without columns) and sample order.

    Raises
    ------
    DataError
        If it holds no views, or views that do not share samples by design.
    """
    if not data.mod:
        raise DataError("the MuData holds no views")
    if data.axis != 0:
        raise DataError(not_by_samples("the MuData", data.axis))
    order = data.obs_names
    stored = data.uns.get(ORDER_KEY)
    if stored is not None:
        stored_order = pd.Index(np.asarray(stored, dtype=object))
        if order.isin(stored_order).all():  # some may have been removed since
            order = stored_order[stored_order.isin(order)]
    obs = data.obs if len(data.obs.columns) else None
    return dict(data.mod), obs, order


def read_h5mu_views(path: Path, layer: Layer = None) -> Split:
    """Return the views in a file, the obs that they share and the order of samples.

    Only X (or the layer in its place), obs and the names of features are read, after the
    structure of the file was looked through (:mod:`poems.data.stored`).

    Raises
    ------
    ReadError
        If the file is not h5mu, damaged, or takes values from other files.
    DataError
        If it holds no views, or views that do not share samples by design.
    """
    group, handle = open_store(path, whole=layer is not None)
    with handle:
        _require_views(group, path)
        split: Split = guarded(str(path), lambda: read_mudata(group, str(path), layer))
    return split


def read_h5mu(path: Path) -> Any:
    """Return the whole MuData in a file, with all that its analyses left there.

    Raises
    ------
    ReadError
        If the file is not h5mu, damaged, or takes values from other files.
    """
    import mudata

    group, handle = open_store(path, whole=True)
    with handle:
        _require_views(group, path)
    with quiet(), _no_pull():
        return guarded(str(path), lambda: mudata.read_h5mu(path))


def _require_views(group: Any, path: Path) -> None:
    if "mod" not in group:
        raise ReadError(f"{path} is not h5mu: it holds no views. If it is h5ad, name it so")


def read_h5ad(path: Path, layer: str | None = None) -> Any:
    """Return the X (or a layer in its place), obs and names of features of an AnnData in a file.

    Raises
    ------
    ReadError
        If the file is not h5ad, damaged, or takes values from other files.
    DataError
        If it has no X.
    """
    group, handle = open_store(path, whole=layer is not None)
    with handle:
        if "mod" in group and "X" not in group:
            raise ReadError(f"{path} is h5mu (several views): name it so, and pass it by itself")
        require_parts(group, str(path))
        if hasattr(group["obs"], "keys"):
            return guarded(str(path), lambda: read_anndata(group, str(path), layer))
    return _read_old(path)


def _read_old(path: Path) -> Any:
    """Read a file of before AnnData 0.7, whose obs is not a group, by its own reader."""
    import anndata

    inspect_hdf5(path, whole=True)
    with quiet():
        return guarded(str(path), lambda: anndata.read_h5ad(path))


@contextmanager
def _no_pull() -> Iterator[None]:
    """Keep the annotations of views out of the table that they share.

    ``with mudata.set_options(...)`` would do, but it logs to the root logger
    on its way in and out, and thereby installs a handler that prints the
    messages of every library.
    """
    import mudata

    earlier = mudata.set_options(pull_on_update=False).opts
    try:
        yield
    finally:
        mudata.set_options(**earlier)
