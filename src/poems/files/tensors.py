"""Storage: tensors and a JSON record in one safetensors file, checksummed and atomic.

The file is a plain safetensors container; its metadata holds a format name and
version, the record as JSON, and a SHA-256 digest of both the record and the
tensors. Nothing is pickled, so a file from somebody else can be opened safely.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from poems.errors import StorageError
from poems.files.atomic import NO_SPACE, atomic_path, final_place

FORMAT = "poems-model"
FORMAT_VERSION = 2
# Version 1 had no diagnosis and no principal axes.
READABLE_VERSIONS = (1, 2)

# The format's names of numpy's types.
_DTYPES: Final = {
    "f8": "F64",
    "f4": "F32",
    "f2": "F16",
    "i8": "I64",
    "i4": "I32",
    "i2": "I16",
    "i1": "I8",
    "u8": "U64",
    "u4": "U32",
    "u2": "U16",
    "u1": "U8",
    "b1": "BOOL",
}

Tensors = Mapping[str, npt.NDArray[Any]]


def write_state(path: str | Path, tensors: Tensors, record: Mapping[str, Any]) -> None:
    """Write tensors and a record to ``path``; a crash leaves the old file or the new one.

    The same tensors and record are the same bytes.

    Parameters
    ----------
    path
        The file.
    tensors
        Name to array.
    record
        Anything JSON can hold, without NaN or infinities.

    Raises
    ------
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "state.poems"
    >>> write_state(path, {"a": np.arange(3.0)}, {"seed": 1})
    >>> tensors, record = read_state(path)
    >>> tensors["a"].tolist(), record
    ([0.0, 1.0, 2.0], {'seed': 1})
    """
    # The file holds native bytes; np.ascontiguousarray would give a 0-d array a dimension.
    contiguous = {
        name: np.asarray(value, dtype=value.dtype.newbyteorder("="), order="C")
        for name, value in tensors.items()
    }
    text = json.dumps(record, allow_nan=False, ensure_ascii=False)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "record": text,
        "sha256": _digest(contiguous, text),
    }
    try:
        with atomic_path(path) as temporary:
            _write(temporary, contiguous, metadata)
    except OSError as error:
        # A full disk is told with the file, for all kinds of files in the same words.
        if error.errno in NO_SPACE:
            raise
        place = final_place(Path(path))
        raise StorageError(
            f"cannot write the model to {place}: {error.strerror or error}"
        ) from error


def _write(path: Path, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, always in the same order: that of the library's own is not.

    Eight bytes with the length of the header, the header as JSON, the arrays one after another,
    those of large elements first, so that all of them are aligned.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for name in names:
        value = tensors[name]
        header[name] = {
            "dtype": _DTYPES[value.dtype.str.lstrip("<>=|")],
            "shape": list(value.shape),
            "data_offsets": [start, start + value.nbytes],
        }
        start += value.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in names:
            little = tensors[name].astype(tensors[name].dtype.newbyteorder("<"), copy=False)
            file.write(little.reshape(-1).view(np.uint8).data)


def require_file(path: Path) -> None:
    """Refuse a path at which there is no file.

    Raises
    ------
    StorageError
        If there is none.
    """
    if not path.is_file():
        raise StorageError(
            f"there is no model file {path}; give a run folder, or a file that was saved"
        )


def read_state(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read what :func:`write_state` wrote.

    Raises
    ------
    StorageError
        If there is no such file, it is not a POEMS model, it is of a newer
        format, or its contents do not match their checksum.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    require_file(file)
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise StorageError(f"{file} is not a POEMS model (its format is not '{FORMAT}')")
            version = metadata.get("format_version", "")
            if version not in map(str, READABLE_VERSIONS):
                readable = " and ".join(map(str, READABLE_VERSIONS))
                raise StorageError(
                    f"{file} has format version {version or 'none'}, this program reads "
                    f"{readable}. Use the version of POEMS that wrote it, or fit again."
                )
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise StorageError(
            f"{file} is not a POEMS model, or is damaged ({error}). Copy it again or fit again."
        ) from error
    text = metadata.get("record", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise StorageError(
            f"{file} is damaged: its contents do not match their checksum. "
            "Copy it again or fit again."
        )
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{file} is damaged: its record is not JSON ({error})") from error
    if not isinstance(record, dict):
        raise StorageError(f"{file} is damaged: its record is not a JSON object")
    return tensors, record


def _digest(tensors: Tensors, text: str) -> str:
    """SHA-256 over the record and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\0{name}\0{value.dtype.str}\0{value.shape}\0".encode())
        digest.update(np.ascontiguousarray(value).view(np.uint8).data)
    return digest.hexdigest()
