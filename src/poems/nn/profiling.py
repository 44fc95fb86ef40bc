"""Where the time of a fit goes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

# Parts that lie within another one, whose row holds what is left of it.
_WITHIN = {"decoder, backward": "backward"}


class Profile(Protocol):
    """What a fit tells a profile."""

    def span(self, part: str) -> nullcontext[None] | _Span:
        """Return a context; the time until it closes is the part's."""
        ...

    def watch_backward(self, part: str, into: Tensor, out: Iterable[Tensor]) -> None:
        """Count the time that gradients take from ``out`` back to ``into`` as the part's."""
        ...


class NoProfile:
    """A profile that keeps nothing and costs nothing."""

    def span(self, part: str) -> nullcontext[None]:
        """Return a context that does nothing."""
        return nullcontext()

    def watch_backward(self, part: str, into: Tensor, out: Iterable[Tensor]) -> None:
        """Do nothing."""


NO_PROFILE = NoProfile()


@dataclass
class _Part:
    seconds: float = 0.0
    calls: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.calls += 1


class _Span:
    def __init__(self, part: _Part) -> None:
        self._part = part
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._part.add(time.perf_counter() - self._start)


@dataclass
class WallTimes:
    """A profile of wall times, from its making until :meth:`table` is asked for.

    Examples
    --------
    >>> profile = WallTimes()
    >>> with profile.span("encoder"):
    ...     pass
    >>> list(profile.table().index)
    ['encoder', 'other', 'total']
    """

    _parts: dict[str, _Part] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def span(self, part: str) -> _Span:
        """Return a context; the time until it closes is the part's."""
        return _Span(self._part(part))

    def watch_backward(self, part: str, into: Tensor, out: Iterable[Tensor]) -> None:
        """Count the time that gradients take from ``out`` back to ``into`` as the part's.

        ``into`` must lead to ``out`` alone.
        """
        if not into.requires_grad:
            return
        first: list[float] = []

        def arrived(_: Tensor) -> None:
            first.append(time.perf_counter())

        def left(_: Tensor) -> None:
            if first:
                self._part(part).add(time.perf_counter() - first[0])

        for tensor in out:
            tensor.register_hook(arrived)  # type: ignore[no-untyped-call]
        into.register_hook(left)  # type: ignore[no-untyped-call]

    def table(self) -> pd.DataFrame:
        """Return a row per part, in the order of their first call, then ``other`` and ``total``.

        Columns: seconds, share of the total, calls, and milliseconds per call.
        """
        import pandas as pd

        total = time.perf_counter() - self._began
        seconds = {name: part.seconds for name, part in self._parts.items()}
        for inner, outer in _WITHIN.items():
            if inner in seconds and outer in seconds:
                seconds[outer] -= seconds[inner]
        rows = {name: (value, self._parts[name].calls) for name, value in seconds.items()}
        rows["other"] = (total - sum(seconds.values()), 1)
        rows["total"] = (total, 1)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["seconds", "calls"])
        table["share"] = table["seconds"] / total
        table["ms a call"] = 1e3 * table["seconds"] / table["calls"]
        return table.rename_axis("part")[["seconds", "share", "calls", "ms a call"]]

    def _part(self, name: str) -> _Part:
        return self._parts.setdefault(name, _Part())
