"""Findings: what one says, no other repeats."""

from __future__ import annotations

from poems.findings import Finding, said_once, together


def test_what_is_said_of_several_views_alike_is_read_once() -> None:
    notes = [Finding("note", "scaled", "is scaled", view, (f"{view}1",)) for view in "abc"]
    other = Finding("note", "scaled", "is not scaled", "d")
    read = together([notes[0], other, *notes[1:]])
    assert [each.view for each in read] == ["a, b and c", "d"]
    assert read[0].items == ("a1", "b1", "c1")
    # What differs in severity or code is another thing.
    assert len(together([notes[0], Finding("warning", "scaled", "is scaled", "b")])) == 2
    assert together([Finding("note", "x", "of all")]) == [Finding("note", "x", "of all")]


def test_a_finding_that_another_tells_in_full_is_left_out_of_the_same_view_alone() -> None:
    less = [Finding("note", "discrete-values", "", view) for view in ("cnv", "calls")]
    more = Finding("note", "likelihood-proposed", "", "cnv")
    assert said_once([*less, more]) == (less[1], more)
    assert said_once(less) == tuple(less)
