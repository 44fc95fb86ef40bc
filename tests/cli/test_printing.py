"""What is printed can be read at any width, and searched in a file."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from poems.cli.printing import output, print_findings, print_grid, print_table, say
from poems.findings import Finding

words = st.text("abcäβ_·木", min_size=1, max_size=30)
cells = st.lists(words, min_size=1, max_size=4).map(" ".join)


def printed(table: pd.DataFrame, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    print_table(console, table, index="i")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=4),
    # A word of 30 wide characters fits, beside what stands before it.
    width=st.integers(75, 200),
)
def test_a_table_breaks_no_word_at_any_width(rows: list[tuple[str, str, str]], width: int) -> None:
    table = pd.DataFrame([row[1:] for row in rows], [row[0] for row in rows], ["x", "gene set"])
    text = printed(table, width)
    found = set(text.replace(";", " ").split())
    for row in rows:
        for word in " ".join(row).split():
            assert word in found
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_what_does_not_fit_side_by_side_is_a_paragraph_a_row() -> None:
    name = "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION"
    table = pd.DataFrame({"gene set": [name], "q": ["0.01"]}, index=["factor_1"])
    assert len(printed(table, 80).splitlines()) == 2
    assert printed(table, 50).split() == ["i", "factor_1", "gene", "set", f"{name};", "q", "0.01"]


def test_lines_of_a_file_are_whole_and_end_with_their_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "word " * 100
    say(output(), long)
    print_findings(
        output(), [Finding("note", "x", long), Finding("warning", "y", long)], all_notes=True
    )
    print_grid(output(), [("name", long)])
    lines = capsys.readouterr().out.splitlines()
    assert [len(line.split()) for line in lines] == [100, 101, 101, 101]
    assert not any(line.endswith(" ") for line in lines)
