"""Registries: things of one kind by their names, open to other packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import Generic, TypeVar, cast

from poems.errors import SettingsError

Part = TypeVar("Part")


class Registry(Mapping[str, Part], Generic[Part]):
    """Names to parts of one kind.

    POEMS' own parts are given as ``"module:name"`` and imported when they are first
    asked for, so that listing their names costs nothing. A part from elsewhere is
    added by :meth:`register`, or without a line of Python by an entry point of its
    package in the group ``poems.KIND``::

        [project.entry-points."poems.likelihood"]
        laplace = "my_package:Laplace"

    which is how the command line, and processes that are started anew, find it.

    Parameters
    ----------
    kind
        What the parts are, for errors and, with underscores, the entry points' group.
    own
        Names to where POEMS' own parts are.

    Examples
    --------
    >>> roots = Registry("root", {"square": "math:sqrt"})
    >>> roots.register("half", lambda x: x / 2)
    >>> [roots.find(name)(16) for name in roots]
    [4.0, 8.0]
    >>> roots.find("cubic")
    Traceback (most recent call last):
    poems.errors.SettingsError: no root 'cubic'; there are square, half (one of another package
    has to be registered first)
    """

    def __init__(self, kind: str, own: Mapping[str, str]) -> None:
        self.kind = kind
        self._parts: dict[str, Part | str] = dict(own)

    def __getitem__(self, name: str) -> Part:
        part = self._parts[name]
        if isinstance(part, str):
            part = self._parts[name] = cast("Part", resolve_name(part))
        return part

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def register(self, name: str, part: Part) -> None:
        """Add a part under a name that settings can give from now on, in this process.

        Raises
        ------
        SettingsError
            If the name is taken by another part, or is none.
        """
        if not name:
            raise SettingsError(f"a {self.kind} needs a name")
        if name in self._parts and self[name] is not part:
            raise SettingsError(
                f"there is a {self.kind} '{name}' already; register this one under another name"
            )
        self._parts[name] = part

    def require(self, name: str) -> None:
        """Check that there is a part of this name, without importing it.

        Raises
        ------
        SettingsError
            If there is none; the text lists those that there are.
        """
        if not self.has(name):
            raise SettingsError(
                f"no {self.kind} '{name}'; there are {', '.join(self)} (one of another package "
                "has to be registered first)"
            )

    def has(self, name: str) -> bool:
        """Say whether there is a part of this name, also in another package's entry points."""
        if name not in self._parts:
            self.discover()
        return name in self._parts

    def discover(self) -> None:
        """Add the names that the entry points of installed packages give, importing none."""
        # What is named in the program itself is found without this, which takes a while.
        from importlib.metadata import entry_points

        for found in entry_points(group=f"poems.{self.kind.replace(' ', '_')}"):
            self._parts.setdefault(found.name, found.value)

    def find(self, name: str) -> Part:
        """Return the part of this name.

        Raises
        ------
        SettingsError
            If there is none; the text lists those that there are.
        """
        self.require(name)
        return self[name]
