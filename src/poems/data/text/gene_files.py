"""Gene sets in GMT files, and tables that say which gene a feature belongs to."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from poems.data.files import existing_file, read_text
from poems.data.formats import table_suffix
from poems.data.text.tables import DELIMITERS
from poems.errors import DataError, ReadError
from poems.findings import Finding, count, name_some

# Characters of a line that an error shows.
_SHOWN = 60
# Sets from which can be seen that descriptions are genes, and the share of them that has to be.
_FEWEST_SETS, _NEARLY_ALL = 3, 0.8


@dataclass(frozen=True)
class GeneSets:
    """Gene sets by name, each a tuple of different genes; ``findings`` say what was assumed.

    ``descriptions`` are of sets by name, empty ones and those that findings doubt left out.
    """

    sets: dict[str, tuple[str, ...]]
    findings: tuple[Finding, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)


def read_gmt(paths: Sequence[str | Path]) -> GeneSets:
    """Read gene sets from GMT files, plain or gzipped.

    A line is a set: its name, a description and its genes, between tabs. Empty lines and empty
    fields at the end are passed over. A name that two files use is called ``"file:name"`` in both.
    Files that seem to have genes where descriptions belong are named in a finding.

    Raises
    ------
    ReadError
        If a file cannot be read, or a line is no set; the text names file and line.
    DataError
        If no file is given, or one names a set twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "sets.gmt"
    >>> _ = path.write_text("HYPOXIA\\tno description\\tLOX\\tVEGFA\\n")
    >>> read_gmt([path]).sets
    {'HYPOXIA': ('LOX', 'VEGFA')}
    """
    if not paths:
        raise DataError("no file of gene sets was given")
    findings: list[Finding] = []
    read = [(Path(path), _read_file(Path(path), findings)) for path in paths]
    names = pd.Series([name for _, (sets, _) in read for name in sets], dtype=object)
    shared = set(names[names.duplicated()])
    found: dict[str, tuple[str, ...]] = {}
    described: dict[str, str] = {}
    for path, (sets, descriptions) in read:
        for name, genes in sets.items():
            full = f"{path.name}:{name}" if name in shared else name
            if full in found:
                raise DataError(
                    f"two files called {path.name} hold the set '{name}'; give each file once"
                )
            found[full] = genes
            if name in descriptions:
                described[full] = descriptions[name]
    if not shared:
        return GeneSets(found, tuple(findings), described)
    text = (
        f"{count(len(shared), 'gene set')} in several files, called after their file: "
        f"{name_some(sorted(shared))}"
    )
    findings.append(Finding("note", "gene-sets-twice", text, items=tuple(sorted(shared))))
    return GeneSets(found, tuple(findings), described)


def read_feature_map(path: str | Path) -> pd.DataFrame:
    """Read which gene each feature belongs to.

    Parameters
    ----------
    path
        A .csv, .tsv or .txt (tabs) file, plain or gzipped, with the columns ``feature`` and
        ``gene``, in any case; others are passed over. A feature may have several rows, one a
        gene. Rows without a gene are passed over.

    Returns
    -------
    DataFrame
        Columns ``feature`` and ``gene``, as text.

    Raises
    ------
    ReadError
        If it cannot be read, lacks a column, or a row has another number of fields; the text names
        file and line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "map.csv"
    >>> _ = path.write_text("feature,gene\\ncg01,LOX\\ncg02,LOX\\n")
    >>> read_feature_map(path)["gene"].tolist()
    ['LOX', 'LOX']
    """
    file = Path(path)
    table = read_names(file, "table of features and genes")
    header = [str(name).strip().lower() for name in table.columns]
    if header.count("feature") != 1 or header.count("gene") != 1:
        raise ReadError(
            f"{file}: the first line must name the columns 'feature' and 'gene', each once; it "
            f"reads '{_short(', '.join(table.columns))}'"
        )
    pairs = table.iloc[:, [header.index("feature"), header.index("gene")]].copy()
    pairs.columns = pd.Index(["feature", "gene"])
    pairs["gene"] = pairs["gene"].str.strip()
    pairs = pairs[pairs["gene"] != ""].drop_duplicates(ignore_index=True)
    if not len(pairs):
        raise ReadError(f"{file} gives no gene for any feature")
    return pairs


def read_new_names(path: str | Path) -> dict[str, str]:
    """Read a table of two columns: names as they are, and what they are to become.

    Raises
    ------
    ReadError
        If it cannot be read, has another number of columns, or names a feature twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.csv"
    >>> _ = path.write_text("here,model\\nMARCHF1,MARCH1\\n")
    >>> read_new_names(path)
    {'MARCHF1': 'MARCH1'}
    """
    file = Path(path)
    table = read_names(file, "table of names")
    if table.shape[1] != 2:
        raise ReadError(
            f"{file} has {count(table.shape[1], 'column')}; a table of names has two: the name in "
            "the new tables, and in the model"
        )
    old, new = (table.iloc[:, at].str.strip() for at in (0, 1))
    twice = old[old.duplicated()].unique()
    if len(twice):
        raise ReadError(f"{file} names {name_some(map(repr, twice), 5)} more than once")
    return dict(zip(old, new, strict=True))


def read_names(path: Path, what: str) -> pd.DataFrame:
    """Read a small table of names, all of it as text, whatever it looks like.

    Parameters
    ----------
    path
        A .csv, .tsv or .txt (tabs) file with a header, plain or gzipped. Empty lines are
        passed over.
    what
        What it holds, for errors: ``"table of cis pairs"``.

    Raises
    ------
    ReadError
        If it cannot be read, or a row has another number of fields than the header; the text
        names file and row.
    """
    file = existing_file(path)
    delimiter = DELIMITERS.get(table_suffix(file))
    if delimiter is None:
        raise ReadError(f"{file}: the {what} must be .csv, .tsv or .txt (each also .gz)")
    try:
        rows = list(csv.reader(io.StringIO(read_text(file)), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ReadError(f"{file} cannot be read as a table: {error}") from None
    header, kept = rows[0], []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ReadError(
                f"{file}, row {line}: {count(len(row), 'field')} where the first line has "
                f"{len(header)}: '{_short(delimiter.join(row))}'"
            )
        kept.append(row)
    return pd.DataFrame(kept, columns=header, dtype=object)


def _undescribed(
    path: Path, sets: Mapping[str, tuple[str, ...]], descriptions: Mapping[str, str]
) -> Iterator[Finding]:
    """Say so where descriptions are genes of other sets, each of which its own set then lacks."""
    everything = {gene for genes in sets.values() for gene in genes}
    genes = [each for each in descriptions.values() if each in everything]
    if len(sets) < _FEWEST_SETS or len(genes) < _NEARLY_ALL * len(sets):
        return
    text = (
        f"{path} seems to lack descriptions: what stands in their place are genes "
        f"({name_some(genes)}), which their sets do not count. Put a description, or anything, "
        "between the name of each set and its genes"
    )
    yield Finding("warning", "gene-sets-undescribed", text)


def _read_file(
    path: Path, findings: list[Finding]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the sets of a file, and their descriptions unless these are in doubt."""
    sets: dict[str, tuple[str, ...]] = {}
    descriptions: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("\t")]
        name, genes = fields[0], tuple(dict.fromkeys(filter(None, fields[2:])))
        if len(fields) < 3 or not name or not genes:
            what = "no tab" if len(fields) == 1 else "no name" if not name else "no gene"
            raise ReadError(
                f"{path}, line {number}: not a gene set of a GMT file ({what}): "
                f"'{_short(line)}'. A line is a name, a description and genes, between tabs"
            )
        if name in sets:
            raise DataError(
                f"{path}, line {number}: the set '{name}' stands on line {lines[name]} already; "
                "name them apart"
            )
        sets[name], lines[name] = genes, number
        if fields[1]:
            descriptions[name] = fields[1]
    doubts = list(_undescribed(path, sets, descriptions))
    findings += doubts
    return sets, {} if doubts else descriptions


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
