from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from poems.analysis.subtypes.choice_words import (
    choice_table,
    explain_choice,
    numbers_from_table,
    verdict,
)
from poems.clustering.tried import NumberTried

CLEAR = NumberTried(2, (40, 30), (0.95, 0.91), 4.1, 5.2, 0.31, (2,))
NEAR = NumberTried(3, (30, 20, 20), (0.9, 0.88, 0.86), 4.0, 4.1, 0.02, (2, 5))
LOST = NumberTried(4, (20, 20, 20, 10), (0.9, 0.3, 0.3, 0.4), 3.0, 4.1, 0.6, (1,))
TOUCH = NumberTried(4, (20, 20, 20, 10), (0.9, 0.9, 0.9, 0.8), 3.5, 3.9, 0.3, (1,), 0.79, True)
HOLDS = NumberTried(2, (40, 30), (0.95, 0.91), 5.9, 5.2, 0.0001, (2,))


def test_a_continuum_names_its_factor_and_how_to_cut_it_all_the_same() -> None:
    said = explain_choice([CLEAR, LOST], 1, asked=False)
    assert said.startswith("No distinct groups: a continuum along factor 2.")
    assert "2 subtypes are found again" in said
    assert "Jaccard index at least 0.91" in said
    assert "31 of 100 cohorts without groups" in said
    assert "--n-subtypes 2" in said
    assert "n_subtypes=2" in said


def test_a_near_miss_is_told_from_a_clear_one() -> None:
    near, clear = (explain_choice([each], 1, asked=False) for each in (NEAR, CLEAR))
    assert "though nearly" in near
    assert "factors 2 and 5" in near
    assert "nearly" not in clear


def test_a_number_that_another_seed_may_change_is_said_to_be_a_close_call() -> None:
    none, three = (explain_choice([CLEAR, NEAR], k, asked=False) for k in (1, 3))
    assert none.endswith(
        "the same samples may have another, such as 3 (poems stability fits them again)."
    )
    assert "close call" in three
    assert "close call" not in explain_choice([HOLDS, LOST], 2, asked=False)
    # Who asked for a number has chosen it.
    assert "close call" not in explain_choice([CLEAR, NEAR], 3, asked=True)


def test_the_largest_number_that_is_found_again_is_named_and_the_others_too() -> None:
    said = explain_choice([CLEAR, NEAR, LOST], 1, asked=False)
    assert "--n-subtypes 3" in said
    assert "so is 2" in said


def test_what_is_hardly_short_of_a_gap_is_offered_first() -> None:
    far = NumberTried(4, (20, 20, 20, 10), (0.9, 0.9, 0.9, 0.9), 3.0, 4.1, 0.6, (1,))
    said = explain_choice([CLEAR, NEAR, far], 1, asked=False)
    assert "though nearly" in said
    assert "--n-subtypes 3" in said
    assert "so are 2 and 4" in said


def test_nothing_that_is_not_found_again_is_offered() -> None:
    said = explain_choice([LOST], 1, asked=False)
    assert "--n-subtypes" not in said
    assert "none are all found again" in said


def test_groups_that_are_found_again_but_hold_few_samples_are_not_called_lost() -> None:
    few = NumberTried(2, (60, 2), (0.95, 0.9), 6.0, 4.0)
    said = explain_choice([few, LOST], 1, asked=False)
    assert "Of 4 groups none are all found again" in said
    assert "Of 2 groups one has fewer than 3 samples." in said
    assert "found again" not in explain_choice([few], 1, asked=False)


def test_a_larger_number_without_a_gap_is_said_beside_the_one_that_holds() -> None:
    said = explain_choice([HOLDS, NEAR, LOST], 2, asked=False)
    assert "3 is found again, but without a gap, and 4 does not hold" in said


def test_the_largest_number_tried_is_said_to_be_no_limit() -> None:
    three = replace(HOLDS, n_clusters=3, sizes=(30, 20, 20), jaccard=(0.9, 0.9, 0.9))
    assert "it is the largest number tried" in explain_choice([HOLDS, three], 3, asked=False)
    assert "largest number tried" not in explain_choice([HOLDS, three], 2, asked=False)


def test_subtypes_without_a_gap_are_said_to_pass_into_one_another() -> None:
    said = explain_choice([CLEAR, TOUCH], 4, asked=False)
    assert "better than parts of a continuum (on average 0.88, where up to 0.79 may be" in said
    assert "they pass into one another: the nearest two are 3.5" in said
    assert "2 is found again, but without a gap" in said
    assert verdict(TOUCH) == "holds, without a gap"


def test_where_nothing_holds_it_is_said_how_well_parts_of_a_continuum_are_found_again() -> None:
    asked = replace(CLEAR, again_without_groups=1.0)
    said = explain_choice([asked, LOST], 1, asked=False)
    assert "on average 0.93, where up to 1.00 may be chance" in said


@pytest.mark.parametrize(
    "numbers", [[CLEAR, NEAR], [LOST, TOUCH], [NumberTried(1, (9,), (1.0,), None, None)]]
)
def test_tables_are_read_back_as_they_were(numbers: list[NumberTried]) -> None:
    assert numbers_from_table(choice_table(numbers)) == tuple(numbers)


def test_tables_of_before_chance_was_known_are_read(tmp_path) -> None:
    path = tmp_path / "choice.csv"
    choice_table([CLEAR]).drop(
        columns=["chance", "along", "again_without_groups", "clearest"]
    ).to_csv(path, index=False)
    (read,) = numbers_from_table(pd.read_csv(path))
    assert (read.chance, read.along) == (None, ())
    assert (read.again_without_groups, read.clearest) == (None, False)
    assert read.separation == CLEAR.separation
