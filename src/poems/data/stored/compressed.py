"""The rules that a compressed sparse matrix has to keep, checked before C code relies on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poems.errors import DataError, ReadError
from poems.findings import count

# How messages call the two axes of a matrix by rows, and by columns.
_AXES = {"csr": ("row", "column"), "csc": ("column", "row")}


def checked_pointers(
    pointers: Any, n_indices: int, n_stored: int, shape: tuple[int, int], where: str, kind: str
) -> npt.NDArray[np.int64]:
    """Return the pointers of a matrix as int64, once they fit its size.

    Raises
    ------
    ReadError
        If they are no integers, do not start at 0, decrease, or do not end at
        the number of stored values.

    Examples
    --------
    >>> checked_pointers([0, 1, 1], 1, 1, (2, 5), "a matrix", "csr").tolist()
    [0, 1, 1]
    """
    major, _ = _AXES[kind]
    n_major = shape[kind == "csc"]
    found = np.asarray(pointers)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise _damaged(where, f"its {major} pointers are not integers")
    found = found.astype(np.int64)  # beyond its range they become negative, and are refused
    if (
        min(shape) < 0
        or len(found) != n_major + 1
        or int(found[0]) != 0
        or int(found[-1]) != n_stored
        or n_indices != n_stored
        or (np.diff(found) < 0).any()
    ):
        raise _damaged(
            where,
            f"its {major} pointers do not fit {count(n_major, major)} and "
            f"{count(n_stored, 'stored value')}",
        )
    return found


def require_indices(indices: Any, width: int, where: str, kind: str) -> None:
    """Refuse indices that are no integers, or not in ``[0, width)``.

    Raises
    ------
    ReadError
        If there is one.
    """
    _, minor = _AXES[kind]
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise _damaged(where, f"its {minor} numbers are not integers")
    if len(indices) and (indices.min() < 0 or indices.max() >= width):
        raise _damaged(where, f"a {minor} number is beyond its {count(width, minor)}")


def checked_sparse(
    data: Any, indices: Any, indptr: Any, shape: tuple[int, int], where: str, kind: str
) -> Any:
    """Return a scipy matrix of three arrays that were read or handed in, sorted.

    Parameters
    ----------
    data, indices, indptr
        The arrays; not changed.
    shape
        ``(n_rows, n_columns)``.
    where
        The place, for messages.
    kind
        ``"csr"`` or ``"csc"``.

    Raises
    ------
    ReadError
        If they are not those of a matrix.
    DataError
        If an entry is stored twice.

    Examples
    --------
    >>> checked_sparse([2.0], [1], [0, 0, 1], (2, 2), "a matrix", "csr").toarray().tolist()
    [[0.0, 0.0], [0.0, 2.0]]
    """
    from scipy import sparse

    data, indices = np.asarray(data), np.asarray(indices)
    if data.ndim != 1 or data.dtype.kind not in "fiub":
        raise _damaged(where, f"its values are not numbers but {data.dtype}")
    pointers = checked_pointers(indptr, len(indices), len(data), shape, where, kind)
    require_indices(indices, shape[kind == "csr"], where, kind)
    if indices.dtype.kind == "u":
        indices = indices.astype(np.int64)
    if data.dtype == np.float16:  # which scipy has no routines for
        data = data.astype(np.float32)
    make = sparse.csr_matrix if kind == "csr" else sparse.csc_matrix
    matrix = make((data, indices, pointers), shape=shape)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # the arrays may be the caller's
        require_once(matrix, where)
    return matrix


def require_once(matrix: Any, where: str) -> None:
    """Sort the entries of a matrix in place; refuse one that is stored twice.

    Raises
    ------
    DataError
        If there is one.
    """
    matrix.sort_indices()
    # Made anew: the old one remembers what it found before it was sorted.
    found = type(matrix)((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    if not found.has_canonical_format:
        raise DataError(
            f"{where} stores an entry twice; call sum_duplicates() on the matrix before writing it"
        )


def _damaged(where: str, what: str) -> ReadError:
    return ReadError(f"{where} is a damaged sparse matrix: {what}; make it again")
