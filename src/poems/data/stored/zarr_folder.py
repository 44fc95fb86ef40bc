"""Looking through a zarr folder before its values are read."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import struct
from pathlib import Path
from typing import Any

from poems.errors import ReadError

_MOST_FILES, _DEEPEST = 5_000_000, 32
_LARGEST_CHUNK = 1 << 31
# Version and flags; then bytes unpacked, a block, and packed.
_BLOSC_HEAD = struct.Struct("<4x3I")


def inspect_folder(path: Path) -> None:
    """Refuse a folder that holds links, or is nested without end.

    Raises
    ------
    ReadError
        If there is a symbolic link in it, or it is too deep or too large.
    """
    waiting, seen = [(path, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_symlink():
                        raise ReadError(
                            f"{path}: {Path(entry.path).relative_to(path)} is a link that "
                            "takes its values from other files; copy them into the folder"
                        )
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), depth + 1))
        except OSError as error:
            raise ReadError(f"{folder} cannot be listed: {error.strerror}") from None
        if seen > _MOST_FILES or depth > _DEEPEST:
            raise ReadError(
                f"{path} has more than {_MOST_FILES} files or {_DEEPEST} levels; write it again"
            )


def require_chunks(array: Any, where: str) -> None:
    """Refuse an array of which chunks are missing: zarr would read them as zeros.

    Raises
    ------
    ReadError
        If there are fewer chunks than the shape asks for, or they are of no size.
    """
    expected, there = _chunks(array, where)
    if there < expected:
        raise ReadError(
            f"{where}: {expected - there} of {expected} chunks are missing, and would be "
            "read as zeros; copy the folder again, or if these values are zeros, write it with "
            "zarr.config.set({'array.write_empty_chunks': True}), or as a sparse matrix"
        )


def lacks_chunks(array: Any, where: str) -> bool:
    """Say whether chunks are missing; zarr does not write those that hold zeros alone.

    Raises
    ------
    ReadError
        If its chunks are of no size, or too large.
    """
    expected, there = _chunks(array, where)
    return there < expected


def _chunks(array: Any, where: str) -> tuple[int, int]:
    """Return how many chunk files there should be, and how many hold something."""
    # Chunks of a shard share its file.
    sizes = [int(n) for n in getattr(array, "shards", None) or array.chunks]
    if min(sizes, default=1) < 1:
        raise ReadError(f"{where} is damaged: it has chunks of no size; write it again")
    bytes_each = math.prod(sizes) * array.dtype.itemsize
    if bytes_each > _LARGEST_CHUNK:
        raise ReadError(
            f"{where} claims chunks of {bytes_each / 1e9:.1f} GB, which are read as a whole; write "
            "it again in smaller chunks"
        )
    grid = [-(-n // each) for n, each in zip(array.shape, sizes, strict=True)]
    expected = math.prod(grid)
    if expected > _MOST_FILES:
        return expected, 0
    folder = Path(array.store_path.store.root) / array.path
    is_blosc = not getattr(array, "shards", None) and _is_blosc(array.metadata)
    found = 0
    for at in itertools.product(*map(range, grid)):
        file = folder / array.metadata.encode_chunk_key(at)
        # A missing file, or a part of its path, is what is counted here.
        with contextlib.suppress(OSError):
            size = file.stat().st_size
            found += size > 0
            if is_blosc and size:
                _require_whole(file, size, bytes_each, where)
    return expected, found


def _is_blosc(metadata: Any) -> bool:
    """Say whether the bytes of a chunk file are those that blosc packed."""
    codecs = getattr(metadata, "codecs", None) or (getattr(metadata, "compressor", None),)
    return "blosc" in str(getattr(codecs[-1], "codec_id", type(codecs[-1]).__name__)).lower()


def _require_whole(file: Path, size: int, claimed: int, where: str) -> None:
    """Compare the size of a chunk file with what it claims: blosc reads beyond its end."""
    with file.open("rb") as opened:
        head = opened.read(_BLOSC_HEAD.size)
    unpacked, _, packed = _BLOSC_HEAD.unpack(head) if len(head) == _BLOSC_HEAD.size else (0, 0, 0)
    # A filter may change the size of numbers, but not to more than 8 bytes each.
    if packed != size or unpacked > 8 * claimed:
        raise ReadError(
            f"{where}: the chunk {file.name} has {size} bytes and should have {packed}; the file "
            "was cut or is damaged, so copy the folder again"
        )
