"""The way into Parquet, zarr and workbooks: another process parses them, within limits."""

from __future__ import annotations

import atexit
import json
import os
from pathlib import Path
from typing import Any, Final

from poems.data.stored.helper import (
    Bytes,
    CrashError,
    Helper,
    NoHelperError,
    handed_over,
    nameless_file,
)
from poems.data.stored.parsed_apart.links import Refused
from poems.data.stored.parsed_apart.payload import Payload
from poems.data.stored.parsed_apart.reasons import unread
from poems.data.stored.parsed_apart.serve import parse as parse_here
from poems.errors import PoemsError, ReadError

# The library of each kind, and what messages call it.
_LIBRARIES: Final = {
    "parquet": ("pyarrow.parquet", "Parquet"),
    "zarr_store": ("zarr", "zarr"),
    "workbook": ("openpyxl", "Excel"),
}
# Seconds for any file, and bytes per second beyond: many times what a busy machine takes.
_SECONDS, _BYTES_PER_SECOND = 60.0, 2e6
# Bytes beside those that are claimed, and how often these may be held at once.
_MEMORY, _TIMES = 1 << 30, 6

HELPERS: Final = {
    kind: Helper(library=library, payload=True) for kind, (library, _) in _LIBRARIES.items()
}


def start(kind: str) -> None:
    """Start the process for files of a kind, without waiting for it, if it can be started."""
    try:
        HELPERS[kind].start()
    except NoHelperError:
        return  # which is found out again, and dealt with, where it is asked


def parse(
    kind: str, path: Path, question: dict[str, Any], *, where: str = "", claimed: int = 0
) -> tuple[dict[str, Any], Bytes]:
    """Let a file be parsed by a process of its own, so that a fault of the library ends only that.

    Where no process can be started, this one parses.

    Parameters
    ----------
    kind
        ``"parquet"``, ``"zarr_store"`` or ``"workbook"``.
    path
        The file.
    question
        What is asked of the module of that name in :mod:`poems.data.stored.parsed_apart`.
    where
        The place in the file, for messages.
    claimed
        Bytes that what is asked for claims to take, which set the limits of time and memory.

    Returns
    -------
    answer
        What was found.
    values
        The bytes that were handed over.

    Raises
    ------
    ReadError
        If the file is refused, damaged, crashes the library, or takes too much time or memory.
    """
    seconds = _SECONDS + claimed / _BYTES_PER_SECOND
    asked = {
        **question,
        "kind": kind,
        "path": str(path),
        "where": where or str(path),
        "folder": str(Path.cwd()),  # this process may have changed it since the other began
        "seconds": seconds,
        "memory": _MEMORY + _TIMES * claimed,
    }
    try:
        answer, values = HELPERS[kind].fetch(asked, seconds)
    except NoHelperError:
        # Better unprotected against faults of the library than not to read a sound file.
        answer, values = _here(asked)
    except CrashError:
        raise ReadError(
            f"{where or path} is damaged in a way that crashes the {_LIBRARIES[kind][1]} library; "
            "copy it again, or write it again"
        ) from None
    except TimeoutError:
        raise ReadError(
            f"{where or path} is damaged: it was not read to the end after {seconds:.0f} seconds, "
            "so the library may run in circles; copy it again, or write it again"
        ) from None
    if "refused" in answer:
        raise ReadError(answer["refused"])
    return answer, values


def _here(question: dict[str, Any]) -> tuple[dict[str, Any], Bytes]:
    file = nameless_file()
    try:
        answer = json.loads(parse_here({**question, "seconds": None}, Payload(file)))
        return answer, handed_over(file, int(answer.get("n_bytes", 0)))
    finally:
        os.close(file)


def guarded(where: str, read: Any) -> Any:
    """Call ``read``; an error of the file's library becomes a ReadError that names the place."""
    try:
        return read()
    except Refused as error:
        raise ReadError(str(error)) from None
    except (PoemsError, MemoryError):
        raise
    except Exception as error:  # h5py, zarr and pyarrow raise many kinds on damaged files
        raise ReadError(unread(where, error)) from error


for _helper in HELPERS.values():
    atexit.register(_helper.end)
