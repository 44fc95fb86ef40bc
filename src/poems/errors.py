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

from typing import Final


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


# How torch, its allocators and C++ say so.
_NO_MEMORY: Final = ("can't allocate memory", "out of memory", "alloc_cpu", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error of any library means that memory did not suffice.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."))
    True
    >>> is_out_of_memory(RuntimeError("std::bad_alloc"))
    True
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


def out_of_memory(error: BaseException) -> str:
    """Say that memory did not suffice, what was asked for, and what to do.

    >>> out_of_memory(MemoryError("Unable to allocate 7 TiB for an array with shape (1, 2)"))
    'there was not enough memory (Unable to allocate 7 TiB for an array with shape (1, 2)): keep ...
    """
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")[:160]
    shown = f" ({reason})" if reason else ""
    return (
        f"there was not enough memory{shown}: keep fewer features (most_variable), leave the "
        "values on disk (--backed), lower n_latent or encoder_layers, or take a machine with more"
    )
