from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from poems.training.stopping import Never, Plateau

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(values, st.integers(1, 10))
def test_a_plateau_is_the_first_run_of_epochs_without_progress(
    series: list[float], patience: int
) -> None:
    rule = Plateau(patience)
    stops = [rule.stops(value) for value in series]
    # Written anew: where did the best value, by the margin, last improve?
    best, last = float("inf"), -1
    expected = []
    for epoch, value in enumerate(series):
        if best == float("inf") or value < best - 1e-4 * abs(best):
            best, last = value, epoch
        expected.append(epoch - last >= patience)
    assert stops == expected
    assert not any(stops[:patience])


@given(values, st.integers(1, 10))
def test_falling_fast_enough_never_stops(series: list[float], patience: int) -> None:
    falling = sorted({round(value) for value in series}, reverse=True)
    falling = [b for a, b in pairwise([10**7, *falling]) if b < a - 2e-4 * abs(a)]
    rule = Plateau(patience, min_delta=0.0)
    assert not any(rule.stops(value) for value in falling)


@given(st.floats(-1e6, 1e6), st.integers(1, 10))
def test_a_constant_stops_after_its_patience(value: float, patience: int) -> None:
    rule = Plateau(patience)
    assert [rule.stops(value) for _ in range(patience + 1)] == [False] * patience + [True]


def test_falls_below_the_margin_do_not_count() -> None:
    rule = Plateau(2, min_delta=0.01)
    assert [rule.stops(v) for v in (100.0, 99.5, 99.1)] == [False, False, True]
    rule = Plateau(2, min_delta=0.01)
    assert [rule.stops(v) for v in (-100.0, -100.5, -102.0, -102.5)] == [False] * 4


def test_values_that_are_not_numbers_are_no_progress() -> None:
    rule = Plateau(2)
    assert [rule.stops(v) for v in (1.0, float("nan"), float("nan"))] == [False, False, True]


@given(values)
def test_never_never_stops(series: list[float]) -> None:
    assert not any(Never().stops(value) for value in series)
