"""The kinds of file that hold a cohort, by suffix: one line and one module per kind.

A kind from outside POEMS is added by :func:`register_reader`, or, so that the command line
finds it too, by an entry point of its package in the group ``poems.reader``::

    [project.entry-points."poems.reader"]
    ".loom" = "my_package:read_loom"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poems.errors import ReadError, SettingsError
from poems.findings import Finding
from poems.settings.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

    from poems.data.disk.stores import OpenStore
    from poems.data.stored.in_memory import Split


@dataclass(frozen=True, eq=False)
class Contents:
    """What a reader found in a file.

    Parameters
    ----------
    cells
        The table as it stands in the file: rows and columns by their names, samples in
        either. Names and cells are checked afterwards, for all kinds of file alike.
    findings
        What was assumed about the format.
    obs
        Annotations of the rows, if the file holds any beside the values.
    untyped
        Whether the cells are the text of the file, of which no type is known yet.
    features_in_rows
        Whether the format itself says that features stand in rows.
    """

    cells: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    obs: pd.DataFrame | None = None
    untyped: bool = False
    features_in_rows: bool = False


@dataclass(frozen=True)
class Reader:
    """What can be done with files of one suffix; ``None``: not with these.

    Parameters
    ----------
    table
        Read one view.
    annotations
        Read a table of sample annotations (``obs``).
    cohort
        Read all views of a file whose path is given alone: the source of each view, the
        annotations they share, and the order of the samples.
    parts
        Open a file whose values stay on disk, with the name of its one view if it was
        given (``backed=True``).
    gzipped
        Whether the file may be packed, its name then ending in ``.gz``.
    folder
        Whether it is a folder.
    layers
        Whether the file may hold several layers of values, or sheets: ``table``, ``annotations``,
        ``cohort`` and ``parts`` then take one more argument, the layer to read (``table``,
        ``annotations``) or those of the views.
    """

    table: Callable[..., Contents] | None = None
    annotations: Callable[..., Contents] | None = None
    cohort: Callable[..., Split] | None = None
    parts: Callable[..., OpenStore] | None = None
    gzipped: bool = False
    folder: bool = False
    layers: bool = False


READERS: Registry[Reader | Callable[[Path], Contents]] = Registry(
    "reader",
    {
        ".csv": "poems.data.formats.delimited:READER",
        ".tsv": "poems.data.formats.delimited:READER",
        ".txt": "poems.data.formats.delimited:READER",
        ".gct": "poems.data.formats.delimited:MATRIX",
        ".xlsx": "poems.data.formats.xlsx:READER",
        ".xlsm": "poems.data.formats.xlsx:READER",
        ".parquet": "poems.data.formats.parquet:READER",
        ".h5ad": "poems.data.formats.h5ad:READER",
        ".h5mu": "poems.data.formats.h5mu:READER",
        ".zarr": "poems.data.formats.zarr:READER",
    },
)


def register_reader(suffix: str, reader: Reader | Callable[[Path], Contents]) -> None:
    """Let files of another suffix be read, in this process.

    Parameters
    ----------
    suffix
        In small letters, with its dot: ``".loom"``.
    reader
        What can be done with such files; a function alone reads one view of them.

    Raises
    ------
    SettingsError
        If the suffix is none, or there is a reader for it already.

    Examples
    --------
    >>> register_reader("loom", lambda path: Contents(...))
    Traceback (most recent call last):
    poems.errors.SettingsError: 'loom' is no suffix; one starts with a dot and has small letters...
    """
    is_one = len(suffix) > 1 and Path(f"table{suffix}").suffix == suffix == suffix.lower()
    # Of 'a.b.gz' the last but one counts, so that a reader of '.gz' would never be asked.
    if not is_one or suffix == ".gz":
        raise SettingsError(
            f"{suffix!r} is no suffix; one starts with a dot and has small letters, such as '.loom'"
        )
    READERS.register(suffix, reader)


def table_suffix(path: Path) -> str:
    """Return the suffix that says what is in a file, in small letters and without ``.gz``.

    >>> table_suffix(Path("rna.v2.CSV.gz"))
    '.csv'
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


def reader_of(path: Path) -> Reader | None:
    """Return what can be done with a file, by its suffix; ``None`` for a suffix of no reader."""
    suffix = table_suffix(path)
    return as_reader(READERS[suffix]) if suffix and READERS.has(suffix) else None


def as_reader(registered: Reader | Callable[[Path], Contents]) -> Reader:
    """Return what was registered as a reader, also if it is a function alone."""
    return registered if isinstance(registered, Reader) else Reader(table=registered)


def require_unpacked(path: Path, reader: Reader) -> None:
    """Refuse a file that is packed though those of its kind cannot be.

    Raises
    ------
    ReadError
        If its name ends in ``.gz``.
    """
    if path.suffix.lower() == ".gz" and not reader.gzipped:
        raise ReadError(
            f"{path} is packed, and {table_suffix(path)} files are not read so; unpack it"
        )


def suffixes(use: str, word: str = "or") -> str:
    """List the suffixes that have a use, for errors.

    Parameters
    ----------
    use
        ``"table"``, ``"annotations"``, ``"cohort"`` or ``"parts"``.
    word
        Before the last one.

    Examples
    --------
    >>> suffixes("annotations")
    '.csv, .tsv, .txt (each also .gz), .xlsx, .xlsm or .parquet'
    """
    READERS.discover()
    texts = list(_with_gzipped(use))
    return f" {word} ".join([", ".join(texts[:-1]), texts[-1]] if texts[1:] else texts)


def _with_gzipped(use: str) -> Iterator[str]:
    readers: dict[str, Any] = {suffix: as_reader(READERS[suffix]) for suffix in READERS}
    those = [suffix for suffix, reader in readers.items() if getattr(reader, use) is not None]
    gzipped = [suffix for suffix in those if readers[suffix].gzipped]
    if gzipped:
        yield ", ".join(gzipped) + (" (each also .gz)" if gzipped[1:] else " (also .gz)")
    yield from (suffix for suffix in those if suffix not in gzipped)
