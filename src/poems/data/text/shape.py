"""Which field of a delimited file belongs under which name of its header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from poems.data.numeric import shorten
from poems.errors import ReadError
from poems.findings import Finding, count

DELIMITER_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", " ": "space"}

# What stands above a column of names: nothing, or a word such as sample, Patient ID, gene_name,
# Tumor_Sample_Barcode, ProbeID.
_ABOVE_NAMES = re.compile(
    r"(Unnamed: 0|#)?|"
    r"(.*[^a-z0-9])?"
    r"(((sample|patient|subject|participant|individual|person|donor|case|specimen|aliquot|"
    r"tumou?r|cell|cell[ _.-]?line|run|gene|feature|probe|protein|transcript|peptide|metabolite|"
    r"analyte|taxon|otu|asv|mirna|cpg|row|index|entity)s?"
    r"([ _.-]?(id|ids|name|names|barcode|symbol|code|key|label|number|no|nr|accession))?)|"
    r"(id|ids|identifier|name|names|barcode|symbol|accession|uuid|mrn|rownames|rn))",
    re.IGNORECASE,
)
# Fields at the start of a record that are kept to be shown: its name, and some values.
N_SHOWN = 4


class Record(NamedTuple):
    """A row: its line, its first fields, how many it has, and how many at its end are empty."""

    line: int
    first: tuple[str, ...]
    n_fields: int
    n_trailing: int

    @property
    def name(self) -> str:
        """The first field."""
        return self.first[0]


@dataclass(frozen=True)
class Shape:
    """How the fields of all rows lie under the header.

    Parameters
    ----------
    columns
        Names of the columns, that of the rows' names left out.
    n_fields
        Fields of each row; those after the columns' are empty.
    findings
        What was assumed.
    """

    columns: list[str]
    n_fields: int
    findings: tuple[Finding, ...] = ()


def table_shape(path: Path, header: list[str], records: list[Record], delimiter: str) -> Shape:
    """Tell which field belongs under which name: the header decides, and fields that are empty.

    A header may be one name short, as R's ``write.table`` leaves it. Delimiters
    at the end of every row, of the header or of both are passed over, if no
    value is lost; the findings say so. A last column that the header names is
    kept, whether it has values or not.

    Parameters
    ----------
    path, header, records, delimiter
        The file and what was found in it.

    Raises
    ------
    ReadError
        If rows have other numbers of fields than the header, or if a header
        that is shorter than all rows, which end with an empty field, can be
        read in two ways; the text shows both.
    """
    width = records[0].n_fields
    if any(record.n_fields != width for record in records):
        raise ReadError(_ragged_text(path, header, records, delimiter))
    n_spare = _n_empty_at_end(header)
    names = header[: len(header) - n_spare]
    n_valued = width - min(record.n_trailing for record in records)
    has_corner = len(names) <= width and n_valued <= len(names)
    has_none = len(names) + 1 <= width and n_valued <= len(names) + 1
    if width == len(header):  # A header with empty names above values is refused with the names.
        has_corner, has_none = True, False
        names = names if n_valued <= len(names) else header
    elif width == len(header) + 1 and n_valued > len(names) + 1:  # So is this one.
        names, has_none = header, True
    elif has_corner and has_none:
        has_none = not _ABOVE_NAMES.fullmatch(names[0].strip())
        if has_none and len(names) > 1:
            raise ReadError(_two_readings_text(path, names, records[0].first, delimiter))
    # A single column and decimal commas also make three fields under a header of two.
    elif has_none and delimiter == "," and len(header) == 2 and width == 3:
        has_none = False
    if not has_corner and not has_none:
        raise ReadError(_ragged_text(path, header, records, delimiter))
    has_corner = has_corner and not has_none
    findings: tuple[Finding, ...] = ()
    columns = names[1:] if has_corner else names
    n_more = width - len(columns) - 1, len(header) - len(names)
    if any(n_more):
        findings += (
            Finding("note", "trailing-delimiter", _dropped_text(path, delimiter, *n_more)),
        )
    if not has_corner:
        text = (
            f"{path} names {count(len(names), 'column')} for "
            f"{count(len(columns) + 1, 'field')}, as R's write.table does: the first field was "
            "taken for the row name"
        )
        findings += (Finding("note", "no-corner", text),)
    return Shape(columns, width, findings)


def _n_empty_at_end(header: list[str]) -> int:
    """Count the empty names at the end of a header, its first aside."""
    n = 0
    while n < len(header) - 1 and not header[-1 - n].strip():
        n += 1
    return n


def _dropped_text(path: Path, delimiter: str, in_rows: int, in_header: int) -> str:
    where = "every row" if not in_header else "the header and every row"
    where = "the header" if not in_rows else where
    n = max(in_rows, in_header)
    name = DELIMITER_NAMES[delimiter]
    what = f"a {name}" if n == 1 else f"{n} {name}s"
    fields = "field was" if n == 1 else "fields were"
    return f"{path}: {where} ends with {what} after the last column; the empty {fields} passed over"


def _two_readings_text(path: Path, names: list[str], first: Sequence[str], delimiter: str) -> str:
    def shown(columns: list[str]) -> str:
        values = zip(columns, first[1:], strict=False)
        pairs = [f"{shorten(name)} = {value.strip() or '(empty)'}" for name, value in values]
        return ", ".join(pairs) + (", …" if len(columns) >= N_SHOWN else "")

    row, comma = shorten(first[0]), DELIMITER_NAMES[delimiter]
    return (
        f"{path}: every row has more fields than the header has names, and ends with an empty "
        f"one, so the file can be read in two ways. Either each row ends with a {comma} too "
        f"many, {shorten(names[0])} stands above the names of the rows, and row {row} has "
        f"{shown(names[1:])}; or nothing stands above them, as in R's write.table, row {row} has "
        f"{shown(names)}, and {shorten(names[-1])} is empty in every row. In the first case "
        f"delete the {comma}s at the ends of the rows; in the second put a {comma} before the "
        "header"
    )


def _ragged_text(path: Path, header: list[str], records: list[Record], delimiter: str) -> str:
    width = records[0].n_fields
    # A single column and decimal commas also make three fields under a header of two.
    no_corner = width == len(header) + 1 and not (delimiter == "," and len(header) == 2)
    expected = width if no_corner else len(header)
    ragged = [record for record in records if record.n_fields != expected]
    line, n_fields, n_trailing = ragged[0].line, ragged[0].n_fields, ragged[0].n_trailing
    name = ragged[0].name
    text = (
        f"{path}, line {line} (row {shorten(name)}) has {count(n_fields, 'field')}, expected "
        f"{expected} as in the header"
    )
    if len(ragged) > 1:
        text += f"; {len(ragged)} lines do not fit"
    if delimiter == "," and n_fields == 2 * expected - 1 and not n_trailing:
        return text + ". Decimals seem to be written with a comma: write them with a point"
    if "\n" in name:
        return text + ". A quotation mark may be unbalanced"
    if n_fields - n_trailing <= expected < n_fields:
        comma = DELIMITER_NAMES[delimiter]
        return text + f". It ends with a {comma}: if nothing is missing there, delete it"
    return text + ". Is the file complete, and is every field that holds a delimiter quoted?"
