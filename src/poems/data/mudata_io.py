"""To and from MuData and AnnData, one AnnData a view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.container import MultiOmics
from poems.data.disk.matrix import guarded
from poems.data.disk.stores import open_store, require_parts
from poems.data.numeric import plain_types
from poems.data.stored.anndata_quiet import ORDER_KEY, quiet
from poems.data.stored.hdf5 import inspect_hdf5
from poems.data.stored.in_memory import Split, read_anndata, read_mudata
from poems.errors import DataError, ReadError


def to_mudata(cohort: MultiOmics) -> Any:
    """Return the cohort as a MuData, for muon and scverse tools.

    Each view becomes an AnnData of the samples on which it was measured,
    missing entries as NaN; ``obs`` becomes that of the MuData. Nothing is
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
        raise DataError(
            f"the views of the MuData do not share samples (axis={data.axis}); expected axis=0"
        )
    order = data.obs_names
    stored = data.uns.get(ORDER_KEY)
    if stored is not None:
        stored_order = pd.Index(np.asarray(stored, dtype=object))
        if order.isin(stored_order).all():  # some may have been removed since
            order = stored_order[stored_order.isin(order)]
    obs = data.obs if len(data.obs.columns) else None
    return dict(data.mod), obs, order


def read_h5mu_views(path: Path) -> Split:
    """Return the views in a file, the obs that they share and the order of samples.

    Only X, obs and the names of features are read, after the structure of the
    file was looked through (:mod:`poems.data.stored`).

    Raises
    ------
    ReadError
        If the file is not h5mu, damaged, or takes values from other files.
    DataError
        If it holds no views, or views that do not share samples by design.
    """
    group, handle = open_store(path)
    with handle:
        _require_views(group, path)
        split: Split = guarded(str(path), lambda: read_mudata(group, str(path)))
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


def read_h5ad(path: Path) -> Any:
    """Return the X, obs and names of features of an AnnData in a file.

    Raises
    ------
    ReadError
        If the file is not h5ad, damaged, or takes values from other files.
    DataError
        If it has no X.
    """
    group, handle = open_store(path)
    with handle:
        if "mod" in group and "X" not in group:
            raise ReadError(f"{path} is h5mu (several views): name it so, and pass it by itself")
        require_parts(group, str(path))
        if hasattr(group["obs"], "keys"):
            return guarded(str(path), lambda: read_anndata(group, str(path)))
    return _read_old(path)


def _read_old(path: Path) -> Any:
    """Read a file of before AnnData 0.7, whose obs is not a group, by its own reader."""
    import anndata

    inspect_hdf5(path, whole=True)
    with quiet():
        return guarded(str(path), lambda: anndata.read_h5ad(path))


def storable(obs: pd.DataFrame) -> pd.DataFrame:
    """Return the table with columns of mixed types and dates as text, which HDF5 can hold."""
    obs = plain_types(obs)
    for position, dtype in enumerate(obs.dtypes):
        column = obs.iloc[:, position]
        if dtype.kind not in "OMm" or isinstance(dtype, pd.CategoricalDtype):
            continue
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "boolean":
            obs.isetitem(position, column.astype("boolean").array)
        elif kind not in ("string", "empty"):
            obs.isetitem(position, column.map(str, na_action="ignore").to_numpy(dtype=object))
    return obs


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
