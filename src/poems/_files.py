"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block ends well.

    The temporary file lies in the same folder (a rename is atomic only within
    a file system) and keeps the name's ending, from which writers infer the
    compression. Folders on the way are made. If the block raises, or writes
    nothing, ``path`` stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [item.name for item in folder.iterdir()]
    ['a.txt']
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex[:12]}-{target.name}")
    try:
        yield temporary
        if temporary.exists():
            _flush(temporary)
            temporary.replace(target)
            _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` as indented JSON, atomically.

    Raises
    ------
    ValueError
        If a number is not finite: JSON has no name for it.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _flush(path: Path) -> None:
    # A rename may reach the disk before the contents do, unless they are forced out first.
    # Folders cannot be opened for this on Windows, where the rename is durable by itself.
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
