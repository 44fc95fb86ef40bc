"""Settings that name a registered part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from poems.errors import SettingsError
from poems.settings.registry import Registry


@dataclass(frozen=True)
class OneOf:
    """Says of a setting, in its annotation, that it names a registered part, or one per view."""

    registry: Registry[Any]
    #: A name besides those of parts: that one is to be chosen by what is seen of the data.
    also: str | None = None
    #: How a name begins that is no part's, and what the rest of it is: ``("obs:", "COLUMN")``.
    otherwise: tuple[str, str] | None = None
    #: What a part was called in files of before, and is called now.
    formerly: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the setting may be."""
        first = () if self.also is None else (self.also,)
        return (*first, *self.registry, *(() if self.otherwise is None else (self._pattern,)))

    @property
    def _pattern(self) -> str:
        return "".join(self.otherwise or ())

    def require(self, name: str) -> None:
        """Check a name.

        Raises
        ------
        SettingsError
            If it is none of them.
        """
        if name == self.also or name in dict(self.formerly):
            return
        if self.otherwise is None:
            self.registry.require(name)
        elif not self._is_otherwise(name) and not self.registry.has(name):
            raise SettingsError(
                f"no {self.registry.kind} '{name}'; there are {', '.join(self.names)}"
            )

    def _is_otherwise(self, name: str) -> bool:
        start = "" if self.otherwise is None else self.otherwise[0]
        return name.startswith(start) and len(name) > len(start)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let the name be checked after its type; no part is imported for it."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, given: str | dict[str, str]) -> str | dict[str, str]:
        for name in [given] if isinstance(given, str) else given.values():
            try:
                self.require(name)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        now = dict(self.formerly)
        if isinstance(given, str):
            return now.get(given, given)
        return {view: now.get(name, name) for view, name in given.items()}
