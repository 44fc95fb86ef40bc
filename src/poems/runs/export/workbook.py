"""All tables of a run as one Excel workbook, in which no text is ever a formula."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from poems.files.atomic import atomic_path
from poems.files.csv_tables import read_typed_csv
from poems.findings import Finding, count, name_some
from poems.runs.analysis import NAME_COLUMNS
from poems.runs.export.tables import describe, new_file, run_tables

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

# The limits of Excel.
MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
_MOST_CHARACTERS = 32_767
_LONGEST_NAME = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
# Excel keeps this name for itself.
_RESERVED = "history"
_CONTENTS = "contents"


def export_workbook(
    run: str | Path,
    out: str | Path,
    *,
    also: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> tuple[Finding, ...]:
    """Write the tables of a run into one .xlsx file, a sheet per table after a list of contents.

    Text is written as text whatever it begins with, so that a feature called ``=HYPERLINK(...)`` is
    shown and not run, and links are not made. Missing values are empty cells, infinite ones
    the text ``inf``. The file is the same for the same run.

    Parameters
    ----------
    run
        The run folder.
    out
        The file.
    also
        Folders of other commands whose tables are to be there as well.
    overwrite
        Replace a file that is there.

    Returns
    -------
    What did not fit as it was: tables of more than 1,048,576 rows are continued on more sheets,
    those of more than 16,384 columns are left out, text of more than 32,767 characters is cut.

    Raises
    ------
    ReadError
        If the run is none, or another folder holds no table.
    SettingsError
        If the name does not end in .xlsx, or the file is there and ``overwrite`` is not asked for.
    """
    from xlsxwriter import Workbook

    path = new_file(out, ".xlsx", overwrite=overwrite)
    tables = run_tables(run, also)
    findings: list[Finding] = []
    made = dt.datetime.fromtimestamp((Path(run) / "run.json").stat().st_mtime, dt.UTC)
    # Rows go to disk as they are written, so that memory holds one table at most.
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with atomic_path(path) as temporary:
        book = Workbook(str(temporary), options)
        book.set_properties({"title": "POEMS", "created": made.replace(tzinfo=None)})
        sizes = {name: _size(file) for name, file in tables.items()}
        wide = [name for name, (_, columns) in sizes.items() if columns > MOST_COLUMNS]
        room = MOST_ROWS - 1
        parts = {name: max(-(-rows // room), 1) for name, (rows, _) in sizes.items()}
        labels = [_part(name, at) for name, n in parts.items() for at in range(n)]
        names = sheet_names(labels)
        _write_contents(book, tables, names, sizes, wide)
        cut: list[str] = []
        for name, file in tables.items():
            if name not in wide:
                table = read_typed_csv(file, names=_name_columns(file))
                for at in range(parts[name]):
                    some = table.iloc[at * room : (at + 1) * room]
                    if _write_table(book, names[_part(name, at)], some) and name not in cut:
                        cut.append(name)
        book.close()
    long = [name for name, n in parts.items() if n > 1 and name not in wide]
    for tables_of, code, text in (
        (wide, "export-too-wide", f"with more than {MOST_COLUMNS:,} columns left out"),
        (long, "export-too-long", f"with more than {MOST_ROWS:,} rows continued on more sheets"),
        (cut, "export-text-cut", f"with text of more than {_MOST_CHARACTERS:,} characters cut"),
    ):
        if tables_of:
            message = (
                f"{count(len(tables_of), 'table')} {text}, for Excel holds no more: "
                f"{name_some(tables_of)}; the CSV files hold everything"
            )
            severity: Any = "note" if tables_of is long else "warning"
            findings.append(Finding(severity, code, message, items=tuple(tables_of)))
    return tuple(findings)


def sheet_names(tables: Iterable[str]) -> dict[str, str]:
    """Name the sheets: 31 characters at most, told apart, without what Excel forbids.

    >>> list(sheet_names(["latent", "loadings/rna", "LATENT", "history"]).values())
    ['latent', 'loadings rna', 'LATENT (2)', 'history_']
    """
    taken = {_CONTENTS}
    names_of = {}
    for name in tables:
        text = " ".join(_FORBIDDEN.sub(" ", name.removeprefix("analysis/")).split())
        text = text.strip("'") or "table"
        text = f"{text}_" if text.lower() == _RESERVED else text
        candidate, number = text[:_LONGEST_NAME].strip(), 1
        while candidate.lower() in taken:
            number += 1
            ending = f" ({number})"
            candidate = text[: _LONGEST_NAME - len(ending)].strip() + ending
        taken.add(candidate.lower())
        names_of[name] = candidate
    return names_of


def _size(path: Path) -> tuple[int, int]:
    """Return the numbers of rows and columns of a CSV file."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = len(next(reader, []))
        return sum(1 for _ in reader), columns


def _name_columns(path: Path) -> set[str]:
    """Return the columns whose text stays text: names, and numbers written with leading zeros."""
    cells = pd.read_csv(path, dtype=str, keep_default_na=False, header=None)
    header, body = cells.iloc[0].tolist(), cells.iloc[1:]
    names = {*NAME_COLUMNS, "gene_set", "genes", "group_a", "group_b", "level", "reference"}
    if header[0] not in ("epoch", "n_subtypes"):
        names.add(header[0])
    # 0012 is a name, and 0.12 is none.
    led = [bool(body[at].str.match(r"0\d").any()) for at in range(len(header))]
    return names | {str(name) for name, there in zip(header, led, strict=True) if there}


def _write_contents(
    book: Workbook,
    tables: dict[str, Path],
    names: dict[str, str],
    sizes: dict[str, tuple[int, int]],
    wide: list[str],
) -> None:
    sheet = book.add_worksheet(_CONTENTS)
    bold = book.add_format({"bold": True})
    sheet.set_column(0, 1, 32)
    sheet.set_column(4, 4, 80)
    for at, text in enumerate(("sheet", "table", "rows", "columns", "what it holds")):
        sheet.write_string(0, at, text, bold)
    for row, name in enumerate(tables, start=1):
        sheet.write_string(row, 0, "left out: too wide" if name in wide else names[name])
        sheet.write_string(row, 1, f"{name}.csv")
        sheet.write_number(row, 2, sizes[name][0])
        sheet.write_number(row, 3, sizes[name][1])
        sheet.write_string(row, 4, describe(name))
    sheet.freeze_panes(1, 0)


def _part(name: str, at: int) -> str:
    """Name a part of a table that takes several sheets."""
    return f"{name} part {at + 1}" if at else name


def _write_table(book: Workbook, name: str, table: pd.DataFrame) -> bool:
    """Write a table on a sheet; say whether text was cut."""
    bold = book.add_format({"bold": True})
    cut = False
    sheet = book.add_worksheet(name)
    sheet.set_column(0, 0, 24)
    for at, column in enumerate(table.columns):
        cut |= _write_text(sheet, 0, at, str(column), bold)
    for row, cells in enumerate(_rows(table), start=1):
        for at, value in enumerate(cells):
            cut |= _write_cell(sheet, row, at, value)
    sheet.freeze_panes(1, 1)
    return cut


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return table.itertuples(index=False, name=None)


def _write_cell(sheet: Worksheet, row: int, at: int, value: Any) -> bool:
    """Write a value by its type; say whether text was cut."""
    if isinstance(value, bool | np.bool_):
        sheet.write_boolean(row, at, bool(value))
    elif isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if np.isfinite(number):
            sheet.write_number(row, at, number)
        elif not np.isnan(number):
            sheet.write_string(row, at, "inf" if number > 0 else "-inf")
    elif not pd.isna(value):
        return _write_text(sheet, row, at, str(value))
    return False


def _write_text(sheet: Worksheet, row: int, at: int, text: str, form: Any = None) -> bool:
    cut = len(text) > _MOST_CHARACTERS
    sheet.write_string(row, at, text[: _MOST_CHARACTERS - 1] + "…" if cut else text, form)
    return cut
