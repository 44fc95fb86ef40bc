"""Delimited text (CSV, TSV) as a table whose names are kept exactly as written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from poems.data.files import read_text
from poems.data.numeric import MISSING_TOKENS, shorten
from poems.errors import ReadError
from poems.findings import Finding, count

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}

_DELIMITER_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", " ": "spaces"}
_REMEDIES = {
    ",": "rename it to .csv",
    "\t": "rename it to .tsv",
    ";": "rename it to .csv",
    " ": "save it as CSV",
}
# The C parser turns these into 1.0 and 0.0 even where floats are asked for.
_BOOLEAN_TEXTS = ("True", "TRUE", "true", "False", "FALSE", "false")


def table_suffix(path: Path) -> str:
    """Return the extension that says what is in a file, without ``.gz``.

    >>> table_suffix(Path("rna.v2.CSV.gz"))
    '.csv'
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


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
    findings
        What was assumed about the format.
    """

    path: Path
    columns: list[str]
    rows: list[str]
    body: str
    delimiter: str
    findings: tuple[Finding, ...] = ()

    def numbers(self) -> pd.DataFrame | None:
        """Return the cells as float64, or ``None`` if not all of them are plain numbers."""
        if any(text in self.body for text in _BOOLEAN_TEXTS):
            return None
        try:
            return self._parse(dtype=np.float64)
        except ValueError:
            return None

    def inferred(self) -> pd.DataFrame:
        """Return the cells, each column with the type that fits all of it, text if none does."""
        return self._parse(dtype=None)

    def _parse(self, dtype: type | None) -> pd.DataFrame:
        try:
            cells: pd.DataFrame = pd.read_csv(
                io.StringIO(self.body),
                sep=self.delimiter,
                header=None,
                usecols=range(1, len(self.columns) + 1),
                dtype=dtype,
                na_values=list(MISSING_TOKENS),
                keep_default_na=False,
                low_memory=False,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ReadError(f"{self.path} cannot be parsed: {error}") from None
        if len(cells) != len(self.rows):
            raise ReadError(
                f"{self.path} has {count(len(self.rows), 'record')}, of which {len(cells)} could "
                "be parsed; a quotation mark may be unbalanced"
            )
        cells.columns = pd.Index(self.columns, dtype=object)
        cells.index = pd.Index(self.rows, dtype=object)
        return cells


def read_text_table(path: Path) -> TextTable:
    """Read a delimited file: first row the column names, first column the row names.

    The delimiter goes by the extension (``.csv`` comma, ``.tsv`` and ``.txt``
    tab, each also with ``.gz``); a ``.csv`` that is clearly separated by
    semicolons is accepted with a finding, and so is a header that is one name
    short, as R's ``write.table`` leaves it.

    Raises
    ------
    ReadError
        If the file cannot be read as text, seems to use another delimiter,
        or has records of different lengths; the text names the line.
    """
    lines = read_text(path).rstrip("\n").split("\n")
    delimiter, findings = _delimiter(path, lines)
    quoted = any('"' in line for line in lines)
    header, body_start = _header(path, lines, delimiter)
    body = lines[body_start:]
    records = list(
        _quoted_records(path, body, delimiter, body_start)
        if quoted
        else _plain_records(body, delimiter, body_start)
    )
    if not records:
        raise ReadError(f"{path} has a header but no rows")
    width = records[0].n_fields
    # A single column and decimal commas also make three fields under a header of two.
    has_corner = width != len(header) + 1 or (delimiter == "," and len(header) == 2)
    expected = len(header) if has_corner else width
    ragged = [record for record in records if record.n_fields != expected]
    if ragged:
        raise ReadError(_ragged_text(path, ragged, expected, delimiter))
    if expected < 2:
        raise ReadError(
            f"{path} has a single column when split at {_DELIMITER_NAMES[delimiter]}; "
            "expected sample names and at least one more column"
        )
    if not has_corner:
        text = (
            f"{path} names {count(len(header), 'column')} for {count(width, 'field')}, as R's "
            "write.table does: the first field was taken for the row name"
        )
        findings += (Finding("note", "no-corner", text),)
    return TextTable(
        path=path,
        columns=header[1:] if has_corner else header,
        rows=[record.name for record in records],
        body="\n".join(body if quoted else [line for line in body if line.strip()]),
        delimiter=delimiter,
        findings=findings,
    )


class _Record(NamedTuple):
    line: int
    name: str
    n_fields: int


def _header(path: Path, lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """Return the first record and the number of lines up to its end."""
    start = next(number for number, line in enumerate(lines) if line.strip())
    reader = csv.reader((f"{line}\n" for line in lines[start:]), delimiter=delimiter)
    try:
        return next(reader), start + reader.line_num
    except csv.Error as error:
        raise ReadError(_quotation_text(path, start + 1, error)) from None


def _plain_records(lines: list[str], delimiter: str, offset: int) -> Iterator[_Record]:
    for number, line in enumerate(lines, start=offset + 1):
        if line.strip():
            # Splitting wide lines into strings would cost more than parsing their numbers.
            yield _Record(number, line.partition(delimiter)[0], line.count(delimiter) + 1)


def _quoted_records(path: Path, lines: list[str], delimiter: str, offset: int) -> Iterator[_Record]:
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    start = offset + 1
    try:
        for fields in reader:
            if len(fields) > 1 or any(field.strip() for field in fields):
                yield _Record(start, fields[0], len(fields))
            start = offset + reader.line_num + 1
    except csv.Error as error:
        raise ReadError(_quotation_text(path, start, error)) from None


def _quotation_text(path: Path, line: int, error: csv.Error) -> str:
    return f"{path}, line {line}: {error}; a quotation mark may be unbalanced"


def _ragged_text(path: Path, ragged: list[_Record], expected: int, delimiter: str) -> str:
    line, name, n_fields = ragged[0]
    text = (
        f"{path}, line {line} (row {shorten(name)}) has {count(n_fields, 'field')}, expected "
        f"{expected} as in the header"
    )
    if len(ragged) > 1:
        text += f"; {len(ragged)} lines do not fit"
    if delimiter == "," and n_fields == 2 * expected - 1:
        return text + ". Decimals seem to be written with a comma: write them with a point"
    if "\n" in name:
        return text + ". A quotation mark may be unbalanced"
    return text + ". Is the file complete, and is every field that holds a delimiter quoted?"


def _delimiter(path: Path, lines: list[str]) -> tuple[str, tuple[Finding, ...]]:
    """Return what separates the fields, judged by the extension and the first two lines."""
    expected = DELIMITERS[table_suffix(path)]
    first_two = [line for line in lines[:10] if line.strip()][:2]

    def widths(delimiter: str) -> list[int]:
        return [_n_fields(line, delimiter) for line in first_two]

    def splits(delimiter: str) -> bool:
        header, *body = widths(delimiter)
        return body[0] > 1 and body[0] in (header, header + 1) if body else header > 1

    if splits(expected):
        if expected == "," and len(set(widths(";"))) == 1 and splits(";"):
            raise ReadError(
                f"{path} could be split at commas or at semicolons; if its decimals are written "
                "with a comma, write them with a point, otherwise quote the names"
            )
        return expected, ()
    for other in (",", "\t", ";", " "):
        if other == expected or not splits(other) or (other == " " and max(widths(expected)) > 1):
            continue
        if (expected, other) == (",", ";"):
            text = f"{path} is separated by semicolons and was read so"
            return ";", (Finding("note", "semicolons", text),)
        raise ReadError(
            f"{path} should be separated by {_DELIMITER_NAMES[expected]}, going by its extension, "
            f"but seems to use {_DELIMITER_NAMES[other]}; {_REMEDIES[other]}"
        )
    return expected, ()


def _n_fields(line: str, delimiter: str) -> int:
    if '"' not in line:
        return line.count(delimiter) + 1
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:  # a wide line that this delimiter does not split is too long for a field
        return 1
