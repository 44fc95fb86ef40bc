"""The values of an AnnData that was handed in, checked like those of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poems.data.layers import chosen
from poems.data.stored.compressed import checked_sparse
from poems.errors import DataError


def anndata_values(data: Any, where: str, layer: str | None = None) -> npt.NDArray[Any]:
    """Return the X of an AnnData, or a layer, as an array of shape (n_samples, n_features).

    Raises
    ------
    DataError
        If there is no X, or no such layer.
    ReadError
        If it is a sparse matrix whose indices are not those of a matrix.
    """
    whole = data._adata_ref if data.is_view else data
    name = chosen(list(whole.layers), layer, has_x=whole.X is not None, where=where)
    place = "X" if name is None else f"layer {name!r}"
    if data.is_view:
        # Taking a part runs over the indices of the whole.
        _checked(whole.X if name is None else whole.layers[name], f"{where}, {place}")
    found = _checked(data.X if name is None else data.layers[name], f"{where}, {place}")
    dense: npt.NDArray[Any] = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    if dense.dtype.kind not in "fiubO":  # of objects each cell is looked at
        raise DataError(
            f"{where}, {place} holds values of type {dense.dtype}, not numbers; write it again as "
            "floating-point numbers"
        )
    return dense


def _checked(x: Any, where: str) -> Any:
    """Return a matrix in memory; one that is sparse only if it is sound."""
    from scipy import sparse

    if hasattr(x, "to_memory"):
        x = x.to_memory()  # of a backed AnnData, sparse
    elif x is not None and not sparse.issparse(x):
        x = x[:]  # of a backed AnnData, dense
    if sparse.issparse(x) and x.format in ("csr", "csc"):
        return checked_sparse(x.data, x.indices, x.indptr, x.shape, where, x.format)
    return x
