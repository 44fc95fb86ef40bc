"""Interrupts: which signal ended the work, and what waits until what would be lost is written."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

logger = logging.getLogger(__name__)


# SIGTERM comes from clusters, SIGHUP from a terminal that is closed; Windows lacks the last.
_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_received: int = signal.SIGINT


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Answer a signal as Python answers Ctrl-C, and remember which it was."""
    global _received
    _received = number
    raise KeyboardInterrupt


def answer_interrupts() -> None:
    """Let requests to end be answered as Ctrl-C is, but for those that the parent has ignored.

    So a command that ``nohup`` started outlives its terminal.
    """
    global _received
    _received = signal.SIGINT
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, raise_interrupt)


def exit_code() -> int:
    """Return the exit code of a command that was interrupted: 128 and the signal's number.

    130 after Ctrl-C (SIGINT), 143 after SIGTERM, 129 after SIGHUP.
    """
    return 128 + _received


class _Held:
    """Answers signals: raises in work that may be cut short, remembers the first elsewhere."""

    def __init__(self, tell: Callable[[], None] | None) -> None:
        self.pending = False
        self.passing = False
        self.telling = False
        self.count = 0
        self._tell = tell

    def __call__(self, number: int, frame: FrameType | None) -> None:
        passing, self.passing = self.passing, False
        self.count += 1
        # A second one is meant: it ends the work at once, wherever it is.
        if passing or self.count > 1:
            self.pending = False
            if self.count == 1 and self.telling and self._tell is not None:
                self._tell()
            raise_interrupt(number, frame)
        global _received
        _received = number
        self.pending = True
        if self._tell is not None:
            self._tell()


_current: _Held | None = None


@contextmanager
def interrupts_held(tell: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold interrupts back for a while, but for the parts in :func:`interrupts_let_through`.

    Signals are held whose answer is ``KeyboardInterrupt``: SIGINT, and SIGTERM
    and SIGHUP in the command line. One that comes while the door is closed is
    raised at the next part that lets interrupts through, and else when the
    block ends; a second one is raised at once, wherever it comes. Outside the main thread, and
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
    answers = {number: signal.getsignal(number) for number in _ENDING}
    before = {
        number: answer
        for number, answer in answers.items()
        if answer in (signal.default_int_handler, raise_interrupt)
    }
    _current = held
    for number in before:
        signal.signal(number, held)
    try:
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
        _current = None
    if held.pending:
        raise KeyboardInterrupt


@contextmanager
def interrupts_let_through(*, telling: bool = False) -> Iterator[None]:
    """Let one interrupt end this part, also one that was held back before it.

    Where none are held, this does nothing. ``telling``: say, as where one is
    held back, that there is something to finish first.

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
    held.telling = telling
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

    Returns whether it is; if not, the caller has to raise it: where none are
    held, and after a second one.
    """
    if _current is None or _current.count > 1:
        return False
    _current.pending = True
    return True
