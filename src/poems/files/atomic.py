"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_STAGING: Final = ".poems-new-"


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


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Yield a new, empty folder within ``folder``, which is gone when the block ends.

    What is whole there takes its place in ``folder`` by :func:`take_place`. One
    that a killed process left is removed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with staging_folder(folder) as fresh:
    ...     write_text(fresh / "tables" / "a.txt", "whole")
    ...     write_text(fresh / "about.txt", "")
    ...     take_place(fresh, folder, last="about.txt")
    >>> sorted(item.name for item in folder.rglob("*"))
    ['a.txt', 'about.txt', 'tables']
    """
    for left in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)
    fresh = folder / f"{_STAGING}{uuid.uuid4().hex[:12]}"
    fresh.mkdir(parents=True)
    try:
        yield fresh
    finally:
        # A folder that stays behind is removed the next time.
        shutil.rmtree(fresh, ignore_errors=True)


def take_place(fresh: Path, folder: Path, *, last: str) -> None:
    """Move every file of ``fresh`` to the same place in ``folder``, ``last`` after all others."""
    files = [path for path in sorted(fresh.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: path.relative_to(fresh) == Path(last)):
        target = folder / path.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.relative_to(fresh) == Path(last):
            _flush(folder)
        path.replace(target)
    _flush(folder)


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
