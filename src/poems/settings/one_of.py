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

    @property
    def names(self) -> tuple[str, ...]:
        """What the setting may be."""
        return (*(() if self.also is None else (self.also,)), *self.registry)

    def require(self, name: str) -> None:
        """Check a name.

        Raises
        ------
        SettingsError
            If it is none of them.
        """
        if name != self.also:
            self.registry.require(name)

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
        return given
