"""What stands around the table in a text file: comments, and the head of GCT and series matrix."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from poems.data.numeric import shorten
from poems.data.obs.missing import missing_in_numbers
from poems.errors import ReadError
from poems.files.text_numbers import NUMBER
from poems.findings import Finding, count

_GCT = re.compile(r"#1\.[23]")
_SERIES: Final = ("!series_", "!sample_", "!platform_")
_BEGIN, _END = "!series_matrix_table_begin", "!series_matrix_table_end"
_TYPES: Final = frozenset(("string", "number", "boolean", "datetime"))
_FEWEST_TYPED: Final = 4
_DELIMITERS: Final = (",", "\t", ";")

# Formats that are no table of samples by features, by their first line, and what to do.
_OTHERS: Final = (
    (
        re.compile(r"##fileformat=VCF", re.IGNORECASE),
        "is a VCF file: a row is a variant. Make a table of samples by genes of it (1 where a "
        "sample has a mutation that counts, else 0) and give that",
    ),
    (
        re.compile(r"\^(DATABASE|SERIES|PLATFORM|SAMPLE)\s*=", re.IGNORECASE),
        "is a SOFT file of GEO; download the series matrix of the same series instead",
    ),
    (
        re.compile(r"%%MatrixMarket", re.IGNORECASE),
        "is a matrix in Matrix Market format, which has no names; join it with its features and "
        "barcodes and write it as .h5ad (scanpy.read_10x_mtx does so)",
    ),
    (
        re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE),
        "is a web page or XML, not a table: perhaps a page about an error was saved in its place; "
        "download the file again",
    ),
    (
        re.compile(r"version https://git-lfs"),
        "is a pointer of Git LFS, not the table itself; fetch the file with 'git lfs pull'",
    ),
    (re.compile(r"\s*[\[{]\s*(\"[^\"]*\"\s*[:,]|$|[\[{])"), "is JSON, not a table; save it as CSV"),
)


@dataclass(frozen=True)
class Frame:
    """Where in a file its table lies.

    Parameters
    ----------
    lines
        The table's, its header first.
    offset
        Lines before these.
    gct
        Of a GCT file: numbers of rows, columns, and columns that describe the rows.
    features_in_rows
        Whether the format says that features stand in rows.
    findings
        What was passed over.
    """

    lines: list[str]
    offset: int = 0
    gct: tuple[int, int, int] | None = None
    features_in_rows: bool = False
    findings: tuple[Finding, ...] = ()


def find_table(path: Path, lines: list[str], delimiter: str) -> Frame:
    r"""Return the table in the lines of a text file, and what was passed over around it.

    Recognised are the heads of GCT 1.2 and 1.3 files and of series matrices of GEO, and
    comments: lines that begin with ``#``, before the header or after the last row. The last of
    them is the header itself where its fields fit the rows and the line after it holds values.

    Parameters
    ----------
    path
        For messages.
    lines
        Of the whole file.
    delimiter
        What separates fields, going by the file's name.

    Raises
    ------
    ReadError
        If it is a format of another kind, its head does not fit what follows, or either of
        two lines may be the header.

    Examples
    --------
    >>> frame = find_table(Path("rna.csv"), ["# by LIMS", "id,g1", "s1,0.5"], ",")
    >>> frame.lines, frame.offset
    (['id,g1', 's1,0.5'], 1)
    """
    start = next(at for at, line in enumerate(lines) if line.strip())
    first = lines[start].lstrip().strip('"')
    for pattern, what in _OTHERS:
        if pattern.match(first):
            raise ReadError(f"{path} {what}")
    if _GCT.fullmatch(first.rstrip(f"{delimiter}\t,; ").strip('"')):
        return _gct(path, lines, start)
    named = path.with_suffix("") if path.suffix == ".gz" else path
    if named.suffix == ".gct":
        raise ReadError(
            f"{path} is named as a GCT file, whose first line is '#1.2' or '#1.3', and begins with "
            f"{shorten(first)}; copy it again, or name it .tsv (and pass --features-in-rows)"
        )
    if first.lower().startswith(_SERIES) or first.lower().startswith(_BEGIN):
        return _series_matrix(path, lines, start)
    if first.startswith("#"):
        return _commented(path, lines, start, delimiter)
    return _without_tail(path, Frame(lines), delimiter)


def _gct(path: Path, lines: list[str], start: int) -> Frame:
    sizes = next((at for at in range(start + 1, len(lines)) if lines[at].strip()), start)
    found = re.findall(r"\d+", lines[sizes])
    version = "1.3" if "#1.3" in lines[start] else "1.2"
    if sizes == start or len(found) not in ((2,) if version == "1.2" else (2, 4)):
        raise ReadError(
            f"{path}, line {sizes + 1}: a GCT file names its numbers of rows and columns there, "
            f"not {shorten(lines[sizes])}; write it again"
        )
    n_rows, n_columns, n_texts, n_heads = [*map(int, found), 0, 0][:4]
    n_texts = 1 if version == "1.2" else n_texts
    head = sizes + 1
    # Rows that describe the columns follow the header.
    kept = [*lines[head : head + 1], *lines[head + 1 + n_heads :]]
    if not any(line.strip() for line in kept):
        raise ReadError(f"{path} ends after the head of a GCT file; copy it again")
    what = f"{count(n_texts, 'column')} that describe{'s' if n_texts == 1 else ''} them"
    text = (
        f"{path} is a GCT file (version {version}): features were taken to stand in rows, as they "
        f"do there, and {what} {'was' if n_texts == 1 else 'were'} passed over"
    )
    if n_heads:
        text += f", as {count(n_heads, 'row')} that describe the samples"
    note = Finding("note", "gct", text)
    return Frame(kept, head, (n_rows, n_columns, n_texts), True, (note,))


def _series_matrix(path: Path, lines: list[str], start: int) -> Frame:
    marks = [line.strip().strip('"').lower() for line in lines]
    begin = next((at for at, mark in enumerate(marks) if mark.startswith(_BEGIN)), None)
    if begin is None:
        raise ReadError(
            f"{path} has the head of a series matrix of GEO but no table: the line "
            f"{_BEGIN} is missing; download it again"
        )
    end = next((at for at in range(begin, len(lines)) if marks[at].startswith(_END)), None)
    if end is None:
        raise ReadError(
            f"{path} stops within the table of a series matrix: the line {_END} is missing; "
            "download it again"
        )
    rows = [line for line in lines[begin + 1 : end] if line.strip()]
    if len(rows) < 2:
        raise ReadError(
            f"{path}: the series matrix holds no values, as is usual for sequencing; the values "
            "are among the supplementary files of the series"
        )
    text = (
        f"{path} is a series matrix of GEO: {count(begin + 1 - start, 'line')} before its table "
        "were passed over, and features were taken to stand in rows, as they do there"
    )
    note = Finding("note", "series-matrix", text)
    return Frame(lines[begin + 1 : end], begin + 1, None, True, (note,))


def _commented(path: Path, lines: list[str], start: int, delimiter: str) -> Frame:
    """Pass over leading lines that begin with a hash, unless the last of them is the header."""
    body = next(
        (at for at in range(start, len(lines)) if lines[at].strip() and not _is_comment(lines[at])),
        None,
    )
    if body is None:
        raise ReadError(f"{path} holds nothing but comments (lines that begin with '#')")
    comments = [at for at in range(start, body) if lines[at].strip()]
    last = comments[-1]
    if _is_header(path, lines, comments, body, delimiter):
        comments, body = comments[:-1], last
    findings: tuple[Finding, ...] = ()
    if comments:
        n = len(comments)
        text = (
            f"{path}: {count(n, 'line')} before the table that "
            f"{'begins' if n == 1 else 'begin'} with '#' (such as "
            f"{shorten(lines[comments[0]].strip())}) {'was' if n == 1 else 'were'} passed over as "
            f"{'a comment' if n == 1 else 'comments'}"
        )
        findings = (Finding("note", "comments", text),)
    return _without_tail(path, Frame(lines[body:], body, findings=findings), delimiter)


def _is_header(
    path: Path, lines: list[str], comments: Sequence[int], body: int, delimiter: str
) -> bool:
    """Is the last of the leading comments the header, rather than the line after it?"""
    fits = [
        each for each in (delimiter, *_DELIMITERS) if _fit(lines[comments[-1]], lines[body], each)
    ]
    if not fits:
        return False
    delimiter = fits[0]
    header, first = (_fields(lines[at], delimiter) for at in (comments[-1], body))
    typed = [_fields(lines[at], delimiter) for at in comments]
    if len(comments) >= _FEWEST_TYPED and any(
        {cell.strip("# ").lower() for cell in fields} <= _TYPES for fields in typed
    ):
        return False  # cBioPortal: names, descriptions, types and priorities of the columns
    following = next((line for line in lines[body + 1 :] if line.strip()), None)
    kinds = _kinds(first)
    if following is not None and kinds != _kinds(_fields(following, delimiter)) and not any(kinds):
        return False  # words above numbers
    if any(kinds):
        return True  # numbers below words
    # Nothing but words. A hash and a name are a header's; a hash and a blank, a sentence's.
    if " " not in header[0].strip() and header[0].strip() != "#":
        return True
    raise ReadError(
        f"{path}: either line {comments[-1] + 1} ({shorten(lines[comments[-1]])}) or line "
        f"{body + 1} ({shorten(lines[body])}) may be the header. Take the '#' away from the one, "
        "or delete it if it is a comment"
    )


def _fit(header: str, row: str, delimiter: str) -> bool:
    n_names, n_fields = (len(_fields(line, delimiter)) for line in (header, row))
    return n_names > 1 and n_names in (n_fields, n_fields - 1)


def _without_tail(path: Path, frame: Frame, delimiter: str) -> Frame:
    """Pass over comments after the last row."""
    lines = frame.lines
    end = len(lines)
    while end > 1 and (not lines[end - 1].strip() or _is_comment(lines[end - 1])):
        end -= 1
    tail = [line for line in lines[end:] if line.strip()]
    width = len(_fields(lines[end - 1], delimiter))
    if not tail or end < 2 or any(len(_fields(line, delimiter)) == width for line in tail):
        return frame
    text = (
        f"{path}: {count(len(tail), 'line')} after the table (such as {shorten(tail[0].strip())}) "
        f"{'was' if len(tail) == 1 else 'were'} passed over as comments"
    )
    note = Finding("note", "comments", text)
    return Frame(lines[:end], frame.offset, findings=(*frame.findings, note))


def _is_comment(line: str) -> bool:
    return line.lstrip().lstrip('"').startswith("#")


def _fields(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a field too long: the line is no short comment
        return line.split(delimiter)


def _kinds(fields: Sequence[str]) -> list[bool]:
    """Say which fields of a row, its name aside, hold a number."""
    return [
        NUMBER.fullmatch(cell.strip()) is not None and not missing_in_numbers(cell)
        for cell in fields[1:]
    ]
