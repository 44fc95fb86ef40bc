"""An Excel workbook: the one sheet that is asked for, or that there is, as lines of text."""

from __future__ import annotations

import csv
import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import le
from typing import Any

from .links import Refused
from .payload import Payload

# What a workbook may unpack to, and how many times its size beyond what any may.
_MOST_PARTS, _SMALL, _LARGEST, _RATIO = 10_000, 1 << 28, 1 << 32, 100
_MOST_CELLS = 60_000_000
_MOST_SHEETS = 20
_MOST_ROWS = 1 << 20
_NUMBER = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?\s*")
# A format of nothing but zeros shows 7 as 007.
_ZEROS = re.compile(r"0{2,}")


def answer(question: dict[str, Any], payload: Payload) -> dict[str, Any]:
    """Hand over a sheet as text separated by tabs, and return what was noticed about it.

    Raises
    ------
    Refused
        If it is no workbook, claims more than it can hold, or there is not one sheet to read.
    """
    path = question["path"]
    _require_plausible(path)
    with _in_order(path):
        return _sheet(question, path, payload)


def _sheet(question: dict[str, Any], path: str, payload: Payload) -> dict[str, Any]:
    # Links to other workbooks are not followed; what was computed of them stands in the cells.
    formulas = _book(path, values=False)
    name = _one_sheet(formulas, path, question["sheet"], question["choice"])
    sheet = _Sheet(path, name)
    sheet.take(formulas[name].rows)
    if sheet.formulas:
        sheet.take_values(_book(path, values=True)[name].rows)
    return {"n_bytes": payload.bytes(sheet.text()), "sheet": name, **sheet.noticed()}


def _require_plausible(path: str) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
    # zipfile has not implemented every version of the format, and says so.
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Refused(
            f"{path} is no Excel workbook, or it was cut ({error}); copy it again, or save it as "
            "CSV"
        ) from None
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise Refused(f"{path} is a zip archive but no Excel workbook; save the table as CSV")
    size = sum(part.compress_size for part in parts)
    claimed = sum(part.file_size for part in parts)
    if claimed > _LARGEST or (claimed > _SMALL and claimed > _RATIO * size):
        raise Refused(
            f"{path} unpacks to {claimed / 1e6:.0f} MB, {claimed / max(size, 1):.0f} times its "
            "size, as no table of measurements does; save the sheet as CSV"
        )
    if len(parts) > _MOST_PARTS:
        raise Refused(f"{path} holds more than {_MOST_PARTS} parts; save the sheet as CSV")


@contextmanager
def _in_order(path: str) -> Iterator[None]:
    """Refuse rows and cells that are numbered twice, backwards, or beyond what a sheet can have.

    The library passes them over, or makes all rows that are missing before.
    """
    from openpyxl.worksheet import _read_only

    parser = _read_only.WorkSheetParser

    class InOrder(parser):  # type: ignore[misc, valid-type]
        def parse_row(self, row: Any) -> Any:
            last = self.row_counter
            at, cells = super().parse_row(row)
            columns = [0, *(cell["column"] for cell in cells)]
            if not last < at <= _MOST_ROWS or any(map(le, columns[1:], columns)):
                raise Refused(
                    f"{path}: row {at} of a sheet, or a cell in it, is numbered twice, backwards "
                    f"or beyond {_MOST_ROWS} rows: the file is damaged; save the sheet as CSV"
                )
            return at, cells

    _read_only.WorkSheetParser = InOrder
    try:
        yield
    finally:
        _read_only.WorkSheetParser = parser


class _Rows:
    """The rows of a sheet, read as they are asked for, whatever size the sheet claims."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self.hidden = getattr(sheet, "sheet_state", "visible") != "visible"

    @property
    def rows(self) -> Iterator[Any]:
        self._sheet.reset_dimensions()
        return iter(self._sheet.iter_rows())

    def is_empty(self) -> bool:
        return not any(_is_filled(cell) for row in self.rows for cell in row)


def _book(path: str, *, values: bool) -> dict[str, _Rows]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=values, keep_links=False)
    return {sheet.title: _Rows(sheet) for sheet in book.worksheets}


def _one_sheet(book: dict[str, _Rows], path: str, wanted: str | None, choice: str) -> str:
    """Return the name of the sheet to read: the only one with cells, or the one that is wanted."""
    if wanted is not None:
        if wanted not in book:
            raise Refused(f"{path} has no sheet {wanted!r}; there are {_shown(list(book))}")
        return wanted
    filled = [name for name, sheet in book.items() if not sheet.is_empty()]
    if not filled:
        raise Refused(f"{path} is empty: none of its sheets has a filled cell")
    if len(filled) > 1:
        raise Refused(
            f"{path} holds {len(filled)} sheets: {_shown(filled, book)}; "
            + choice.replace("SHEET", repr(filled[0]))
        )
    return filled[0]


def _shown(names: list[str], book: dict[str, _Rows] | None = None) -> str:
    hidden = {name for name in names if book is not None and book[name].hidden}
    texts = [f"{name!r}{' (hidden)' if name in hidden else ''}" for name in names[:_MOST_SHEETS]]
    more = f" and {len(names) - _MOST_SHEETS} more" if len(names) > _MOST_SHEETS else ""
    return ", ".join(texts) + more


@dataclass
class _Noticed:
    """The first cell of a kind in a column, and how many there are."""

    row: int
    text: str
    n: int = 0


class _Sheet:
    """The cells of a sheet as text, and what is worth a word about them."""

    def __init__(self, path: str, name: str) -> None:
        self._where = f"{path}, sheet {name!r}"
        self._rows: list[list[str]] = []
        self._n_cells = 0
        self._header: int | None = None
        self.formulas: dict[tuple[int, int], str] = {}
        # Of each kind and column how many cells there are, and the first of them.
        self._noticed: dict[str, dict[int, _Noticed]] = {"text_numbers": {}, "dates": {}}

    def take(self, rows: Iterator[Any]) -> None:
        """Read the cells; formulas are noted, not computed."""
        for at, row in enumerate(rows):
            texts = [self._text(at, column, cell) for column, cell in enumerate(row)]
            if self._header is None and any(texts):
                self._header = at
            while texts and not texts[-1]:
                texts.pop()
            self._n_cells += len(texts)
            if self._n_cells > _MOST_CELLS:
                raise Refused(
                    f"{self._where} holds more than {_MOST_CELLS // 1_000_000} million cells; "
                    "save it as CSV"
                )
            self._rows.append(texts)
        while self._rows and not self._rows[-1]:
            self._rows.pop()

    def take_values(self, rows: Iterator[Any]) -> None:
        """Put the values that Excel computed last in place of formulas."""
        absent = []
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                if (at, column) not in self.formulas:
                    continue
                text = self._text(at, column, cell)
                # One that was computed and found to be no text is marked as text.
                if cell.value is None and cell.data_type == "n":
                    absent.append((at, column))
                self._rows[at][column] = text
        if absent:
            first, formula = _place(*absent[0]), self.formulas[absent[0]][:40]
            were = "1 formula was" if len(absent) == 1 else f"{len(absent)} formulas were"
            raise Refused(
                f"{self._where}: {were} never computed, so that values are not in the file, the "
                f"first {first} ({formula}); open the file in a spreadsheet and save it, or save "
                "the sheet as CSV"
            )

    def text(self) -> bytes:
        """Return all rows as lines separated by tabs, of one width but for titles above them."""
        width, first = max(map(len, self._rows), default=0), self._first_column
        out = io.StringIO()
        writer = csv.writer(out, delimiter="\t", lineterminator="\n")
        above = True
        for row in self._rows:
            above = above and len(row) <= first + 1
            padded = row if above else row + [""] * (width - len(row))
            writer.writerow(padded[first:])
        return out.getvalue().encode("utf-8", "replace")

    def noticed(self) -> dict[str, Any]:
        """Return how many cells were of a kind that needs a word, and the first of them."""
        others = [text for text in self.formulas.values() if "[" in text]
        found: dict[str, Any] = {"formulas": len(self.formulas), "of_other_books": len(others)}
        for kind, columns in self._noticed.items():
            # The names of rows are not among the values.
            columns.pop(self._first_column, None)
            found[kind] = sum(each.n for each in columns.values())
            first = min(columns.items(), key=lambda item: (item[1].row, item[0]), default=None)
            if first is not None:
                found[f"first_{kind}"] = [_place(first[1].row, first[0]), first[1].text[:40]]
        return found

    @property
    def _first_column(self) -> int:
        """The first column with a filled cell."""
        filled = (next((i for i, x in enumerate(row) if x), None) for row in self._rows)
        return min((at for at in filled if at is not None), default=0)

    def _text(self, row: int, column: int, cell: Any) -> str:
        value = cell.value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int | float):
            zeros = isinstance(value, int) and _ZEROS.fullmatch(str(cell.number_format))
            return str(value).zfill(len(cell.number_format)) if zeros else repr(value)
        if isinstance(value, str):
            if cell.data_type == "f":
                self.formulas[row, column] = value
                return value
            if _NUMBER.fullmatch(value):
                self._notice("text_numbers", row, column, value)
            return value
        if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            text = _date(value)
            self._notice("dates", row, column, text)
            return text
        # What a formula for several cells, or a table of data, is kept as.
        self.formulas[row, column] = str(getattr(value, "text", "") or value)
        return "formula"

    def _notice(self, kind: str, row: int, column: int, text: str) -> None:
        # The header is among the values no more than the names of rows.
        if self._header is not None and row > self._header:
            self._noticed[kind].setdefault(column, _Noticed(row, text)).n += 1


def _is_filled(cell: Any) -> bool:
    return cell.value is not None and cell.value != ""


def _date(value: Any) -> str:
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else str(value)


def _place(row: int, column: int) -> str:
    """Name a cell as a spreadsheet does: B2."""
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
