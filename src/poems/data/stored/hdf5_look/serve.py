"""The process that looks: one line of JSON asks, a line is said at once, and one answers."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from .links import Refused
from .values import look

# Bytes of memory that the names and the index of chunks of a file may take.
_MEMORY = 1 << 30
_IDLE = 20.0
STARTED = b"started\n"


def serve() -> None:
    """Answer until the asking process ends or asks nothing more for a while."""
    import h5py  # noqa: F401 - takes its time before the first question, not after

    _limit_memory()
    while True:
        idle = threading.Timer(_IDLE, os._exit, (0,))
        idle.daemon = True
        idle.start()
        line = sys.stdin.buffer.readline()
        idle.cancel()
        if not line:
            return
        sys.stdout.buffer.write(STARTED)
        sys.stdout.buffer.flush()
        question = json.loads(line)
        os.chdir(question["folder"])
        sys.stdout.buffer.write(answer(question) + b"\n")
        sys.stdout.buffer.flush()


def answer(question: dict[str, Any]) -> bytes:
    """Return the bytes that the arrays of a file claim, or why it is refused, as JSON."""
    path = Path(question["path"])
    if question["seconds"] is not None:
        _limit_time(question["seconds"])
    try:
        if question["plugins"]:
            __import__("hdf5plugin")
        found: int | str = look(path, whole=question["whole"])
    except Refused as error:
        found = str(error)
    except MemoryError:
        found = (
            f"{path} is damaged, or claims more than it holds: its names and index take more than "
            f"{_MEMORY >> 30} GB of memory; copy it again, or write it again"
        )
    except Exception as error:  # the library raises many kinds on damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        found = f"{path} is a damaged HDF5 file ({reason}); copy it again, or write it again"
    return json.dumps(found).encode()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, limit in ((resource.RLIMIT_AS, _MEMORY + (1 << 28)), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(what, (limit, hard))


def _limit_time(seconds: float) -> None:
    """End this process if it runs in circles and nobody is left to end it."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 2
    if hard == resource.RLIM_INFINITY or limit <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))
