"""Numbers as they are printed; what is not defined is a dash."""

from __future__ import annotations

import math


def decimal(value: float) -> str:
    """Return a number with two decimals.

    Examples
    --------
    >>> decimal(0.125), decimal(float("nan"))
    ('0.12', '–')
    """
    return "–" if value != value else f"{value:.2f}"


def number(value: object) -> str:
    """Return a number with three digits, four from 1 on; other things as text.

    Examples
    --------
    >>> number(0.0001234), number(12.3456), number(float("inf")), number("S1"), number(3)
    ('0.000123', '12.35', '–', 'S1', '3')
    """
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "–"
    return f"{value:.3g}" if value < 1 else f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share as whole per cent.

    Examples
    --------
    >>> percent(0.256), percent(float("nan"))
    ('26%', '–')
    """
    return "–" if share != share else f"{share:.0%}"
