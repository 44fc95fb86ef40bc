"""What is said of an error that came up while a file was read: the file's fault, or POEMS'."""

from __future__ import annotations

from pathlib import Path

# Of our own code these are no answer to a damaged file, as they may be of a library's.
_FAULTS = (AttributeError, NameError, TypeError)
_OURS = Path(__file__).parents[3]


def reason(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing.

    >>> reason(ValueError("cut\\nat byte 3")), reason(OSError())
    ('cut', 'OSError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def unread(where: str, error: BaseException) -> str:
    """Say that a place in a file cannot be read, why, and what to do.

    >>> unread("a.zarr, X", ValueError("no such codec"))
    'a.zarr, X cannot be read: no such codec; the file may be damaged or incomplete, so copy ...'
    """
    return fault(where, error) or (
        f"{where} cannot be read: {reason(error)}; the file may be damaged or incomplete, so copy "
        "it again, or write it again"
    )


def fault(where: str, error: BaseException) -> str:
    """Say that POEMS itself fails on a file, and on which line; nothing if a library does."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None or not isinstance(error, _FAULTS):
        return ""
    path = Path(at.tb_frame.f_code.co_filename)
    if not path.is_relative_to(_OURS):
        return ""
    return (
        f"{where} cannot be read: POEMS fails on it ({type(error).__name__} in {path.name}, line "
        f"{at.tb_lineno}: {reason(error)}); please report this to the issue tracker of POEMS, and "
        "write the file again in another form"
    )
