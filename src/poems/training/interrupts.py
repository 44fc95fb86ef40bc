"""Interrupts that wait until what would be lost is written."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


class _Held:
    """Answers signals: raises in work that may be cut short, remembers them elsewhere."""

    def __init__(self, tell: Callable[[], None] | None) -> None:
        self.pending = False
        self.passing = False
        self._tell = tell

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.passing or self.pending:
            # The second of two that find the door closed is meant: it ends the work at once.
            self.passing = self.pending = False
            raise KeyboardInterrupt
        self.pending = True
        if self._tell is not None:
            self._tell()


_current: _Held | None = None


@contextmanager
def interrupts_held(tell: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold interrupts back for a while, but for the parts in :func:`interrupts_let_through`.

    Signals are held whose answer is ``KeyboardInterrupt``: SIGINT, and SIGTERM
    in the command line. One that comes while the door is closed is raised at
    the next part that lets interrupts through, and else when the block ends; a
    second one before that is raised at once. Outside the main thread, and
    within another such block, nothing changes.

    Parameters
    ----------
    tell
        Called in the signal's handler when one is held back; must not print
        through Python's streams, which the handler may have interrupted.

    Raises
    ------
    KeyboardInterrupt
        At the end, if an interrupt was held back and nothing was there to take it.

    Examples
    --------
    >>> import os, signal
    >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)
    >>> try:
    ...     with interrupts_held():
    ...         os.kill(os.getpid(), signal.SIGINT)
    ...         print("written")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    written
    interrupted
    >>> _ = signal.signal(signal.SIGINT, before)
    """
    global _current
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    held = _Held(tell)
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is signal.default_int_handler
    ]
    _current = held
    for number in numbers:
        signal.signal(number, held)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
        _current = None
    if held.pending:
        raise KeyboardInterrupt


@contextmanager
def interrupts_let_through() -> Iterator[None]:
    """Let one interrupt end this part, also one that was held back before it.

    Where none are held, this does nothing.

    Raises
    ------
    KeyboardInterrupt
        On entering, if one was held back.
    """
    held = _current
    if held is None:
        yield
        return
    # Opened first: one that comes between the two lines is raised, and not forgotten.
    held.passing = True
    if held.pending:
        held.passing = held.pending = False
        raise KeyboardInterrupt
    try:
        yield
    finally:
        held.passing = False


def hold_again() -> bool:
    """Hold an interrupt that was caught, for the next part that lets them through.

    Returns whether interrupts are held at all; if not, the caller has to raise it.
    """
    if _current is None:
        return False
    _current.pending = True
    return True
