"""Of names that match nothing the changes are told that would make them match."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.data.naming.changes import best_change

SAMPLES = [f"P{n:03d}" for n in range(1, 21)]


def named(change: Callable[[str], str]) -> pd.Index:
    return pd.Index([change(name) for name in SAMPLES], dtype=object)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (str.lower, str, "if upper and lower case are ignored"),
        (lambda name: name + "\u200b", str, "if invisible characters are removed"),
        (lambda name: name.replace("P", "\uff30"), str, "if letters are brought to one Unicode"),
        (lambda name: f"{int(name[1:])}.0", lambda name: str(int(name[1:])), "if '1.0' is read"),
        (lambda name: f"X{name[1:]}.T", lambda name: f"{name[1:]}-T", "if the 'X' .* and '.', '_'"),
        (lambda name: f"rna_{name}", str, "if 'rna_' at the beginning is removed"),
        (lambda name: f"{name}_rna", lambda name: f"{name}_prot", "'_rna' and '_prot' at the end"),
        (lambda name: f"Patient{int(name[1:])}", lambda name: str(int(name[1:])), "'Patient' at"),
    ],
)
def test_the_change_that_is_needed_is_named_and_no_other(
    one: Callable[[str], str], other: Callable[[str], str], words: str
) -> None:
    found = best_change(named(one), named(other))
    assert found is not None
    assert found[0] == len(SAMPLES)
    assert pd.Series([found[1]]).str.contains(words).all(), found[1]


def test_patients_and_samples_that_share_numbers_are_not_proposed_as_one() -> None:
    assert best_change(named(str), named(lambda name: "S" + name[1:])) is None


@given(st.lists(st.text(max_size=5), max_size=6), st.lists(st.text(max_size=5), max_size=6))
def test_no_names_break_it(names: list[str], others: list[str]) -> None:
    found = best_change(pd.Index(names, dtype=object), pd.Index(others, dtype=object))
    assert found is None or 0 < found[0] <= len(names)
