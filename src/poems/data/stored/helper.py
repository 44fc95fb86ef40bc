"""A process that looks at files, so that a fault of the HDF5 library ends only that."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from poems.data.stored.parsed_apart.serve import STARTED

Bytes: TypeAlias = npt.NDArray[np.uint8]

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from parsed_apart.serve import serve; "
    "serve(*sys.argv[2:])"
)


# Allocators that reserve address space ahead would meet the limit of memory at once.
_FRUGAL = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    # Blocks of one size are read over and over: their memory is not given back in between.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


class NoHelperError(Exception):
    """The process cannot be started."""


class CrashError(Exception):
    """The process ended while it looked."""


class Helper:
    """A process that is started when it is first asked, and ends itself when it is asked no more.

    Parameters
    ----------
    program
        The Python code that it runs.
    library
        What it imports at once.
    payload
        Whether it hands over values, too, in a file without a name.
    """

    def __init__(
        self, program: str = _PROGRAM, *, library: str = "h5py", payload: bool = False
    ) -> None:
        self._program, self._library = program, library
        self._has_payload = payload
        self._payload: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start the process if it does not run, without waiting until it is ready.

        Raises
        ------
        NoHelperError
            If it cannot be started.
        """
        with self._lock:
            # A fork of this process must not talk through the same pipes.
            is_own = self._process is not None and self._owner == os.getpid()
            if self._process is None or not is_own or self._process.poll() is not None:
                self.end()
                self._start()

    def _start(self) -> None:
        command = [sys.executable, "-P", "-c", self._program, str(Path(__file__).parent)]
        command.append(self._library)
        shared: tuple[int, ...] = ()
        path = os.pathsep.join(each for each in sys.path if each)
        try:
            if self._has_payload:
                self._payload = nameless_file()
                shared = (self._payload,)
                command.append(str(self._payload))
            self._process = subprocess.Popen(
                command,
                pass_fds=shared,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_FRUGAL, "PYTHONPATH": path},
                start_new_session=True,  # an interrupt from the keyboard is for this process
            )
        except (OSError, ValueError) as error:
            self.end()
            raise NoHelperError from error
        self._owner = os.getpid()

    def ask(self, question: dict[str, Any], seconds: float) -> bytes:
        """Return the answer of the process.

        Raises
        ------
        NoHelperError
            If it cannot be started.
        CrashError
            If it ends while it looks.
        TimeoutError
            If it does not answer in time; it is ended then.
        """
        with self._lock:
            return self._answer(question, seconds)

    def fetch(self, question: dict[str, Any], seconds: float) -> tuple[Any, Bytes]:
        """Return the answer of the process, and the values that it handed over.

        Raises
        ------
        NoHelperError, CrashError, TimeoutError
            As of :meth:`ask`.
        """
        with self._lock:
            answer = json.loads(self._answer(question, seconds))
            assert self._payload is not None
            return answer, handed_over(self._payload, int(answer.get("n_bytes", 0)))

    def _answer(self, question: dict[str, Any], seconds: float) -> bytes:
        for _ in range(2):  # it may have ended itself just now
            self.start()
            lines = self._exchange(json.dumps(question).encode() + b"\n", seconds)
            if lines[:1] == [STARTED]:
                break
            self.end()
        else:
            raise NoHelperError
        if len(lines) < 2 or not lines[1].endswith(b"\n"):
            self.end()
            raise CrashError
        return lines[1]

    def _exchange(self, question: bytes, seconds: float) -> list[bytes]:
        """Return the two lines that the process says, or as many as it did before it ended."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        lines: list[bytes] = []

        def listen(source: Any = process.stdout) -> None:
            # What is read from a process that was ended is nothing, or no file any more.
            with contextlib.suppress(OSError, ValueError):
                lines.extend(line for line in (source.readline(), source.readline()) if line)

        listener = threading.Thread(target=listen, daemon=True)
        try:
            # It has ended: the answer is missing, and that is said.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(question)
                process.stdin.flush()
            listener.start()
            listener.join(seconds)
            if listener.is_alive():
                raise TimeoutError
        except BaseException:
            # It may still be at work, and would answer the next question with this answer.
            process.kill()
            listener.join(1.0) if listener.ident else None
            self.end()
            raise
        return lines

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        payload, self._payload = self._payload, None
        if payload is not None:
            os.close(payload)
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            # What was still to be written to a process that was ended is of no use.
            with contextlib.suppress(OSError):
                pipe.close() if pipe is not None else None
        process.wait()


def nameless_file() -> int:
    """Return the descriptor of a new file that has no name: in memory, where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("poems")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def handed_over(file: int, n_bytes: int) -> Bytes:
    """Return the first bytes of a file, of shape (n_bytes,)."""
    found = np.empty(n_bytes, dtype=np.uint8)
    left, at = memoryview(found.data), 0
    while at < n_bytes:
        read = os.preadv(file, [left[at:]], at)
        if not read:
            raise CrashError  # it promised more than it wrote
        at += read
    return found


HELPER = Helper()
atexit.register(HELPER.end)
