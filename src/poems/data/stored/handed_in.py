"""The values of an AnnData that was handed in, checked like those of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poems.data.stored.compressed import checked_sparse
from poems.errors import DataError


def anndata_values(data: Any, where: str) -> npt.NDArray[Any]:
    """Return the X of an AnnData as an array of shape (n_samples, n_features).

    Raises
    ------
    DataError
        If there is no X.
    ReadError
        If it is a sparse matrix whose indices are not those of a matrix.
    """
    if data.is_view:
        # Taking a part runs over the indices of the whole.
        _checked(data._adata_ref.X, where)
    x = data.X
    if x is None:
        raise DataError(f"{where} has no X; put the values to fit there")
    found = _checked(x, where)
    dense: npt.NDArray[Any] = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    return dense


def _checked(x: Any, where: str) -> Any:
    """Return a matrix in memory; one that is sparse only if it is sound."""
    from scipy import sparse

    if hasattr(x, "to_memory"):
        x = x.to_memory()  # of a backed AnnData, sparse
    elif x is not None and not sparse.issparse(x):
        x = x[:]  # of a backed AnnData, dense
    if sparse.issparse(x) and x.format in ("csr", "csc"):
        return checked_sparse(x.data, x.indices, x.indptr, x.shape, f"{where}, X", x.format)
    return x
