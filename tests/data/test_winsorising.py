from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from poems.data.winsorising import Clipped, winsorising_limits

Array = npt.NDArray[np.float64]


class Columns:
    """Columns as they are, clipped anew each time; what they are asked is kept."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self.asked: list[tuple[Array, Array, npt.NDArray[np.intp]]] = []

    def clip(self, lower: Array, upper: Array, columns: npt.NDArray[np.intp]) -> Clipped:
        self.asked.append((lower, upper, columns))
        x = self.x[:, columns].clip(lower, upper)
        mean = x.mean(axis=0)
        return Clipped(mean, x.std(axis=0), np.abs(x - mean).max(axis=0))


@pytest.fixture
def columns() -> Columns:
    """Noise, noise with an outlier, and a rare one among zeros."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    x[0, 1] = 1e5
    x[:, 2] = 0.0
    x[0, 2] = 1.0
    return Columns(x)


def test_what_is_within_limits_is_no_further_than_they_say(columns: Columns) -> None:
    limits = winsorising_limits(columns, 5.0, 3, np.arange(3))
    assert limits.settled.tolist() == [True, True, False]
    for column in (0, 1):
        lower, upper = limits.lower[column], limits.upper[column]
        x = columns.x[:, column].clip(lower, upper)
        assert np.abs(x - x.mean()).max() <= 5.0 * x.std() * 1.002
    # The outlier is brought back to where the others end, for it no longer judges itself.
    assert 3.0 < limits.upper[1] < 6.0


def test_settled_columns_are_not_asked_again_and_limits_only_narrow(columns: Columns) -> None:
    winsorising_limits(columns, 5.0, 3, np.arange(3))
    seen: dict[int, tuple[float, float]] = {}
    for lower, upper, at in columns.asked:
        for low, high, column in zip(lower, upper, at.tolist(), strict=True):
            before = seen.get(column, (-np.inf, np.inf))
            assert before[0] <= low <= high <= before[1]
            seen[column] = (low, high)
    assert sum(0 in at for _, _, at in columns.asked) == 1


def test_columns_without_values_have_no_limits(columns: Columns) -> None:
    limits = winsorising_limits(columns, 5.0, 3, np.array([0]))
    assert limits.lower[1] == -np.inf
    assert limits.upper[1] == np.inf
    assert limits.settled.tolist() == [True, False, False]
    assert limits.take(np.array([2, 0])).settled.tolist() == [False, True]


def test_what_lies_below_is_treated_as_what_lies_above(columns: Columns) -> None:
    above = winsorising_limits(columns, 5.0, 3, np.arange(3))
    below = winsorising_limits(Columns(-columns.x), 5.0, 3, np.arange(3))
    np.testing.assert_allclose(below.lower, -above.upper)
    np.testing.assert_allclose(below.upper, -above.lower)
    assert -6.0 < below.lower[1] < -3.0


@pytest.mark.parametrize("n_ones", [2, 4, 7])
def test_what_closes_in_on_the_commonest_value_has_not_settled(n_ones: int) -> None:
    x = np.zeros((200, 1))
    x[:n_ones] = 1.0
    limits = winsorising_limits(Columns(x), 5.0, 1, np.arange(1))
    assert not limits.settled[0]
    assert limits.upper[0] < 1.0
