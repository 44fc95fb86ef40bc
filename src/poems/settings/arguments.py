"""Checks of single arguments."""

from __future__ import annotations

import numbers
from typing import Final

from poems.errors import SettingsError

# Far beyond any machine, and what helps; more would take all its memory, or never end.
MOST_THREADS: Final = 1024
MOST_REPEATS: Final = 1_000_000


def require_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is not a whole number within the limits.

    Raises
    ------
    SettingsError
        With the argument's name, its limits and what came.

    Examples
    --------
    >>> require_whole("seed", 3, 0)
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < least or (most is not None and int(value) > most):  # type: ignore[call-overload]
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise SettingsError(f"{name} must be a whole number {limits}, not {value!r}")
