"""Work that is ended by SIGKILL, in a copy of the tests' own process."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

# Operations that change files, as the interpreter reports them before they are done.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")


def in_copy(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked process; return its exit code: 70 if it raised, -9 if killed."""
    with warnings.catch_warnings():
        # Of Python 3.12 on, about threads: the copy has none, and ends below whatever happens.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if not process:
        code = 70
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_at_every_change(work: Callable[[], object], folder: Path) -> Iterator[int]:
    """Run ``work`` in copies that are killed before the first, the second, … change of a file.

    Yields the number after each, and ends when the work came to its end.
    """
    last = 0
    while True:
        last += 1
        code = in_copy(lambda at=last: (_kill_at(at, folder), work()))
        if code == 0:
            return
        assert code == -signal.SIGKILL
        yield last


def _kill_at(last: int, folder: Path) -> None:
    count = 0

    def see(event: str, given: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(given[2], int) and given[2] & 3
        if (writes or event in _CHANGES) and str(folder) in str(given[0]):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(see)
