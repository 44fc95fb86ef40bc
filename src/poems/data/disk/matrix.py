"""A matrix on disk: what every format has to offer, and array-like stores (HDF5, zarr)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from poems.data.stored.compressed import checked_pointers, require_indices, require_once
from poems.data.stored.parsing import guarded
from poems.errors import DataError, ReadError

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
# Rows as they were read: an array of floats, or a sparse.csr_array of them.
Rows: TypeAlias = Any

# Bytes of dense rows that are read at once where a whole matrix is passed over.
PASS_BYTES = 1 << 25
_KINDS = "fiub"


class Matrix(Protocol):
    """A matrix of numbers in a file: samples in rows, features in columns.

    Attributes
    ----------
    where
        The file and the place in it, for messages.
    shape
        ``(n_rows, n_columns)``.
    is_sparse
        Whether entries that are not stored are zeros; :meth:`read` then
        returns a ``scipy.sparse.csr_array``.
    chunk_rows
        Rows that the file can only read together; 1 if it can read any.
    dtype
        What values are read as: single precision, unless it is set to double.
    is_wide
        Whether values are stored with more digits than single precision has.
    """

    where: str
    shape: tuple[int, int]
    is_sparse: bool
    chunk_rows: int
    dtype: type[np.floating[Any]]
    is_wide: bool

    def read(self, start: int, stop: int) -> Rows:
        """Return the rows from ``start`` to ``stop``, dense or CSR."""
        ...

    def columns(self, start: int, stop: int) -> Floats:
        """Return the columns from ``start`` to ``stop`` of all rows, dense."""
        ...

    def trust(self) -> None:
        """Take note that all values were read once, and none was damaged."""
        ...


class DenseArray:
    """A two-dimensional array of HDF5 or zarr.

    Parameters
    ----------
    array
        Anything with ``shape``, ``dtype``, ``chunks`` and slicing.
    where
        For messages.

    Examples
    --------
    >>> matrix = DenseArray(np.arange(6).reshape(3, 2), "an array")
    >>> matrix.read(1, 3).tolist()
    [[2.0, 3.0], [4.0, 5.0]]
    """

    is_sparse = False

    def __init__(self, array: Any, where: str) -> None:
        require_numbers(array.dtype, where)
        if len(array.shape) != 2:
            raise DataError(f"{where} has {len(array.shape)} dimensions; expected a table of 2")
        self.where = where
        self.dtype: type[np.floating[Any]] = np.float32
        self.is_wide = is_wide(array.dtype)
        self.shape: tuple[int, int] = (int(array.shape[0]), int(array.shape[1]))
        chunks = getattr(array, "chunks", None)
        self.chunk_rows = int(chunks[0]) if chunks else 1
        self._array = array

    def trust(self) -> None:
        """Let the array be read in this process, if another one did so until now."""
        _trust(self._array)

    def read(self, start: int, stop: int) -> Rows:
        """Return some rows."""
        return as_floats(guarded(self.where, lambda: self._array[start:stop]), self.dtype)

    def columns(self, start: int, stop: int) -> Floats:
        """Return some columns."""
        found: Floats = np.empty((self.shape[0], stop - start), dtype=self.dtype)
        for rows in pieces(self.shape[0], stop - start, self.chunk_rows):
            found[rows] = as_floats(
                guarded(self.where, lambda rows=rows: self._array[rows, start:stop]), self.dtype
            )
        return found


class CsrArrays:
    """A sparse matrix in compressed rows, as AnnData stores it: three arrays of HDF5 or zarr.

    Row pointers are held in memory (8 bytes per row); values and column numbers
    are read as they are asked for, and checked.

    Examples
    --------
    >>> from scipy import sparse
    >>> x = sparse.csr_array(np.array([[0.0, 1.0], [2.0, 0.0]]))
    >>> matrix = CsrArrays(x.indptr, x.indices, x.data, (2, 2), "a matrix")
    >>> matrix.read(1, 2).toarray().tolist()
    [[2.0, 0.0]]
    """

    is_sparse = True

    def __init__(
        self, indptr: Any, indices: Any, data: Any, shape: tuple[int, int], where: str
    ) -> None:
        require_numbers(data.dtype, where)
        for array in (indptr, indices, data):
            if len(array.shape) != 1:
                raise ReadError(
                    f"{where} is a damaged sparse matrix: its parts are not lists; write it again"
                )
        n_indices, n_stored = int(indices.shape[0]), int(data.shape[0])
        pointers = checked_pointers(
            guarded(where, lambda: indptr[:]), n_indices, n_stored, shape, where, "csr"
        )
        self.where, self.shape = where, shape
        self.dtype: type[np.floating[Any]] = np.float32
        self.is_wide = is_wide(data.dtype)
        self.chunk_rows = 1
        self._indptr, self._indices, self._data = pointers, indices, data

    def trust(self) -> None:
        """Let the arrays be read in this process, if another one did so until now."""
        for array in (self._data, self._indices):
            _trust(array)

    def read(self, start: int, stop: int) -> Rows:
        """Return some rows."""
        from scipy import sparse

        first, last = int(self._indptr[start]), int(self._indptr[stop])
        data = as_floats(guarded(self.where, lambda: self._data[first:last]), self.dtype)
        indices = np.asarray(guarded(self.where, lambda: self._indices[first:last]))
        require_indices(indices, self.shape[1], self.where, "csr")
        pointers = self._indptr[start : stop + 1] - first
        rows = sparse.csr_array((data, indices, pointers), shape=(stop - start, self.shape[1]))
        if not rows.has_canonical_format:
            require_once(rows, self.where)
        return rows

    def columns(self, start: int, stop: int) -> Floats:
        """Return some columns; the whole matrix is passed over."""
        found: Floats = np.zeros((self.shape[0], stop - start), dtype=self.dtype)
        for rows in pieces(self.shape[0], self.shape[1]):
            part = self.read(rows.start, rows.stop)[:, start:stop]
            found[rows] = part.toarray()
        return found


def _trust(array: Any) -> None:
    if hasattr(array, "trust"):
        array.trust()


def pieces(n_rows: int, n_columns: int, chunk_rows: int = 1) -> Iterator[slice]:
    """Cut rows into pieces of bounded size, whole chunks each where these are not too large.

    >>> [piece.stop - piece.start for piece in pieces(5, 1 << 22)]
    [2, 2, 1]
    """
    size = max(1, PASS_BYTES // (4 * max(1, n_columns)))
    if chunk_rows <= size:
        size -= size % chunk_rows
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def is_wide(dtype: Any) -> bool:
    """Say whether numbers of a type may have more digits than single precision keeps.

    >>> is_wide(np.float64), is_wide(np.int16), is_wide(np.float32)
    (True, False, False)
    """
    return not np.can_cast(dtype, np.float32)


def as_floats(values: Any, dtype: type[np.floating[Any]]) -> Floats:
    """Return numbers as floats; what is beyond their range becomes infinite, refused later."""
    # Infinite values that come of it are refused with their cell named. The NA of R is a NaN that
    # signals, which is nothing to warn of.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(dtype, copy=False)


def require_numbers(dtype: Any, where: str) -> None:
    """Refuse what holds anything but numbers.

    Raises
    ------
    DataError
        If the type is text or an object.
    """
    if np.dtype(dtype).kind not in _KINDS:
        raise DataError(f"{where} holds values of type {dtype}, not numbers")
