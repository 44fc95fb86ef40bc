"""A process that looks at files, so that a fault of the HDF5 library ends only that."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from poems.data.stored.hdf5_look.serve import STARTED

_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from hdf5_look.serve import serve; serve()"


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
    """

    def __init__(self, program: str = _PROGRAM) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process if it does not run, without waiting until it is ready.

        Raises
        ------
        NoHelperError
            If it cannot be started.
        """
        # A fork of this process must not talk through the same pipes.
        if self._process is not None and self._owner == os.getpid():
            if self._process.poll() is None:
                return
            self.end()
        command = [sys.executable, "-P", "-c", self._program, str(Path(__file__).parent)]
        path = os.pathsep.join(each for each in sys.path if each)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # an interrupt from the keyboard is for this process
            )
        except (OSError, ValueError) as error:
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
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            # What was still to be written to a process that was ended is of no use.
            with contextlib.suppress(OSError):
                pipe.close() if pipe is not None else None
        process.wait()


HELPER = Helper()
atexit.register(HELPER.end)
