"""Winsorising: limits so many standard deviations from the mean, found anew until they settle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

# Rounds, and how close to the limit (as a share of it) the furthest value has to come for the
# limits to count as settled.
_ROUNDS: Final = 100
_TOLERANCE: Final = 1e-3

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits of each column and whether they settled; all of shape (n_columns,)."""

    lower: Floats
    upper: Floats
    settled: Bools

    def take(self, columns: npt.NDArray[np.intp]) -> Limits:
        """Return those of some columns."""
        return Limits(self.lower[columns], self.upper[columns], self.settled[columns])


class Clipped(NamedTuple):
    """Of columns clipped at limits: mean, standard deviation, and the furthest value's distance.

    All of shape (n_columns,).
    """

    mean: Floats
    sd: Floats
    furthest: Floats


class Clippable(Protocol):
    """Columns that limits are found for, wherever their values are."""

    def clip(self, lower: Floats, upper: Floats, columns: npt.NDArray[np.intp]) -> Clipped:
        """Describe some columns clipped at limits.

        From call to call the columns are some of those before, and the limits narrower.
        """


def winsorising_limits(
    values: Clippable, n_sd: float, n_columns: int, columns: npt.NDArray[np.intp]
) -> Limits:
    """Find limits ``n_sd`` standard deviations from the mean of each column.

    An outlier inflates the very standard deviation that it is judged by, so the
    limits are found anew from the clipped values until they settle. Where a
    share of more than about 1 - 1 / n_sd^2 of the entries are equal (a rare
    mutation) they never do: they would close in on that value and take the
    feature with them. Which columns these are is said; the limits of the first
    round are the better ones there.

    Parameters
    ----------
    values
        The columns.
    n_sd
        Standard deviations from the mean.
    n_columns
        How many columns there are.
    columns
        Positions of those that have values; the others have no limits, and do not settle.

    Examples
    --------
    >>> from poems.data.disk.sorted_columns import SortedColumns
    >>> x = np.append(np.linspace(-1.0, 1.0, 99), 1e4)
    >>> columns = SortedColumns(x, np.array([100]), np.array([0]))
    >>> limits = winsorising_limits(columns, 5.0, 1, np.array([0]))
    >>> limits.settled.tolist(), (limits.upper < 5).tolist()
    ([True], [True])
    """
    lower, upper = np.full(n_columns, -np.inf), np.full(n_columns, np.inf)
    settled = np.zeros(n_columns, dtype=np.bool_)
    for _ in range(_ROUNDS):
        if not columns.size:
            break
        # A round of winsorising, which was asked for; what it moves is counted and told.
        clipped = values.clip(lower[columns], upper[columns], columns)
        reach = n_sd * clipped.sd
        lower[columns] = np.maximum(lower[columns], clipped.mean - reach)
        upper[columns] = np.minimum(upper[columns], clipped.mean + reach)
        settled[columns] = clipped.furthest <= reach * (1.0 + _TOLERANCE)
        columns = columns[clipped.furthest > reach]
    return Limits(lower, upper, settled)
