"""A zarr folder as its tree of groups and arrays, all of it read by another process."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poems.data.stored.annotations import from_arrow, from_parts
from poems.data.stored.helper import Bytes
from poems.data.stored.parsed_apart.zarr_store import node_at
from poems.data.stored.parsing import guarded, parse, start
from poems.errors import ReadError

# Arrays larger than this are no annotations: bytes that one is taken to need.
_ANNOTATIONS = 1 << 30
_TOKENS = itertools.count()


@dataclass(frozen=True)
class _Place:
    """A place in a folder, and the question for it."""

    path: Path
    # The process keeps what it opened by this: a folder written anew is opened anew.
    token: str
    name: str

    def ask(self, do: str, claimed: int = 0, **question: Any) -> tuple[dict[str, Any], Bytes]:
        asked = {"do": do, "place": self.name, "token": self.token, **question}
        return parse("zarr_store", self.path, asked, where=self.where, claimed=claimed)

    @property
    def where(self) -> str:
        return f"{self.path}, {self.name.lstrip('/')}" if self.name else str(self.path)


class ZarrNode:
    """What groups and arrays share: their attributes, and being read as annotations."""

    def __init__(self, place: _Place, facts: dict[str, Any]) -> None:
        self._place = place
        self.attrs: dict[str, Any] = facts["attrs"]

    def read(self) -> Any:
        """Return a table of annotations as a DataFrame, or a list of names as an array.

        Raises
        ------
        ReadError
            If it is neither, or damaged.
        """
        answer, values = self._place.ask("frame", _ANNOTATIONS)
        return from_arrow(answer, values) if "arrow" in answer else from_parts(answer, values)


class ZarrGroup(ZarrNode):
    """A group, whose members are looked at when they are asked for."""

    def __init__(self, place: _Place, facts: dict[str, Any]) -> None:
        super().__init__(place, facts)
        self._members: dict[str, ZarrGroup | ZarrArray] = {}
        self._names: list[str] = facts["names"]

    def keys(self) -> list[str]:
        """Return the names of the members."""
        return list(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> ZarrGroup | ZarrArray:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._members:
            self._members[name] = _node(self._place, name)
        return self._members[name]

    def get(self, name: str) -> ZarrGroup | ZarrArray | None:
        """Return a member, ``None`` if there is none of that name."""
        return self[name] if name in self._names else None


class ZarrArray(ZarrNode):
    """An array; slices of it are read when they are asked for."""

    def __init__(self, place: _Place, facts: dict[str, Any]) -> None:
        super().__init__(place, facts)
        self.shape: tuple[int, ...] = tuple(facts["shape"])
        self.chunks: tuple[int, ...] = tuple(facts["chunks"])
        self.dtype: np.dtype[Any] = np.dtype(facts["dtype"])
        self._is_pickled = bool(facts["pickled"])
        self._is_trusted = False

    def trust(self) -> None:
        """Read here from now on: all values were read by the other process, and are sound."""
        self._is_trusted = True

    @cached_property
    def _here(self) -> Any:
        # Only once it is asked for: a command that reads no more does without the library.
        at = str(self._place.path), self._place.token, self._place.name
        return guarded(self._place.where, lambda: node_at(*at))

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        if self._is_trusted:
            return np.asarray(self._here[key])
        given = key if isinstance(key, tuple) else (key,)
        each = [*given, *[slice(None)] * (len(self.shape) - len(given))]
        part = [one.indices(n)[:2] for one, n in zip(each, self.shape, strict=True)]
        # Whole chunks are unpacked, of which there is at least one.
        n_values = max(math.prod(max(b - a, 0) for a, b in part), math.prod(self.chunks))
        answer, values = self._place.ask("read", n_values * self.dtype.itemsize, part=part)
        return np.asarray(values.view(answer["dtype"]).reshape(answer["shape"]))

    def require_no_pickle(self, where: str) -> None:
        """Refuse an array whose values would have to be unpickled.

        Raises
        ------
        ReadError
            If it is one.
        """
        if self._is_pickled:
            raise ReadError(f"{where} is pickled, which is never loaded; write it again")

    def require_chunks(self, where: str) -> None:
        """Refuse an array of which chunks are missing: zarr would read them as zeros.

        Raises
        ------
        ReadError
            If there are fewer chunks than the shape asks for, or they are damaged.
        """
        expected, there = self._chunks
        if there < expected:
            raise ReadError(
                f"{where}: {expected - there} of {expected} chunks are missing, and would be "
                "read as zeros; copy the folder again, or if these values are zeros, write it with "
                "zarr.config.set({'array.write_empty_chunks': True}), or as a sparse matrix"
            )

    def lacks_chunks(self) -> bool:
        """Say whether chunks are missing; zarr does not write those that hold zeros alone.

        Raises
        ------
        ReadError
            If chunks are of no size, too large or damaged.
        """
        expected, there = self._chunks
        return there < expected

    @cached_property
    def _chunks(self) -> tuple[int, int]:
        answer, _ = self._place.ask("chunks")
        return int(answer["expected"]), int(answer["there"])


def open_folder(path: Path) -> ZarrGroup:
    """Return the root of a zarr folder, which holds no links.

    Raises
    ------
    ReadError
        If there is a symbolic link in it, it is too deep or too large, or no zarr.
    """
    start("zarr_store")
    place = _Place(path, f"{os.getpid()}-{next(_TOKENS)}", "")
    answer, _ = place.ask("node")
    return ZarrGroup(place, answer)


def _node(parent: _Place, name: str) -> ZarrGroup | ZarrArray:
    place = _Place(parent.path, parent.token, f"{parent.name}/{name}")
    answer, _ = place.ask("node")
    return ZarrGroup(place, answer) if "names" in answer else ZarrArray(place, answer)
