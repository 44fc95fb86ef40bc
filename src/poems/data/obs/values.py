"""Clinical tables: what of them is missing, what is a number, and which cells were neither."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from poems.data.numeric import shorten
from poems.data.obs.cells import CleanColumn, clean_column
from poems.data.text.tables import TextTable
from poems.errors import ReadError
from poems.findings import Finding, count, name_some

_MOST_SHOWN = 3
_MOST_WORDS = 8


def clean_obs(
    obs: pd.DataFrame, *, typed: bool = False
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return an obs table with the columns of :func:`poems.data.obs.cells.clean_column`.

    Cleaning a table twice changes nothing and finds nothing.

    Parameters
    ----------
    obs
        One row per sample.
    typed
        Whether its cells are the text of a file, of which no type is known yet.

    Examples
    --------
    >>> obs = pd.DataFrame({"age": ["61", "[Not Available]", "58"]}, index=list("abc"))
    >>> table, findings = clean_obs(obs)
    >>> table["age"].tolist()
    [61.0, nan, 58.0]
    >>> print(*findings)
    note: words in the obs table taken for missing values: '[Not Available]' (1 in age)...
    """
    columns = [obs.iloc[:, at] for at in range(obs.shape[1])]
    found = [clean_column(column, typed=typed) for column in columns]
    table = obs.copy()
    for at, (column, each) in enumerate(zip(columns, found, strict=True)):
        if each.values is not column:
            table.isetitem(at, each.values.array)
    return table, column_findings(zip(map(str, obs.columns), found, strict=True))


def column_findings(columns: Iterable[tuple[str, CleanColumn]]) -> tuple[Finding, ...]:
    """Say what was decided about the cells of columns, by their names."""
    found = list(columns)
    return tuple(_findings(found))


def text_cells(table: TextTable) -> pd.DataFrame:
    """Return the cells of a delimited file as they are written, without deciding their types.

    Raises
    ------
    ReadError
        If the quotation marks are not balanced.
    """
    reader = csv.reader(io.StringIO(table.body), delimiter=table.delimiter)
    first = 1 + table.n_texts
    width = len(table.columns) + first
    try:
        records = [fields[first:width] for fields in reader if any(map(str.strip, fields))]
    except csv.Error as error:
        raise ReadError(f"{table.path}: {error}; a quotation mark may be unbalanced") from None
    if len(records) != len(table.rows):
        raise ReadError(
            f"{table.path} has {count(len(table.rows), 'record')}, of which {len(records)} could "
            "be parsed; a quotation mark may be unbalanced"
        )
    cells = pd.DataFrame(records, dtype=object)
    cells.columns = pd.Index(table.columns, dtype=object)
    cells.index = pd.Index(table.rows, dtype=object)
    return cells


def _findings(found: list[tuple[str, CleanColumn]]) -> Iterator[Finding]:
    taken = {name: each.taken for name, each in found if each.taken}
    if taken:
        text = (
            f"words in the obs table taken for missing values: {_words(taken)}. If one of them is "
            "a value, write it in another way"
        )
        yield Finding("note", "obs-missing-words", text, items=tuple(taken))
    kept = {name: each.kept for name, each in found if each.kept}
    if kept:
        text = (
            f"words in the obs table kept as values, though they may mean missing: {_words(kept)}. "
            "If they do, leave the cells empty"
        )
        yield Finding("note", "obs-words-kept", text, items=tuple(kept))
    commas = {name: each.commas for name, each in found if each.commas}
    if commas:
        shown = name_some((f"{name} ({shorten(cell)})" for name, cell in commas.items()), 5)
        text = f"commas in the obs table read as decimal points: {shown}"
        yield Finding("note", "obs-decimal-commas", text, items=tuple(commas))
    padded = {name: each.padded for name, each in found if each.padded}
    if padded:
        text = f"blanks around words of the obs table were removed: {_words(padded)}"
        yield Finding("note", "obs-blanks-removed", text, items=tuple(padded))
    for name, each in found:
        if each.alike:
            yield _alike(name, each.alike)
        if each.refused:
            yield _refused(name, each)
        if each.unread:
            yield _unread(name, each.unread)


def _alike(name: str, groups: tuple[tuple[str, ...], ...]) -> Finding:
    shown = name_some((" = ".join(map(shorten, group)) for group in groups), _MOST_SHOWN)
    by_case = all(len({word.casefold() for word in group}) == 1 for group in groups)
    by = "upper and lower case" if by_case else "the Unicode form of letters, or by case"
    text = (
        f"obs column '{name}' has values that differ only by {by}, and count as "
        f"different ones: {shown}. If they are one, write them alike"
    )
    return Finding("warning", "obs-near-words", text, items=(name,))


def _refused(name: str, each: CleanColumn) -> Finding:
    shown = name_some(
        (f"{shorten(cell)} (sample {shorten(sample)})" for sample, cell in each.refused),
        _MOST_SHOWN,
    )
    n = len(each.refused)
    text = (
        f"obs column '{name}' holds numbers but for {count(n, 'entry', 'entries')}, which "
        f"{'counts' if n == 1 else 'count'} as missing: {shown}. "
        f"{_remedy(cell for _, cell in each.refused)}"
    )
    return Finding("warning", "obs-not-numbers", text, items=tuple(s for s, _ in each.refused))


def _remedy(cells: Iterable[str]) -> str:
    cells = list(cells)
    if any("," in cell for cell in cells):
        return "Write decimals with a point, and thousands without a comma"
    if any(cell.strip()[:1] in "<>≤≥" for cell in cells):
        return "Write the number to be used in place of a limit, or leave the cell empty"
    return "Write the number alone, without words or units, or leave the cell empty"


def _unread(name: str, cells: tuple[str, ...]) -> Finding:
    shown = name_some(map(shorten, cells), _MOST_SHOWN)
    text = (
        f"obs column '{name}' holds {len(cells)} different values that look like numbers but are "
        f"not written as such ({shown}); it was left as words, which no test uses as numbers. "
        f"{_remedy(cells)}"
    )
    return Finding("warning", "obs-number-like", text, items=(name,))


def _words(columns: Mapping[str, Mapping[str, int]]) -> str:
    """List words with their counts and columns, the most frequent first."""
    totals: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    for name, words in columns.items():
        for word, number in words.items():
            totals[word] += number
            places.setdefault(word, []).append(name)
    return name_some(
        (
            f"{shorten(word)} ({number} in {name_some(places[word])})"
            for word, number in totals.most_common()
        ),
        _MOST_WORDS,
    )
