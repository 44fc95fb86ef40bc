"""xlsx: the one sheet of an Excel workbook that is a table, or the one that is named."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poems.data.formats import Contents, Reader
from poems.errors import ReadError
from poems.findings import Finding, count

if TYPE_CHECKING:
    from poems.data.text.tables import TextTable

# What reads is imported when it does: whether a path is there is said before.

_OLD = b"\xd0\xcf\x11\xe0"
# Memory that the cells of a workbook take for each of its bytes, which are packed.
_MEMORY_EACH = 60


def read_table(path: Path, sheet: str | None = None) -> Contents:
    """Read a view from the only sheet with cells, or the one that is named."""
    from poems.data.formats.delimited import table_contents

    return table_contents(_text_table(path, sheet, "--layer VIEW=SHEET, layer=SHEET"))


def read_annotations(path: Path, sheet: str | None = None) -> Contents:
    """Read a table of annotations, its cells as they are shown."""
    from poems.data.formats.delimited import annotation_contents

    return annotation_contents(_text_table(path, sheet, "--layer obs=SHEET, layer={'obs': SHEET}"))


def _text_table(path: Path, sheet: str | None, choice: str) -> TextTable:
    from poems.data.stored.parsing import parse
    from poems.data.text.tables import table_of_lines

    _require_library(path)
    _require_new(path)
    asked = {"sheet": sheet, "choice": f"choose one of them ({choice}), or save it as CSV"}
    claimed = _MEMORY_EACH * path.stat().st_size
    answer, values = parse("workbook", path, asked, claimed=claimed)
    lines = values.tobytes().decode("utf-8").rstrip("\n").split("\n")
    return table_of_lines(path, lines, "\t", tuple(_findings(path, answer)))


def _require_library(path: Path) -> None:
    if importlib.util.find_spec("openpyxl") is None:
        raise ReadError(
            f"{path} is an Excel workbook, which takes openpyxl to read; install it (pip install "
            "'poems-omics[excel]'), or save the sheet as CSV"
        )


def _require_new(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror}") from None
    if head.startswith(_OLD):
        raise ReadError(
            f"{path} is a workbook of before 2007 (.xls), or protected with a password; save the "
            "sheet as CSV"
        )
    if not head.startswith(b"PK"):
        raise ReadError(
            f"{path} is no Excel workbook, whatever its name says; if it is text, name it .csv or "
            ".tsv"
        )


def _findings(path: Path, answer: dict[str, Any]) -> Iterator[Finding]:
    where = f"{path}, sheet {answer['sheet']!r}"
    yield Finding("note", "workbook-sheet", f"{where} was read")
    n = answer["text_numbers"]
    if n:
        place, text = answer["first_text_numbers"]
        said = (
            f"{where}: {count(n, 'cell holds a number', 'cells hold numbers')} stored as text, the "
            f"first {place} ({text!r}), and {'was' if n == 1 else 'were'} read as the rest"
        )
        yield Finding("note", "numbers-as-text", said)
    n = answer["dates"]
    if n:
        place, text = answer["first_dates"]
        said = (
            f"{where}: {count(n, 'cell is a date', 'cells are dates')}, the first {place} "
            f"({text}). Where no date was meant, a spreadsheet made it of a number such as 3-1 or "
            "1.3: take the values from the table as it was before a spreadsheet opened it"
        )
        yield Finding("warning", "dates-in-cells", said)
    n, others = answer["formulas"], answer["of_other_books"]
    if n:
        said = f"{where}: {count(n, 'cell is a formula', 'cells are formulas')}; what the "
        said += "spreadsheet computed last was read"
        if others:
            said += f", of {others} from other workbooks, which were not opened"
        yield Finding("warning" if others else "note", "formulas", said)


READER = Reader(table=read_table, annotations=read_annotations, layers=True)
