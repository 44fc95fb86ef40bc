"""Looking at a file in a process of its own, so that a fault of the library ends only that."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from poems.errors import ReadError

# Seconds for any file, and bytes a second beyond: a walk reads names, not matrices.
_SECONDS, _BYTES_PER_SECOND = 8.0, 20e6
# Bytes of memory that the names and the chunk index of a file may take.
_MEMORY = 2 << 30


def run_apart(look: Callable[[Path], int], path: Path) -> int:
    """Return ``look(path)``, computed in a child process with bounded time and memory.

    On Linux the child is a fork, which costs milliseconds; elsewhere a new
    interpreter. Where no process can be started, ``look`` runs in this one.

    Raises
    ------
    ReadError
        What ``look`` raises; or if the child crashes, or takes too long.
    """
    limit = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    try:
        answer = (
            _forked(look, path, limit) if sys.platform == "linux" else _spawned(look, path, limit)
        )
    except TimeoutError:
        raise ReadError(
            f"{path} is damaged: its structure was not to the end after {limit:.0f} seconds, so it "
            "may run in circles; copy it again, or write it again"
        ) from None
    if answer is None:
        # Better unprotected against faults of the library than not to read a sound file.
        return look(path)
    try:
        found = json.loads(answer)
    except ValueError:
        raise ReadError(
            f"{path} is damaged in a way that crashes the HDF5 library; copy it again, or write "
            "it again"
        ) from None
    if isinstance(found, str):
        raise ReadError(found)
    return int(found)


def _forked(look: Callable[[Path], int], path: Path, limit: float) -> bytes | None:
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of threads: the child takes no lock but that of h5py, which h5py
            # holds over the fork, and one that should hang is ended after its time.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
    except OSError:  # no more processes, or no memory for one
        os.close(reading)
        os.close(writing)
        return None
    if child == 0:
        _answer(look, path, limit, writing)
    os.close(writing)
    try:
        return _received(reading, limit)
    finally:
        os.close(reading)
        # It has ended by itself.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _received(reading: int, limit: float) -> bytes:
    """Return all that the child writes; raise a TimeoutError if it does not end."""
    parts: list[bytes] = []
    until = time.monotonic() + limit
    while True:
        # Past the limit nothing is waited for.
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(reading, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _answer(look: Callable[[Path], int], path: Path, limit: float, writing: int) -> None:
    """Run in the child: answer and end, without a word to the terminal."""
    try:
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        _limit(limit)
        os.write(writing, outcome(look, path))
    finally:
        os._exit(0)  # without the exit handlers of the parent


def outcome(look: Callable[[Path], int], path: Path) -> bytes:
    """Return what ``look`` found, or the text of its error, as JSON."""
    try:
        found: int | str = look(path)
    except ReadError as error:
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


def _limit(seconds: float) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    memory = pages * resource.getpagesize() + _MEMORY
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, hard))


def _spawned(look: Callable[[Path], int], path: Path, limit: float) -> bytes | None:
    if not sys.executable:
        return None
    command = [sys.executable, "-m", look.__module__, look.__name__, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit + 5, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    except OSError:
        return None
    return done.stdout
