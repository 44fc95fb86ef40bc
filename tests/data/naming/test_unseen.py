"""Characters of names that nobody sees."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.data.naming.names import clean_names


@pytest.mark.parametrize("features_in_rows", [False, True])
def test_a_line_break_within_a_quoted_name_is_kept_and_said(
    features_in_rows: bool, tmp_path: Path
) -> None:
    lines = ['id,"g\n1",g2', *(f"s{at},{at}.5,{at * at % 7}.25" for at in range(12))]
    lines[4] = '"s\n3",3.5,2.25'
    path = tmp_path / "rna.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    cohort = poems.read({"rna": path}, features_in_rows=features_in_rows)
    names = {*cohort.samples, *cohort["rna"].features}
    assert {"g\n1", "s\n3"} <= names
    told = [each for each in cohort.findings if each.code == "unseen-in-names"]
    assert {each.items for each in told} == {("g\n1",), ("s\n3",)}
    assert {each.severity for each in told} == {"warning"}
    assert all(f"{path}: 1 " in str(each) for each in told)
    kind = "sample" if features_in_rows else "feature"
    assert any(rf"{kind} name holds a line break: 'g\n1'" in str(each) for each in told)


@pytest.mark.parametrize("char", ["\t", "\r", "\x00", "\x1b", "\u200b", "\u202e", "\u2028"])
def test_other_characters_that_cannot_be_seen_are_said(char: str) -> None:
    index = pd.Index(["a", f"b{char}c"])
    _, (found,) = clean_names(index, "sample", "x")
    assert found.items == (f"b{char}c",)
    assert found.message.isprintable()


@given(st.lists(st.text(min_size=1).filter(str.isprintable), min_size=1))
def test_names_that_can_be_seen_are_left_alone(names: list[str]) -> None:
    index = pd.Index([f"s{name}s" for name in names], dtype=object)
    _, findings = clean_names(index, "feature", "x")
    assert "unseen-in-names" not in [each.code for each in findings]
