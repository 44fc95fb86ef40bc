"""Whether files whose values stay on disk are still what they were when they were opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from poems.errors import DataError
from poems.findings import name_some

# Number of files, bytes in them, and when the latest of them was written.
Stamp: TypeAlias = tuple[int, int, int]


def stamp(path: Path) -> Stamp:
    """Return what tells a file, or all files in a folder, from a later version.

    >>> stamp(Path("no/such/file"))
    (0, 0, 0)
    """
    if not path.is_dir():
        return _of([path])
    return _of([Path(folder, name) for folder, _, names in os.walk(path) for name in names])


def require_unchanged(stamps: Mapping[Path, Stamp]) -> None:
    """Refuse what was computed of files that were written to in the meantime.

    Raises
    ------
    DataError
        If a file is another, or gone.
    """
    changed = [path for path, before in stamps.items() if stamp(path) != before]
    if changed:
        raise DataError(
            f"{name_some(changed)} {'was' if len(changed) == 1 else 'were'} changed while values "
            "were read from there, so that those of two versions are mixed: what was computed is "
            "not kept. Do it again once nothing writes to the file any more"
        )


def _of(files: list[Path]) -> Stamp:
    n, size, latest = 0, 0, 0
    for file in files:
        try:
            found = file.stat()
        except OSError:  # gone: then it does not count, which makes the stamp another
            continue
        n, size, latest = n + 1, size + found.st_size, max(latest, found.st_mtime_ns)
    return n, size, latest
