"""Delimited text (CSV, TSV) as a table whose names are kept exactly as written."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from poems.data.files import read_text
from poems.data.formats import table_suffix
from poems.data.numeric import MISSING_TOKENS, shorten
from poems.data.text.preamble import find_table
from poems.data.text.shape import DELIMITER_NAMES, N_SHOWN, Record, Shape, table_shape
from poems.errors import ReadError
from poems.files.text_numbers import TRUTHS, read_number_matrix, read_text_columns, to_typed
from poems.findings import Finding, count

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".gct": "\t"}

# Lines in which a title above the table is looked for, and the fields that such a table has.
_MOST_TITLES = 30
_FEWEST_FIELDS = 3
_DECLARED = re.compile(r"sep=([,;\t])", re.IGNORECASE)

_REMEDIES = {
    ",": "rename it to .csv",
    "\t": "rename it to .tsv",
    " ": "save it as CSV",
}


@dataclass(frozen=True)
class TextTable:
    """The names and the still unparsed body of a delimited file.

    Parameters
    ----------
    path
        Where it was read.
    columns, rows
        The names as written, without the corner.
    body
        The records below the header.
    delimiter
        What separates the fields.
    n_fields
        Fields of each record: the row's name, the columns, and others that are passed over.
    findings
        What was assumed about the format.
    corner
        What stands above the names of the rows, if anything does.
    n_texts
        Fields between the row's name and the first column that describe the row.
    features_in_rows
        Whether the format says that features stand in rows.
    """

    path: Path
    columns: list[str]
    rows: list[str]
    body: str
    delimiter: str
    n_fields: int
    findings: tuple[Finding, ...] = ()
    corner: str | None = None
    n_texts: int = 0
    features_in_rows: bool = False

    def numbers(self) -> pd.DataFrame | None:
        """Return the cells as float64, or ``None`` if not all of them are plain numbers."""
        values = read_number_matrix(
            self.body,
            delimiter=self.delimiter,
            n_fields=self.n_fields,
            kept=self._kept,
            missing=MISSING_TOKENS,
        )
        if values is None:
            return None
        self._check_parsed(len(values))
        return pd.DataFrame(values, index=self._index, columns=self._names)

    def inferred(self) -> pd.DataFrame:
        """Return the cells, each column with the type that fits all of it, text if none does."""
        try:
            columns = read_text_columns(
                self.body, delimiter=self.delimiter, n_fields=self.n_fields, kept=self._kept
            )
        except ValueError as error:
            raise ReadError(f"{self.path} cannot be parsed: {error}") from None
        self._check_parsed(len(columns[0]))
        typed = {at: to_typed(column, MISSING_TOKENS, TRUTHS) for at, column in enumerate(columns)}
        cells = pd.DataFrame(typed, index=self._index)
        cells.columns = self._names
        return cells

    @property
    def _kept(self) -> range:
        first = 1 + self.n_texts
        return range(first, first + len(self.columns))

    @property
    def _index(self) -> pd.Index:
        return pd.Index(self.rows, dtype=object, name=self.corner)

    @property
    def _names(self) -> pd.Index:
        return pd.Index(self.columns, dtype=object)

    def _check_parsed(self, n_parsed: int) -> None:
        if n_parsed != len(self.rows):
            raise ReadError(
                f"{self.path} has {count(len(self.rows), 'record')}, of which {n_parsed} could "
                "be parsed; a quotation mark may be unbalanced"
            )


def read_text_table(path: Path) -> TextTable:
    """Read a delimited file: first row the column names, first column the row names.

    The delimiter goes by the extension (``.csv`` comma, ``.tsv`` and ``.txt``
    tab, each also with ``.gz``); a file that is clearly separated by
    semicolons, or says in its first line what separates its fields (``sep=;``,
    as Excel writes), is accepted with a finding, and so is a header that is one name
    short, as R's ``write.table`` leaves it, delimiters at the ends of all
    rows or of the header, and what :mod:`poems.data.text.preamble` knows of
    comments and formats with a head of their own.

    Raises
    ------
    ReadError
        If the file cannot be read as text, seems to use another delimiter,
        or has records of different lengths; the text names the line.
    """
    lines = read_text(path).rstrip("\n").split("\n")
    declared = _DECLARED.fullmatch(lines[0])
    if declared is None or not any(map(str.strip, lines[1:])):
        return table_of_lines(path, lines)
    name = DELIMITER_NAMES[declared[1]]
    text = f"{path}: its first line, {lines[0]!r}, tells Excel what separates its fields: {name}s"
    # An empty line in its place keeps the numbers of the others.
    note = Finding("note", "declared-delimiter", text)
    return table_of_lines(path, ["", *lines[1:]], declared[1], (note,))


def table_of_lines(
    path: Path, lines: list[str], delimiter: str = "", findings: tuple[Finding, ...] = ()
) -> TextTable:
    """Return the table in the lines of a file, as :func:`read_text_table` does.

    Parameters
    ----------
    path
        The file.
    lines
        Its lines; not empty.
    delimiter
        What separates the fields, if that is known; otherwise the extension and the lines tell.
    findings
        What was assumed before.

    Raises
    ------
    ReadError
        If they seem to be separated in another way, or records have different lengths.
    """
    frame = find_table(path, lines, delimiter or DELIMITERS[table_suffix(path)])
    lines, offset = frame.lines, frame.offset
    if delimiter:
        _require_no_title(path, lines, delimiter, offset)
    else:
        delimiter, found = _delimiter(path, lines, offset)
        findings += found
    quoted = any('"' in line for line in lines)
    header, body_start = _header(path, lines, delimiter, offset)
    read_records = _quoted_records if quoted else _plain_records
    records, body = read_records(path, lines[body_start:], delimiter, offset + body_start)
    if not records:
        raise ReadError(f"{path} has a header but no rows; copy it again, or write it again")
    shape = table_shape(path, header, records, delimiter)
    if not shape.columns:
        raise ReadError(
            f"{path} has a single column when split at {DELIMITER_NAMES[delimiter]}s; "
            "expected sample names and at least one more column. If something else separates its "
            "fields, save it as CSV"
        )
    n_texts = 0 if frame.gct is None else frame.gct[2]
    _require_sizes(path, frame.gct, shape, len(records))
    has_corner = len(header) > len(shape.columns)
    return TextTable(
        path=path,
        columns=shape.columns[n_texts:],
        rows=[record.name for record in records],
        body="\n".join(body),
        delimiter=delimiter,
        n_fields=shape.n_fields,
        findings=frame.findings + findings + shape.findings,
        corner=header[0].strip() or None if has_corner else None,
        n_texts=n_texts,
        features_in_rows=frame.features_in_rows,
    )


def _require_sizes(
    path: Path, claimed: tuple[int, int, int] | None, shape: Shape, n_rows: int
) -> None:
    """Refuse a GCT file that holds another number of rows or columns than it says."""
    if claimed is None:
        return
    # A file that was cut may lack even the columns that describe rows.
    there = n_rows, max(len(shape.columns) - claimed[2], 0)
    if there != claimed[:2]:
        raise ReadError(
            f"{path} should hold {claimed[0]} rows and {claimed[1]} columns of values, as its head "
            f"says, but there are {there[0]} and {there[1]}: the file was cut or edited; "
            "copy it again, or mend its second line"
        )


def _header(path: Path, lines: list[str], delimiter: str, offset: int) -> tuple[list[str], int]:
    """Return the first record and the number of lines up to its end."""
    start = next(number for number, line in enumerate(lines) if line.strip())
    reader = csv.reader((f"{line}\n" for line in lines[start:]), delimiter=delimiter)
    try:
        return next(reader), start + reader.line_num
    except csv.Error as error:
        raise ReadError(_quotation_text(path, offset + start + 1, error)) from None


def _plain_records(
    _: Path, lines: list[str], delimiter: str, offset: int
) -> tuple[list[Record], list[str]]:
    """Return the records and their lines: those that are not blank."""
    kept = [(number, line) for number, line in enumerate(lines, offset + 1) if line.strip()]
    # Splitting wide lines into strings would cost more than parsing their numbers.
    records = [
        Record(
            number,
            tuple(line.split(delimiter, N_SHOWN)[:N_SHOWN]),
            line.count(delimiter) + 1,
            line.count(delimiter, len(line.rstrip(f"{delimiter} \t"))),
        )
        for number, line in kept
    ]
    return records, [line for _, line in kept]


def _quoted_records(
    path: Path, lines: list[str], delimiter: str, offset: int
) -> tuple[list[Record], list[str]]:
    """Return the records and their lines, where a field may hold delimiters and line ends."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    records: list[Record] = []
    kept: list[str] = []
    start = 0
    try:
        for fields in reader:
            if len(fields) > 1 or any(field.strip() for field in fields):
                n_trailing = next((n for n, x in enumerate(reversed(fields)) if x.strip()), 0)
                first = tuple(fields[:N_SHOWN])
                records.append(Record(offset + start + 1, first, len(fields), n_trailing))
                kept += lines[start : reader.line_num]
            start = reader.line_num
    except csv.Error as error:
        raise ReadError(_quotation_text(path, offset + start + 1, error)) from None
    return records, kept


def _quotation_text(path: Path, line: int, error: csv.Error) -> str:
    return f"{path}, line {line}: {error}; a quotation mark may be unbalanced"


def _delimiter(path: Path, lines: list[str], offset: int) -> tuple[str, tuple[Finding, ...]]:
    """Return what separates the fields, judged by the extension and the first two lines."""
    expected = DELIMITERS[table_suffix(path)]
    first_two = [line for line in lines[:10] if line.strip()][:2]

    def widths(delimiter: str) -> list[int]:
        return [_n_fields(line, delimiter) for line in first_two]

    def splits(delimiter: str) -> bool:
        header, *body = widths(delimiter)
        # Delimiters at the ends may stand for fields or not.
        least = [_n_fields(line.rstrip(f"{delimiter} \t"), delimiter) for line in first_two]
        if not body:
            return header > 1
        return body[0] > 1 and body[0] >= least[0] and least[1] <= header + 1

    if splits(expected):
        even = expected == "," and len(set(widths(";"))) == 1 and splits(";")
        if even and max(widths(";")) > 1 and widths(",")[0] == 1:
            return ";", (_semicolons(path),)  # the commas below the header are decimal ones
        if even:
            raise ReadError(
                f"{path} could be split at commas or at semicolons; if its decimals are written "
                "with a comma, write them with a point, otherwise quote the names"
            )
        return expected, ()
    for other in (",", "\t", ";", " "):
        if other == expected or not splits(other) or (other == " " and max(widths(expected)) > 1):
            continue
        if other == ";":
            return ";", (_semicolons(path),)
        raise ReadError(
            f"{path} should be separated by {DELIMITER_NAMES[expected]}s, going by its extension, "
            f"but seems to use {DELIMITER_NAMES[other]}s; {_REMEDIES[other]}"
        )
    _require_no_title(path, lines, expected, offset)
    return expected, ()


def _semicolons(path: Path) -> Finding:
    return Finding("note", "semicolons", f"{path} is separated by semicolons and was read so")


def _require_no_title(path: Path, lines: list[str], delimiter: str, offset: int) -> None:
    """Refuse lines without fields above a table of several columns."""
    filled = [
        (at, line) for at, line in enumerate(lines[:_MOST_TITLES], offset + 1) if line.strip()
    ]
    sizes = [_n_fields(line, delimiter) for _, line in filled]
    n = next((at for at, size in enumerate(sizes) if size > 1), 0)
    if not n or sizes[n] < _FEWEST_FIELDS or len(set(sizes[n:])) > 2:
        return
    first, header = filled[0], filled[n]
    which = f"line {first[0]}" if n == 1 else f"lines {first[0]} to {filled[n - 1][0]}"
    raise ReadError(
        f"{path}: {which} ({shorten(first[1].strip())}) {'stands' if n == 1 else 'stand'} above "
        f"the table, whose header seems to be line {header[0]}; delete what stands above it, or "
        "begin these lines with '#'"
    )


def _n_fields(line: str, delimiter: str) -> int:
    if '"' not in line:
        return line.count(delimiter) + 1
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:  # a wide line that this delimiter does not split is too long for a field
        return 1
