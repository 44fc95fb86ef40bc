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
from typing import Any

import numpy as np
import numpy.typing as npt

from poems.errors import StorageError
from poems.files.atomic import atomic_path

FORMAT = "poems-model"
FORMAT_VERSION = 2
# Version 1 had no diagnosis and no principal axes.
READABLE_VERSIONS = (1, 2)

Tensors = Mapping[str, npt.NDArray[Any]]


def write_state(path: str | Path, tensors: Tensors, record: Mapping[str, Any]) -> None:
    """Write tensors and a record to ``path``; a crash leaves the old file or the new one.

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
    from safetensors.numpy import save_file

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
            # safetensors lets nobody but the owner read; a model is shared like any file.
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(contiguous, temporary, metadata=metadata)
            temporary.chmod(mode)
    except OSError as error:
        raise StorageError(f"cannot write the model to {path}: {error}") from error


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
    except ValueError as error:
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
