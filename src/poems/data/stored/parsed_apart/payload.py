"""The values that are handed over: bytes in a file without a name that both processes hold."""

from __future__ import annotations

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
        if os.fstat(file).st_size > _KEPT:
            os.ftruncate(file, 0)

    def array(self, values: Any) -> dict[str, Any]:
        """Hand over a NumPy array of numbers; return what the other process needs to know."""
        import numpy as np

        values = np.ascontiguousarray(values)
        n_bytes = self.bytes(memoryview(values.reshape(-1).view(np.uint8)))
        return {"n_bytes": n_bytes, "dtype": values.dtype.str, "shape": values.shape}

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
