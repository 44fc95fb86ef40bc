"""The process that looks: one line of JSON asks, a line is said at once, and one answers."""

from __future__ import annotations

import json
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from .limits import limit_memory, limit_memory_beyond, limit_time
from .links import Refused
from .payload import Payload
from .reasons import fault, reason, unread
from .values import look

# Bytes of memory that the names and the index of chunks of an HDF5 file may take.
_MEMORY = 1 << 30
_IDLE = 20.0
STARTED = b"started\n"


def serve(library: str = "h5py", payload: str = "") -> None:
    """Answer until the asking process ends or asks nothing more for a while.

    Parameters
    ----------
    library
        Imported at once: it takes its time before the first question, not after.
    payload
        The descriptor of the file in which values are handed over, if any are.
    """
    import_module(library)
    values = Payload(int(payload)) if payload else None
    if values is None:
        limit_memory(_MEMORY + (1 << 28))
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
        found = answer(question) if values is None else parse(question, values)
        sys.stdout.buffer.write(found + b"\n")
        sys.stdout.buffer.flush()


def answer(question: dict[str, Any]) -> bytes:
    """Return the bytes that the arrays of an HDF5 file claim, or why it is refused, as JSON."""
    path = Path(question["path"])
    if question["seconds"] is not None:
        limit_time(question["seconds"])
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
        found = fault(str(path), error) or (
            f"{path} is a damaged HDF5 file ({reason(error)}); copy it again, or write it again"
        )
    return json.dumps(found).encode()


def parse(question: dict[str, Any], payload: Payload) -> bytes:
    """Return what a module of this package answers, or why a file is refused, as JSON.

    Parameters
    ----------
    question
        ``kind`` names the module; ``seconds`` and ``memory`` limit it, ``None`` where this is
        the process that asks.
    payload
        Where values are handed over.
    """
    path = question["path"]
    try:
        module = import_module(f".{question['kind']}", __package__)
        if question["seconds"] is not None:
            limit_time(question["seconds"])
            limit_memory_beyond(question["memory"])
        payload.begin()
        found = module.answer(question, payload)
    except Refused as error:
        found = {"refused": str(error)}
    except MemoryError:
        found = {
            "refused": f"{path} is damaged, or claims more than it holds: reading it takes more "
            f"than {question['memory'] / 1e9:.1f} GB of memory; copy it again, or write it again"
        }
    except Exception as error:  # as above
        found = {"refused": unread(question["where"], error)}
    return json.dumps(found).encode()
