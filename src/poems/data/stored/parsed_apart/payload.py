"""The values that are handed over: bytes in a file without a name that both processes hold."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A file up to this size is kept and written over, which spares the system to clear pages.
_KEPT = 1 << 26


class Payload:
    """Where values are written.

    Parameters
    ----------
    file
        The descriptor of an open file.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._map: mmap.mmap | None = None

    def begin(self) -> None:
        """Give back what was large of the values that were handed over before."""
        if os.fstat(self._file).st_size > _KEPT:
            self._map = None  # where the arrays on it are gone, it is closed
            os.ftruncate(self._file, 0)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a NumPy array to write values into, which are thereby handed over."""
        import numpy as np

        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if self._map is None or len(self._map) < size:
            self._map = None
            os.ftruncate(self._file, max(size, 1))
            self._map = mmap.mmap(self._file, max(size, 1))
        return np.frombuffer(self._map, kind, math.prod(shape)).reshape(shape)

    def array(self, values: Any) -> dict[str, Any]:
        """Hand over a NumPy array of numbers; return what the other process needs to know.

        Nothing is copied of one that :meth:`empty` gave.
        """
        import numpy as np

        if self._map is None or not np.may_share_memory(values, np.frombuffer(self._map, "u1")):
            place = self.empty(values.shape, values.dtype)
            place[...] = values
        return {"n_bytes": values.nbytes, "dtype": values.dtype.str, "shape": values.shape}

    def bytes(self, data: memoryview | bytes) -> int:
        """Hand over bytes; return their number."""
        left, at = memoryview(data), 0
        while at < len(left):
            at += os.pwrite(self._file, left[at:], at)
        return at

    @contextmanager
    def stream(self) -> Iterator[Any]:
        """Open it for writing from its beginning; ``tell`` is the number of bytes at the end."""
        os.lseek(self._file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._file), "wb") as file:
            yield file

    def table(self, table: Any) -> dict[str, Any]:
        """Hand over an Arrow table."""
        import pyarrow as pa

        with self.stream() as file:
            with pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
            return {"n_bytes": file.tell()}
