"""Names of a package that are loaded on first use, so that importing the package is quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazily(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Parameters
    ----------
    package
        Its name.
    homes
        The module where each name lives; for a module of the package, itself.

    Examples
    --------
    >>> find, names = lazily("poems.data", {"check": "poems.data.checks"})
    >>> find("check").__module__, "check" in names()
    ('poems.data.checks', True)
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        found: Any = importlib.import_module(homes[name])
        if homes[name] != f"{package}.{name}":
            found = getattr(found, name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        public: list[str] = sys.modules[package].__all__
        return public

    return find, names
