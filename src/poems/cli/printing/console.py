"""The console: sentences at any width, with names as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import typer
from rich.console import Console, RenderableType
from rich.text import Text

# Data is no markup: a feature named '[red]' is printed as that.
_PLAIN: Final[dict[str, Any]] = {"markup": False, "highlight": False, "emoji": False}
# Characters of a line that is not for a terminal: a file is searched by lines, and read by what
# wraps them itself.
_UNWRAPPED: Final = 100_000
_before: ContextVar[Callable[[], object] | None] = ContextVar("before_printing", default=None)
_for_data: ContextVar[bool] = ContextVar("standard_output_is_for_data", default=False)


def output() -> Console:
    """Return the console for what a person reads.

    It is standard output, unless that is kept for data. Lines are as wide as the terminal, or
    as ``COLUMNS`` says; where there is neither, they are not wrapped.
    """
    _make_room()
    console = Console(stderr=_for_data.get(), **_PLAIN)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _UNWRAPPED
    return console


def put(console: Console, what: RenderableType) -> None:
    """Print something, off a terminal without the blanks that fill lines up."""
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as caught:
        console.print(what)
    for line in caught.get().splitlines():
        console.out(line.rstrip(), highlight=False)


def aside(text: object) -> None:
    """Print a line on standard error, whatever else stands there."""
    _make_room()
    typer.echo(clean(text), err=True)


def _make_room() -> None:
    told = _before.get()
    if told is not None:
        told()


@contextmanager
def before_printing(told: Callable[[], object]) -> Iterator[None]:
    """Have something done whenever something is to be printed within the block."""
    token = _before.set(told)
    try:
        yield
    finally:
        _before.reset(token)


@contextmanager
def standard_output_kept_for_data() -> Iterator[None]:
    """Send what is printed for people to standard error until the block ends."""
    token = _for_data.set(True)
    try:
        yield
    finally:
        _for_data.reset(token)


def clean(text: object) -> str:
    """Return ``text`` without control characters, which could steer the terminal.

    Examples
    --------
    >>> clean("gene" + chr(27) + "[2J")
    'gene\ufffd[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(text))


def brief(name: object, width: int = 40) -> str:
    """Return ``name`` on one line, the middle left out where it is long; tables have it whole.

    Examples
    --------
    >>> brief("P05106;H3BM21;P05106-2;P05106-3", 20)
    'P05106;H3B…;P05106-3'
    """
    text = " ".join(str(name).split())
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"


def say(console: Console, text: object, style: str = "") -> None:
    """Print a line, wrapped at words."""
    put(console, Text(clean(text), style=style))


def heading(console: Console, text: str) -> None:
    """Print a line that opens a part, after a blank one."""
    console.print()
    say(console, text, "bold")
