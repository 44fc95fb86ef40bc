"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# Names of what is being written; all begin with a dot, which programs skip.
STAGING: Final = ".poems-new-"
_TEMPORARY: Final = ".poems-tmp-"
_OWNER = re.compile(rf"{re.escape(_TEMPORARY)}(\d+)-")
# A disk, a quota or a limit on the size of files is used up.
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block ends well.

    The temporary file lies in the same folder (a rename is atomic only within
    a file system) and keeps the name's ending, from which writers infer the
    compression. Folders on the way are made. If the block raises, or writes
    nothing, ``path`` stays as it was. Within a folder that takes its place as a
    whole (:mod:`poems.files.placing`) it is ``path`` itself.

    Raises
    ------
    OSError
        As the block does; where a disk is full, it names ``path``.

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
    with full_disk_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if final_place(target) != target:
            yield target
            return
        name = f"{_TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:12]}-{target.name}"
        temporary = target.with_name(name)
        try:
            yield temporary
            if temporary.exists():
                flush(temporary)
                temporary.replace(target)
                flush(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Name the file in errors of a full disk: some libraries do not, or raise errors of their own.

    Raises
    ------
    OSError
        With :data:`NO_SPACE` and the file, in place of what the block raised of a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise OSError(error.errno, error.strerror, str(final_place(path))) from error
    # Libraries in other languages tell by the text alone; all else passes through as it is.
    except Exception as error:
        if os.strerror(errno.ENOSPC).lower() not in str(error).lower():
            raise
        code = errno.ENOSPC
        raise OSError(code, os.strerror(code), str(final_place(path))) from error


def final_place(path: Path) -> Path:
    """Return where a file will lie that is written in a folder that takes its place as a whole.

    >>> final_place(Path("run/.poems-new-1a/loadings/rna.csv")).as_posix()
    'run/loadings/rna.csv'
    """
    return Path(*(part for part in path.parts if not part.startswith(STAGING)))


def clear_temporary(folder: Path) -> None:
    """Remove temporary files in ``folder`` whose writers have ended, not below it."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        owner = _OWNER.match(path.name)
        if owner is not None and path.is_file() and not is_running(int(owner[1])):
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Return whether there is a process of this number on this machine."""
    if os.name == "nt":
        return True  # there the question ends the process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


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


def flush(path: Path) -> None:
    """Force a file, or the names in a folder, out to the disk.

    A rename may reach the disk before the contents do, unless they are forced out first.
    """
    # Folders cannot be opened for this on Windows, where the rename is durable by itself.
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
