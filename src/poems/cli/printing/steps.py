"""The line of a terminal that says what is being done, for how long, and what is left of it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from poems.cli.printing.console import before_printing, clean
from poems.steps import SHOWN_ELSEWHERE, Step, heard_by

# Seconds: what is over before is not worth a line, and how often the line is drawn.
_WORTH: Final = 1.0
_TICK: Final = 0.5
_ERASE: Final = "\r\x1b[2K"


@contextmanager
def steps_shown(command: str) -> Iterator[None]:
    """Show the steps within the block on standard error, which is a terminal.

    Parameters
    ----------
    command
        What is said to be done where no step is under way.
    """
    line = StepLine(command, _to_terminal)
    with line, heard_by(line.hear), before_printing(line.hide):
        yield


def _to_terminal(text: str) -> None:
    # In a terminal that was closed nobody reads the line: no reason for what is under way to fail.
    with suppress(OSError):
        # Not through Python's streams: another process may be started while they are held.
        os.write(2, text.encode(errors="replace"))


class StepLine:
    """Draws the line, from a thread of its own, and takes it away for what else is printed.

    Parameters
    ----------
    command
        What is done where no step is under way.
    write
        Writes to the terminal.
    clock
        Seconds, for tests.
    """

    def __init__(
        self,
        command: str,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command, self._write, self._clock = command, write, clock
        self._began: dict[str, float] = {command: clock()}
        self._steps: tuple[Step, ...] = ()
        self._quiet_since = clock()
        self._drawn = False
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self.hide()

    def hear(self, steps: tuple[Step, ...]) -> None:
        """Take note of the steps that are under way."""
        with self._lock:
            now = self._clock()
            names = {step.name for step in steps}
            began = {name: at for name, at in self._began.items() if name in names}
            self._began = {self._command: self._began[self._command], **began}
            for name in names:
                self._began.setdefault(name, now)
            self._steps = steps
            shown_elsewhere = SHOWN_ELSEWHERE in names
        if shown_elsewhere:
            self.hide()

    def hide(self) -> None:
        """Take the line away; it comes again where nothing else is printed for a while."""
        with self._lock:
            self._quiet_since = self._clock()
            if self._drawn:
                self._write(_ERASE)
                self._drawn = False

    def draw(self) -> None:
        """Draw the line, if what is under way has taken long enough."""
        with self._lock:
            now = self._clock()
            steps = self._steps or (Step(self._command),)
            if any(step.name == SHOWN_ELSEWHERE for step in steps):
                return
            if now - max(self._quiet_since, self._began[steps[0].name]) < _WORTH:
                return
            parts = [said(step, now - self._began[step.name]) for step in steps]
            width = shutil.get_terminal_size().columns - 1
            self._write(f"{_ERASE}{clean(' – '.join(parts))[:width]}")
            self._drawn = True

    def _run(self) -> None:
        while not self._ends.wait(_TICK):
            self.draw()


def said(step: Step, seconds: float) -> str:
    """Say a step, how long it has taken, and how long the rest may take where that is known.

    Examples
    --------
    >>> said(Step("reading"), 3.4), said(Step("omics", 1, 3), 3.4)
    ('reading, 3 s', 'omics 1 of 3 done, 3 s, about 7 s left')
    """
    if not step.of:
        return f"{step.name}, {seconds:.0f} s"
    text = f"{step.name} {step.done} of {step.of} done, {seconds:.0f} s"
    if step.done:
        text += f", about {seconds * (step.of - step.done) / step.done:.0f} s left"
    return text
