"""Bytes and text of a file, with errors that say what the file really is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from poems.data.formats import reader_of
from poems.data.stored.memory import memory_left
from poems.errors import DataError, ReadError

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_HDF5_MAGIC = b"\x89HDF\r\n"
# Bytes that are unpacked at once, and packed bytes that are given to do so.
_LARGEST_PART, _PIECE = 1 << 24, 1 << 20
# Beyond this size a table of numbers is packed to no less than that part; what is packed further
# was made to fill memory.
_LARGE, _MOST_PACKED = 1 << 28, 50
# Bytes of memory for each byte of text: the text itself, its lines, its numbers.
_MEMORY_EACH = 6
# Bytes of which it is asked whether every other one is zero.
_HEAD = 64
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")


def existing_file(path: Path) -> Path:
    """Return ``path`` if it is a file.

    Raises
    ------
    ReadError
        If nothing is there, or a folder.
    """
    try:
        is_file, exists = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise ReadError(f"{str(path)!r} cannot be looked up: {error}") from None
    if is_file:
        return path
    if exists:
        raise ReadError(f"{path} is not a file; name the table itself")
    raise ReadError(f"{path} does not exist; check the path (it was looked up from {Path.cwd()})")


def require_tables(views: Mapping[str, Path] | Path) -> None:
    """Refuse tables that are not there, without reading any.

    Parameters
    ----------
    views
        View name to the path of its table, or the one path of all; of some kinds, such as
        zarr, it is a folder.

    Raises
    ------
    ReadError
        If a path leads to nothing or, but for a store, to a folder; all are listed.

    Examples
    --------
    >>> require_tables({"rna": Path("absent.csv")})
    Traceback (most recent call last):
    poems.errors.ReadError: view 'rna': absent.csv does not exist; check the path (it was ...)
    """
    paths = views if isinstance(views, Mapping) else {"": views}
    problems = absent_tables(paths)
    if problems:
        texts = [f"view '{name}': {text}" if name else text for name, text in problems.items()]
        raise all_problems(ReadError, texts)


def absent_tables(views: Mapping[str, Path]) -> dict[str, str]:
    """Return what is wrong with the paths that lead to no table, by view."""
    problems = {}
    for name, path in views.items():
        try:
            reader = reader_of(path)
            if reader is None or not (reader.folder and path.is_dir()):
                existing_file(path)
        except ReadError as error:
            problems[name] = str(error)
    return problems


def all_problems(kind: type[DataError], texts: Sequence[str]) -> DataError:
    r"""Return one exception that says all that is wrong.

    >>> str(all_problems(ReadError, ["a is empty", "b is empty"]))
    '2 problems:\n- a is empty\n- b is empty'
    """
    if len(texts) == 1:
        return kind(texts[0])
    return kind(f"{len(texts)} problems:\n" + "\n".join(f"- {text}" for text in texts))


def read_text(path: Path) -> str:
    r"""Return the text of a UTF-8 file, plain or gzip-compressed.

    A byte order mark is dropped and line ends become ``\n``.

    Raises
    ------
    ReadError
        If the file is missing, empty, truncated, not what its name says, or
        not UTF-8.
    """
    data = _unpacked(path, _bytes(existing_file(path)))
    _check_is_text(path, data)
    if data.startswith(_UTF32_MARKS):
        raise ReadError(f"{path} is encoded as UTF-32; save it as UTF-8")
    if data.startswith(_UTF16_MARKS) or _is_utf16(data):
        raise ReadError(f"{path} is encoded as UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReadError(
            f"{path} is not UTF-8 text: byte 0x{data[error.start]:02x} on line {line}; "
            "save it as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ReadError(f"{path} is not text: there is a zero byte on line {line}")
    if not text.strip():
        raise ReadError(f"{path} is empty; copy it again, or write it again")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _is_utf16(data: bytes) -> bool:
    """Whether every other byte of the beginning is zero, as in UTF-16 without its mark."""
    head = data[:_HEAD]
    halves = head[::2], head[1::2]
    return any(
        len(empty) > 1 and not any(empty) and b"\0" not in full
        for empty, full in (halves, halves[::-1])
    )


def _check_is_text(path: Path, data: bytes) -> None:
    if data.startswith(_OLE_MAGIC):
        raise ReadError(f"{path} is an Excel workbook (.xls), not text; export the sheet as CSV")
    if data.startswith(_ZIP_MAGIC):
        if b"xl/" in data:
            raise ReadError(
                f"{path} is an Excel workbook, not text; name it .xlsx, or export the sheet as CSV"
            )
        raise ReadError(f"{path} is a zip archive or an Excel workbook; export the table as CSV")
    if data.startswith(_GZIP_MAGIC):
        raise ReadError(f"{path} is packed with gzip twice; unpack it once")
    for magic, name in _PACKED.items():
        if data.startswith(magic):
            raise ReadError(f"{path} is packed with {name}; unpack it, or pack it with gzip (.gz)")
    if data[257:262] == b"ustar":
        raise ReadError(f"{path} is a tar archive; unpack it, and give the table in it")
    if data.startswith(b"PAR1"):
        raise ReadError(f"{path} is a Parquet file, not text; name it .parquet")
    if data.startswith(b"%PDF"):
        raise ReadError(f"{path} is a PDF, not a table; export the table as CSV")
    if data.startswith(_HDF5_MAGIC):
        raise ReadError(f"{path} is an HDF5 file, not text; name it .h5ad or .h5mu if it is one")


def _bytes(path: Path) -> bytes:
    require_room(path, path.stat().st_size, memory_left())
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror}") from None


def _unpacked(path: Path, data: bytes) -> bytes:
    if not data:
        raise ReadError(f"{path} is empty; copy it again, or write it again")
    if not data.startswith(_GZIP_MAGIC):
        if path.suffix == ".gz":
            raise ReadError(
                f"{path} ends in .gz but is not gzip-compressed; rename it to {path.stem}"
            )
        return data
    try:
        return b"".join(_inflated(path, data))
    except EOFError:
        raise ReadError(f"{path} is truncated: its gzip data stops early; copy it again") from None
    except zlib.error as error:
        reason = str(error).removeprefix("Error ")
        raise ReadError(f"{path} holds damaged gzip data ({reason}); copy it again") from None


def _inflated(path: Path, data: bytes) -> Iterator[bytes]:
    """Yield the parts of gzip data, one member after another, up to a size that may be a table's.

    Raises
    ------
    ReadError
        If it unpacks to more than memory holds, or than a table that is packed so well.
    """
    left = memory_left()
    total, at = 0, 0
    while at < len(data):
        if not data.startswith(_GZIP_MAGIC, at):
            if data[at:].strip(b"\0"):
                raise zlib.error("what follows the end is no gzip data")
            return  # tapes are filled up with zeros
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if at >= len(data):
                raise EOFError
            piece = data[at : at + _PIECE]
            at += len(piece)
            while piece:
                part = member.decompress(piece, _LARGEST_PART)
                piece = member.unconsumed_tail
                total += len(part)
                _require_plausible(path, len(data), total, left)
                yield part
        at -= len(member.unused_data)


def _require_plausible(path: Path, packed: int, unpacked: int, left: int | None) -> None:
    if unpacked > _LARGE and unpacked > _MOST_PACKED * packed:
        raise ReadError(
            f"{path} unpacks to more than {unpacked / 1e6:.0f} MB, over {_MOST_PACKED} times its "
            "size, as no table of measurements does; if it is one, unpack it yourself and give that"
        )
    require_room(path, unpacked, left)


def require_room(path: Path, size: int, left: int | None) -> None:
    """Refuse text that there is no memory to read.

    Raises
    ------
    ReadError
        If it takes more than is left.

    Examples
    --------
    >>> require_room(Path("rna.csv"), 10**9, 10**9)
    Traceback (most recent call last):
    poems.errors.ReadError: rna.csv holds 1.0 GB of text, which takes some 6 GB of memory to read...
    """
    if left is not None and size * _MEMORY_EACH > left:
        raise ReadError(
            f"{path} holds {size / 1e9:.1f} GB of text, which takes some "
            f"{size * _MEMORY_EACH / 1e9:.0f} GB of memory to read, and {left / 1e9:.1f} GB are "
            "left; write the table as .h5ad or .parquet and leave its values on disk (--backed, "
            "backed=True), or select features before"
        )
