from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from poems.training.schedule import decayed, ramp

shares = st.floats(0, 1)


@given(shares, shares, shares, shares)
def test_a_ramp_rises_from_zero_to_one(p: float, q: float, start: float, end: float) -> None:
    start, end = sorted((start, end))
    low, high = ramp(min(p, q), start, end), ramp(max(p, q), start, end)
    assert 0 <= low <= high <= 1
    assert ramp(end, start, end) == 1
    if start < end:
        assert ramp(start, start, end) == 0


def test_a_ramp_without_length_is_a_step() -> None:
    assert ramp(0.0, 0.0, 0.0) == 1.0
    assert (ramp(0.49, 0.5, 0.5), ramp(0.5, 0.5, 0.5)) == (0.0, 1.0)


@given(shares, shares, shares, shares)
def test_decay_falls_from_one_to_its_floor(p: float, q: float, start: float, floor: float) -> None:
    early, late = decayed(min(p, q), start, floor), decayed(max(p, q), start, floor)
    assert floor - 1e-12 <= late <= early <= 1
    assert decayed(start, start, floor) == 1
