from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from poems.analysis.factors.shapes import FLAT, LEAST_ARM, LEAST_RANGE, classify_curves
from poems.simulation.effects import Shape, apply_shape

GRID = np.linspace(-1.96, 1.96, 21)
SLOPES = st.floats(-3, 3).map(lambda slope: round(slope, 3))


def named(curve: np.ndarray) -> tuple[str, str]:
    shapes, directions = classify_curves(curve[:, None])
    return shapes[0], directions[0]


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ("linear", ("monotone", "up")),
        ("saturating", ("saturating", "up")),
        ("threshold", ("saturating", "up")),
        ("u_shaped", ("u-shaped", "ends up")),
    ],
)
def test_the_shapes_that_are_planted_are_named(truth: Shape, expected: tuple[str, str]) -> None:
    assert named(apply_shape(truth, GRID)) == expected
    flipped = {"up": "down", "ends up": "ends down"}[expected[1]]
    assert named(-apply_shape(truth, GRID)) == (expected[0], flipped)


@given(SLOPES, SLOPES)
def test_two_straight_pieces_are_told_by_their_slopes(left: float, right: float) -> None:
    """What the decoder makes of one factor: a kink at zero, in the middle of the range."""
    curve = np.where(GRID < 0, left, right) * GRID
    large, small = max(abs(left), abs(right)), min(abs(left), abs(right))
    same = left * right > 0
    span = np.ptp(curve)
    # Away from the limits, where rounding decides.
    assume(abs(span - LEAST_RANGE) > 1e-6)
    if large:
        assume(abs(small / large - (FLAT if same else LEAST_ARM)) > 1e-6)
    shape, direction = named(curve)
    if span < LEAST_RANGE:
        assert (shape, direction) == ("none", "")
    elif not same and small > LEAST_ARM * large:
        assert (shape, direction) == ("u-shaped", "ends up" if right > 0 else "ends down")
    else:
        assert shape == ("monotone" if same and small > FLAT * large else "saturating")
        assert direction == ("up" if left + right > 0 else "down")


@given(
    st.lists(st.integers(-50, 50), min_size=21, max_size=21),
    st.floats(1, 8),
    st.floats(-5, 5),
)
def test_shape_does_not_depend_on_which_way_up(
    values: list[int], scale: float, offset: float
) -> None:
    curve = np.array(values, dtype=float)
    assume(np.ptp(curve) > 0)
    # Ties at a limit are broken by rounding.
    curve = curve + 0.001 * np.sqrt(np.arange(21)) + 0.01 * np.cos(7.3 * np.arange(21))
    shape, direction = named(curve)
    other = {"up": "down", "down": "up", "ends up": "ends down", "ends down": "ends up"}
    assert named(-curve) == (shape, other[direction])
    assert named(curve[::-1]) == (
        shape,
        direction if shape == "u-shaped" else other[direction],
    )
    assert named(scale * curve + offset)[0] == shape


def test_what_hardly_moves_has_no_shape() -> None:
    assert named(0.9 * LEAST_RANGE * (GRID - GRID[0]) / np.ptp(GRID)) == ("none", "")
    assert named(1.1 * LEAST_RANGE * (GRID - GRID[0]) / np.ptp(GRID)) == ("monotone", "up")


@pytest.mark.parametrize("n_points", [1, 5, 20])
def test_a_range_that_has_no_equal_parts_is_refused(n_points: int) -> None:
    with pytest.raises(ValueError, match=f"curves have {n_points} points; take a multiple of 5"):
        classify_curves(np.zeros((n_points, 2)))
