"""Whether the number is a close call is known from what one fit says of each number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.clustering.close_calls import close_calls
from poems.clustering.tried import NumberTried, number_to_report

ONE = NumberTried(1, (90,), (1.0,), None, None)
TWO = NumberTried(2, (50, 40), (0.95, 0.93), 8.0, 4.0, 1e-6)
THREE = NumberTried(3, (40, 30, 20), (0.93, 0.9, 0.9), 3.0, 4.0, 0.6)


def test_a_gap_far_beyond_chance_is_no_close_call() -> None:
    assert close_calls([ONE, TWO, THREE]) == ()


def test_a_gap_hardly_beyond_chance_is_one() -> None:
    assert close_calls([ONE, replace(TWO, separation=4.1, chance=0.04), THREE]) == (1,)


@pytest.mark.parametrize("jaccard", [(0.95, 0.93, 0.72), (0.95, 0.72, 0.93)])
def test_a_number_hardly_not_found_again_is_one(jaccard: tuple[float, ...]) -> None:
    nearly = NumberTried(3, (30, 30, 30), jaccard, 7.0, 4.0, 1e-6)
    assert number_to_report([ONE, TWO, nearly]) == 2
    assert close_calls([ONE, TWO, nearly]) == (3,)
    assert close_calls([ONE, TWO, replace(nearly, jaccard=(0.95, 0.5, 0.93))]) == ()


def test_a_number_hardly_found_again_beyond_chance_is_one() -> None:
    without = replace(TWO, separation=3.0, chance=0.6, again_without_groups=0.93, clearest=True)
    assert close_calls([ONE, without]) == (1,)
    assert close_calls([ONE, replace(without, again_without_groups=0.7)]) == ()
    # And the other way round: hardly not.
    lost = replace(without, again_without_groups=0.95, clearest=False)
    assert close_calls([ONE, lost]) == (2,)


def test_where_nothing_was_tried_nothing_is_close() -> None:
    assert close_calls([]) == () == close_calls([ONE])


_INDICES = st.floats(0.5, 1.0)


@given(
    st.lists(st.tuples(_INDICES, st.floats(2.0, 9.0), st.floats(1e-9, 1.0)), min_size=1, max_size=5)
)
def test_the_reported_number_is_never_among_the_others(
    given: list[tuple[float, float, float]],
) -> None:
    tried = [
        NumberTried(k, (20,) * k, (index,) * k, apart, 4.0, chance)
        for k, (index, apart, chance) in enumerate(given, 2)
    ]
    found = close_calls([ONE, *tried])
    assert number_to_report(tried) not in found
    assert set(found) <= {1, *(each.n_clusters for each in tried)}
