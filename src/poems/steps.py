"""Steps of what takes long, by name: whoever listens can say what is done and how far it is.

A computation names its steps, and knows nothing of who listens. Nobody does by default, and a
step then costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Step:
    """Something that takes a while.

    Parameters
    ----------
    name
        What is done, such as ``"reading the tables"``.
    done, of
        How many of its parts are done, of how many; 0 of 0 where it has none.
    """

    name: str
    done: int = 0
    of: int = 0


# The name of a step that shows by itself how far it is.
SHOWN_ELSEWHERE: Final = ""
# Told the steps that are under way, the outermost first.
Listener = Callable[[tuple[Step, ...]], object]
_listener: ContextVar[Listener | None] = ContextVar("listener_to_steps", default=None)
_open: ContextVar[tuple[Step, ...]] = ContextVar("steps_under_way", default=())


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell a listener of the steps within the block, when one begins, moves on or ends.

    Examples
    --------
    >>> with heard_by(lambda steps: print([step.name for step in steps])), step("reading"):
    ...     pass
    ['reading']
    []
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(name: str, done: int = 0, of: int = 0) -> Iterator[None]:
    """Name what is done within the block.

    Parameters
    ----------
    name, done, of
        See :class:`Step`.
    """
    if _listener.get() is None:
        yield
        return
    token = _open.set((*_open.get(), Step(name, done, of)))
    _tell()
    try:
        yield
    finally:
        _open.reset(token)
        _tell()


def steps_of(name: str, items: Iterable[_T]) -> Iterator[_T]:
    """Yield items that are worked on one after another, as a step that counts them.

    Examples
    --------
    >>> with heard_by(lambda steps: print([(step.done, step.of) for step in steps])):
    ...     for _ in steps_of("omics", ["rna", "protein"]):
    ...         pass
    [(0, 2)]
    [(1, 2)]
    []
    """
    if _listener.get() is None:
        yield from items
        return
    outer = _open.get()
    there = items if isinstance(items, Sized) else list(items)
    try:
        for done, item in enumerate(there):
            _open.set((*outer, Step(name, done, len(there))))
            _tell()
            yield item
    finally:
        _open.set(outer)
        _tell()


@contextmanager
def alone() -> Iterator[None]:
    """Say that the block shows by itself how far it is."""
    with step(SHOWN_ELSEWHERE):
        yield


def _tell() -> None:
    listener = _listener.get()
    if listener is not None:
        listener(_open.get())
