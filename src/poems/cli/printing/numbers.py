"""Numbers as they are printed, written as the report writes them; what is not defined is a dash."""

from __future__ import annotations

import math

from poems.wording import NONE, general, percent
from poems.wording import number as decimal

__all__ = ["decimal", "number", "percent"]


def number(value: object) -> str:
    """Return a number with three digits; other things as text.

    Examples
    --------
    >>> number(0.00123), number(12.3456), number(float("inf")), number("S1"), number(3)
    ('0.00123', '12.3', '–', 'S1', '3')
    """
    if not isinstance(value, float):
        return str(value)
    return general(value) if math.isfinite(value) else NONE
