"""Every exception that POEMS raises on purpose.

``PoemsError``
 ├── ``DataError``       the tables are at fault
 │    └── ``ReadError``  a file cannot be read as what it claims to be
 ├── ``SettingsError``   a setting is unknown, out of range or contradicts another
 ├── ``TrainingError``   training could not go on (a loss that is not finite, for example)
 └── ``StorageError``    a saved model is damaged, incomplete or of another version

``PoemsWarning`` is the category of Python's warnings: of results that should not be built on.
"""

from __future__ import annotations


class PoemsError(Exception):
    """Base of all expected errors; its text says what is wrong and what to do."""


class DataError(PoemsError):
    """The input tables cannot be used as they are."""


class ReadError(DataError):
    """A file cannot be read."""


class SettingsError(PoemsError):
    """A setting is unknown, out of range or contradicts another."""


class TrainingError(PoemsError):
    """Training could not go on."""


class StorageError(PoemsError):
    """A saved model is damaged, incomplete or of an unsupported version."""


class PoemsWarning(UserWarning):
    """A result is there, but should not be built on; its text says why."""
