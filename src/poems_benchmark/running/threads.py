"""How many threads the libraries of child processes compute with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Libraries read these when they are loaded, so they must be set before a process starts.
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@contextmanager
def threads_of_children(n_threads: int) -> Iterator[None]:
    """Let processes that are started within the context compute with so many threads."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(n_threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
