"""Stopping rules: when training has gone on for long enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class StoppingRule(Protocol):
    """Watches one number per epoch, lower being better."""

    def stops(self, value: float) -> bool:
        """Take in the epoch's value; is it time to stop?"""
        ...

    def values(self) -> list[float]:
        """Return what it remembers, to be stored."""
        ...

    def set_values(self, values: list[float]) -> None:
        """Bring back what :meth:`values` returned."""
        ...


class Never:
    """Train for all epochs."""

    def values(self) -> list[float]:
        """Return nothing."""
        return []

    def set_values(self, values: list[float]) -> None:
        """Bring back nothing."""

    def stops(self, value: float) -> bool:
        """Do not stop."""
        return False


@dataclass
class Plateau:
    """Stop when the value has not fallen enough for ``patience`` epochs.

    An epoch counts as progress if value < best - min_delta |best|. Used on the
    training objective (convergence) or on a held-out one (early stopping).

    Examples
    --------
    >>> rule = Plateau(patience=2)
    >>> [rule.stops(value) for value in (3.0, 2.0, 2.0, 2.0)]
    [False, False, False, True]
    """

    patience: int
    min_delta: float = 1e-4
    best: float = math.inf
    waited: int = 0

    def stops(self, value: float) -> bool:
        """Take in the epoch's value; is it time to stop?"""
        first = math.isinf(self.best)
        if first or value < self.best - self.min_delta * abs(self.best):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def values(self) -> list[float]:
        """Return the best value, and the epochs since."""
        return [self.best, float(self.waited)]

    def set_values(self, values: list[float]) -> None:
        """Bring back what :meth:`values` returned."""
        best, waited = values
        self.best, self.waited = best, int(waited)
