"""What is said of a part of the work that failed, where the rest goes on without it."""

from __future__ import annotations

import logging
import traceback

from poems.errors import PoemsError
from poems.findings import Finding

logger = logging.getLogger(__name__)

TRACKER = "the issue tracker of POEMS"


def failure(what: str, error: Exception, *, code: str, log: str = "run.log") -> Finding:
    """Return a finding that says what is missing and why, and log the traceback.

    An error that POEMS raises on purpose says itself what to do. Memory and
    disks that run out are told by their names. Everything else is a fault of
    the program, to be reported.

    Parameters
    ----------
    what
        What is missing, as the start of a sentence.
    error
        What was raised.
    code
        Of the finding.
    log
        Where a user finds the traceback.

    Examples
    --------
    >>> print(failure("r2.png was left out", ValueError("no rows"), code="picture-failed"))
    warning: r2.png was left out: ValueError (no rows); everything else goes on. This is a fault of
    POEMS: please report it to the issue tracker of POEMS, with the traceback in run.log
    """
    logger.error("%s\n%s", what, "".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, PoemsError):
        return Finding("warning", code, f"{what}: {error}")
    text = " ".join(str(error).split()) or "without a message"
    said = f"{what}: {type(error).__name__} ({text}); everything else goes on"
    if isinstance(error, MemoryError):
        said = f"{what}: there was not enough memory ({text}); everything else goes on"
    elif not isinstance(error, OSError):
        said += (
            f". This is a fault of POEMS: please report it to {TRACKER}, with the traceback in "
            f"{log}"
        )
    return Finding("warning", code, said)
