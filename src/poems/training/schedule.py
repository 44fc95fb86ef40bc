"""Schedules: how weights change over the course of training."""

from __future__ import annotations

import math


def ramp(progress: float, start: float, end: float) -> float:
    """Rise linearly from 0 at ``start`` to 1 at ``end``; all are shares of training.

    >>> ramp(0.1, 0.25, 0.75), ramp(0.5, 0.25, 0.75), ramp(0.9, 0.25, 0.75)
    (0.0, 0.5, 1.0)
    """
    if progress >= end:
        return 1.0
    if progress <= start:
        return 0.0
    return (progress - start) / (end - start)


def decayed(progress: float, start: float, floor: float) -> float:
    """Fall along a half cosine from 1 at ``start`` to ``floor`` at the end of training.

    >>> decayed(0.5, 0.7, 0.1), round(decayed(1.0, 0.7, 0.1), 6)
    (1.0, 0.1)
    """
    if progress <= start:
        return 1.0
    share = min(1.0, (progress - start) / (1.0 - start))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * share))
