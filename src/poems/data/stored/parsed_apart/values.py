"""Looking through an HDF5 file before anything in it is read: links, sizes, places of values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .links import Links, Refused

# Deflate, which packs best of the common ones, cannot do better than 1032.
_RATIO, _SMALL = 1100, 1 << 28
_ELEMENTS = 100_000
# Strings that are read at once, and how many times the size of the file they may take.
_STRINGS, _STRING_RATIO = 1 << 16, 4
# Where MuData of this program keep the order of their samples.
_ORDER = "poems_samples"


def look(path: Path, *, whole: bool = False) -> int:
    """Return how many bytes the arrays of a file claim, once it was looked through.

    Parameters
    ----------
    path
        The file.
    whole
        Look for values in all of it, not only in X, obs and var.

    Raises
    ------
    Refused
        For links and values in other files, virtual datasets, links that lead
        nowhere or in circles, values that are not there, and sizes that the
        bytes of the file cannot hold.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Refused(
            f"{path} is a damaged HDF5 file ({error}); copy it again, or write it again"
        ) from None
    with file:
        Links(file, str(path)).check()
        total = 0
        for n, element in enumerate(_below(file) if whole else _wanted(file, str(path))):
            if n > _ELEMENTS:
                raise Refused(
                    f"{path} holds more than {_ELEMENTS} columns and arrays of annotations; keep "
                    "in obs what is needed, and write it again"
                )
            _ = dict(element.attrs)
            if isinstance(element, h5py.Dataset):
                total += _require_values(element, path)
        size = path.stat().st_size
        if total > _SMALL and total > _RATIO * size:
            raise _bomb(str(path), total, size)
        return total


def _wanted(file: Any, where: str) -> Iterator[Any]:
    """Yield the groups and datasets that are going to be read."""
    import h5py

    yield file
    tables = [file]
    if "mod" in file and "X" not in file:
        if not isinstance(file["mod"], h5py.Group):
            raise Refused(f"{where}, mod is not a group of views; write the file again")
        yield file["mod"]
        tables += file["mod"].values()
    if isinstance(file.get("uns"), h5py.Group) and _ORDER in file["uns"]:
        yield from _below(file["uns"][_ORDER])
    for table in tables:
        if isinstance(table, h5py.Group):
            yield table
            for name in ("X", "obs", "var"):
                if name in table:
                    yield from _below(table[name])


def _below(element: Any) -> Iterator[Any]:
    yield element
    if hasattr(element, "keys"):
        for name in element:
            yield from _below(element[name])


def _require_values(array: Any, path: Path) -> int:
    """Return how many bytes a dataset claims, once it is sure that they can be there."""
    import h5py

    where = f"{path}, {_plain(array.name)}"
    if array.shape is None:
        return 0
    claimed = math.prod(array.shape) * int(array.dtype.itemsize)
    if not claimed:
        return 0
    plist = array.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        code = plist.get_filter(i)[0]
        if not h5py.h5z.filter_avail(code):
            raise Refused(
                f"{where} is packed with filter {code}, which is not installed; write it again "
                "with compression='gzip', or install hdf5plugin and import it first"
            )
    size = path.stat().st_size
    if plist.get_layout() == h5py.h5d.CHUNKED:
        stored = _chunks(array, where, size)
    elif plist.get_layout() == h5py.h5d.CONTIGUOUS:
        at, stored = array.id.get_offset(), int(array.id.get_storage_size())
        if at is None or not stored:  # the offset is relative to what stands before the file
            raise _absent(where, "its values were never written")
        if stored < claimed or at + stored > size:
            raise _absent(where, "its values reach beyond the end of the file")
    else:
        stored = int(array.id.get_storage_size())
    if claimed > _SMALL and claimed > _RATIO * stored:
        raise _bomb(where, claimed, stored)
    if array.dtype.kind in "OV":
        claimed += _strings(array, where, size)
    return int(claimed)


def _strings(array: Any, where: str, size: int) -> int:
    """Read strings, which lie scattered over the file: where they are damaged shows here.

    They are never compressed, so there cannot be many more than the file has bytes.
    """
    total = 0
    for start in range(0, array.shape[0] if array.shape else 1, _STRINGS):
        read = array[start : start + _STRINGS] if array.shape else array[()]
        # Rows of an old table, and references to other places, have no length of their own.
        total += sum(len(each) for each in np.ravel(read) if isinstance(each, bytes))
        if total > _SMALL and total > _STRING_RATIO * size:
            raise _bomb(where, total, size)
    return total


def _chunks(array: Any, where: str, size: int) -> int:
    """Return the bytes of the chunks of a dataset, all of which are in the file."""
    expected = math.prod(-(-n // each) for n, each in zip(array.shape, array.chunks, strict=True))
    there = int(array.id.get_num_chunks())
    if there < expected:
        raise _absent(where, f"{expected - there} of {expected} chunks are missing")
    if not hasattr(array.id, "chunk_iter"):  # HDF5 before 1.14
        return int(array.id.get_storage_size())
    stored, furthest = 0, 0

    def see(chunk: Any) -> None:
        nonlocal stored, furthest
        stored += chunk.size
        furthest = max(furthest, chunk.byte_offset + chunk.size)

    array.id.chunk_iter(see)
    if furthest > size or stored > size:
        raise _absent(where, "its chunks reach beyond the end of the file, or share their bytes")
    return stored


def _absent(where: str, what: str) -> Refused:
    return Refused(
        f"{where}: {what}, and would be read as zeros; the file was cut or not written to the "
        "end, so copy it again or write it again"
    )


def _bomb(where: str, claimed: int, stored: int) -> Refused:
    return Refused(
        f"{where} claims {claimed / 1e9:.1f} GB of values in {stored / 1e3:.0f} kB, more than "
        "compression can explain; if most of them are zeros, write X as a sparse matrix"
    )


def _plain(name: Any) -> str:
    return str(name).lstrip("/") or "/"
