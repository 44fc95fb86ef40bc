"""A zarr folder: its tree a node at a time, its values, and tables of annotations."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import struct
from pathlib import Path
from typing import Any

from .links import Refused
from .payload import Payload
from .reasons import reason
from .zarr_frame import hand_over

_MOST_FILES, _DEEPEST, _MOST_OPEN = 5_000_000, 32, 16
_LARGEST_CHUNK = 1 << 31
_NUMBERS = "fiub"
# Version and flags; then bytes unpacked, a block, and packed.
_BLOSC_HEAD = struct.Struct("<4x3I")

# Groups and arrays of the folders that were opened last, by what the asking process calls them.
_open: dict[tuple[str, str], dict[str, Any]] = {}


def answer(question: dict[str, Any], payload: Payload) -> dict[str, Any]:
    """Answer one question about a folder.

    ``do`` is ``"node"`` (what is at a place), ``"chunks"`` (how many an array should have, and
    how many are there), ``"read"`` (a part of an array of numbers) or ``"frame"`` (annotations or
    names, as Arrow).

    Raises
    ------
    Refused
        If the folder holds links, is no zarr, or chunks are damaged or too large.
    """
    node = node_at(question["path"], question["token"], question["place"])
    if question["do"] == "node":
        return _facts(node)
    if question["do"] == "chunks":
        expected, there = _chunks(node, question["where"])
        return {"expected": expected, "there": there}
    if question["do"] == "read":
        return _values(node, question["part"], payload)
    return hand_over(node, payload)


def node_at(path: str, token: str, place: str) -> Any:
    """Return the group or array at a place of a folder.

    Raises
    ------
    Refused
        If the folder holds links, or is no zarr.
    """
    key = (path, token)
    if key not in _open:
        while len(_open) >= _MOST_OPEN:
            _open.pop(next(iter(_open)))
        _open[key] = {"": _root(Path(path))}
    return _node(_open[key], place)


def _node(nodes: dict[str, Any], place: str) -> Any:
    if place not in nodes:
        parent, _, name = place.rpartition("/")
        nodes[place] = _node(nodes, parent)[name]
    return nodes[place]


def _root(path: Path) -> Any:
    import zarr

    _require_no_links(path)
    try:
        # A folder of this machine, and nothing that the library would fetch.
        # What is said of it in one file for all may contradict what is there.
        store = zarr.storage.LocalStore(path, read_only=True)
        return zarr.open_group(store, mode="r", use_consolidated=False)
    except MemoryError:
        raise
    except Exception as error:  # zarr raises many kinds on damaged metadata
        raise Refused(
            f"{path} is a folder, but not a zarr store that can be read ({reason(error)}); name a "
            ".zarr folder, an .h5mu or an .h5ad file"
        ) from None


def _require_no_links(path: Path) -> None:
    """Refuse a folder that holds links, or is nested without end."""
    waiting, seen = [(path, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_symlink():
                        raise Refused(
                            f"{path}: {Path(entry.path).relative_to(path)} is a link that "
                            "takes its values from other files; copy them into the folder"
                        )
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), depth + 1))
        except OSError as error:
            raise Refused(f"{folder} cannot be listed: {error.strerror}") from None
        if seen > _MOST_FILES or depth > _DEEPEST:
            raise Refused(
                f"{path} has more than {_MOST_FILES} files or {_DEEPEST} levels; write it again"
            )


def _facts(node: Any) -> dict[str, Any]:
    attributes = dict(node.attrs)
    if hasattr(node, "keys"):
        return {"names": sorted(map(str, node.keys())), "attrs": attributes}
    is_number = getattr(node.dtype, "kind", "O") in _NUMBERS
    return {
        "attrs": attributes,
        "shape": [int(n) for n in node.shape],
        "dtype": node.dtype.str if is_number else "O",
        "said": str(node.dtype),
        "chunks": [int(n) for n in _chunk(node)],
        "pickled": _is_pickled(node.metadata),
    }


def _values(array: Any, part: list[list[int]], payload: Payload) -> dict[str, Any]:
    """Hand over a part of an array, unpacked straight into its place where the library can."""
    from zarr.buffer import cpu

    slices = tuple(slice(*each) for each in part)
    shape = tuple(stop - start for start, stop in part)
    if min(shape, default=0) < 1:
        return payload.array(array[slices])
    found = payload.empty(shape, array.dtype)
    array.get_basic_selection(slices, out=cpu.NDBuffer.from_ndarray_like(found))
    return payload.array(found)


def _is_pickled(metadata: Any) -> bool:
    codecs = [
        *(getattr(metadata, "filters", None) or ()),
        *(getattr(metadata, "codecs", None) or ()),
        getattr(metadata, "compressor", None),
    ]
    return any("pickle" in str(getattr(each, "codec_id", type(each))).lower() for each in codecs)


def _chunk(array: Any) -> Any:
    # Chunks of a shard share its file.
    return getattr(array, "shards", None) or array.chunks


def _chunks(array: Any, where: str) -> tuple[int, int]:
    """Return how many chunk files there should be, and how many hold something."""
    sizes = [int(n) for n in _chunk(array)]
    if min(sizes, default=1) < 1:
        raise Refused(f"{where} is damaged: it has chunks of no size; write it again")
    bytes_each = math.prod(sizes) * array.dtype.itemsize
    if bytes_each > _LARGEST_CHUNK:
        raise Refused(
            f"{where} claims chunks of {bytes_each / 1e9:.1f} GB, which are read as a whole; write "
            "it again in smaller chunks"
        )
    grid = [-(-n // each) for n, each in zip(array.shape, sizes, strict=True)]
    expected = math.prod(grid)
    if expected > _MOST_FILES:
        return expected, 0
    folder = Path(array.store_path.store.root) / array.path
    is_blosc = not getattr(array, "shards", None) and _is_blosc(array.metadata)
    # A filter may change the size of numbers, but not to more than 8 bytes each; a text has any.
    is_number = getattr(array.dtype, "kind", "O") in _NUMBERS
    most = 8 * bytes_each if is_number else _LARGEST_CHUNK
    found = 0
    for at in itertools.product(*map(range, grid)):
        file = folder / array.metadata.encode_chunk_key(at)
        # A missing file, or a part of its path, is what is counted here.
        with contextlib.suppress(OSError):
            size = file.stat().st_size
            found += size > 0
            if is_blosc and size:
                _require_whole(file, size, most, where)
    return expected, found


def _is_blosc(metadata: Any) -> bool:
    """Say whether the bytes of a chunk file are those that blosc packed."""
    codecs = getattr(metadata, "codecs", None) or (getattr(metadata, "compressor", None),)
    return "blosc" in str(getattr(codecs[-1], "codec_id", type(codecs[-1]).__name__)).lower()


def _require_whole(file: Path, size: int, most: int, where: str) -> None:
    """Compare the size of a chunk file with what it claims: blosc reads beyond its end."""
    with file.open("rb") as opened:
        head = opened.read(_BLOSC_HEAD.size)
    unpacked, _, packed = _BLOSC_HEAD.unpack(head) if len(head) == _BLOSC_HEAD.size else (0, 0, 0)
    if packed != size:
        raise Refused(
            f"{where}: the chunk {file.name} has {size} bytes and should have {packed}; the file "
            "was cut or is damaged, so copy the folder again"
        )
    if unpacked > most:
        raise Refused(
            f"{where}: the chunk {file.name} claims to unpack to {unpacked} bytes, and {most} are "
            "the most it can; the file is damaged, so copy the folder again"
        )
