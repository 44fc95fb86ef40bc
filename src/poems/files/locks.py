"""One writer a folder: a lock that its process holds, and that ends with it."""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from poems.errors import SettingsError

logger = logging.getLogger(__name__)

LOCK: Final = ".poems-lock"
# File systems without locks: two writers cannot be told apart there.
_UNKNOWN: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class Owner:
    """Who writes into a folder."""

    process: int
    machine: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.machine}, since {self.since}"


@dataclass
class _Held:
    handle: int
    thread: int
    process: int
    depth: int = 1


_held: dict[Path, _Held] = {}


def take_lock(folder: Path) -> None:
    """Make this thread the only writer of a folder, until :func:`release_lock` as many times.

    The operating system lets go of the lock when its process ends, however that
    ends. One that a dead process left is taken over, which is logged.

    Raises
    ------
    SettingsError
        If somebody else holds it; the text says who.
    OSError
        If no lock can be made there.
    """
    path = folder.resolve()
    own = _own(path)
    if own is not None:
        own.depth += 1
        return
    handle = _locked(path, make=True)
    if handle is None:
        raise SettingsError(_refusal(folder))
    before = _read(path)
    if before is not None:
        logger.warning(
            "the lock of %s was left behind by %s, which ended before it was done; it was "
            "taken over",
            folder,
            before,
        )
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    owner = Owner(os.getpid(), platform.node(), since)
    _held[path] = _Held(handle, threading.get_ident(), os.getpid())
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(asdict(owner)).encode())
    except OSError:
        release_lock(folder)  # the disk is full: whoever makes room can try again
        raise


def release_lock(folder: Path) -> None:
    """Let go of a folder that :func:`take_lock` took."""
    path = folder.resolve()
    held = _own(path)
    if held is None:
        return
    held.depth -= 1
    if held.depth:
        return
    del _held[path]
    if os.name == "nt":
        os.close(held.handle)
        (path / LOCK).unlink(missing_ok=True)
        return
    # Before it is let go of: whoever waits for this file finds that it is another by then.
    (path / LOCK).unlink(missing_ok=True)
    os.close(held.handle)


def lock_depth(folder: Path) -> int:
    """Return how many times this thread has taken the lock of a folder; 0: it is not the writer."""
    own = _own(folder.resolve())
    return 0 if own is None else own.depth


def held_folders() -> list[Path]:
    """Return the folders that this thread writes into."""
    return [path for path in list(_held) if _own(path) is not None]


def require_unlocked(folder: Path) -> None:
    """Refuse a folder that somebody else writes into.

    Raises
    ------
    SettingsError
        If so; the text says who.
    """
    path = folder.resolve()
    if _own(path) is not None or not (path / LOCK).exists():
        return
    try:
        handle = _locked(path, make=False)
    except OSError:
        # It may not be opened, or is gone: whoever wants to write is told when taking it.
        return
    if handle is None:
        raise SettingsError(_refusal(folder))
    os.close(handle)


def _refusal(folder: Path) -> str:
    owner = _read(folder)
    who = "another process" if owner is None else str(owner)
    return (
        f"{who} is writing into the folder {folder}: two writers would mix their results. Wait "
        "for it to end, or choose another --out"
    )


def _own(path: Path) -> _Held | None:
    held = _held.get(path)
    if held is None or held.process != os.getpid() or held.thread != threading.get_ident():
        return None
    return held


def _locked(path: Path, *, make: bool) -> int | None:
    """Open and lock the file; ``None`` if somebody else has it."""
    flags = os.O_RDWR | (os.O_CREAT if make else 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        handle = os.open(path / LOCK, flags, 0o666)
        try:
            _lock(handle)
            # Its last owner may have removed it since it was opened.
            if os.name == "nt" or os.path.samestat(os.fstat(handle), (path / LOCK).stat()):
                return handle
        except FileNotFoundError:
            if not make:
                os.close(handle)
                raise
        except OSError as error:
            if error.errno not in _UNKNOWN:
                os.close(handle)
                if isinstance(error, BlockingIOError | PermissionError):
                    return None
                raise
            logger.warning(
                "the disk of %s knows no locks: see that nothing else writes there", path
            )
            return handle
        os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # Beyond what is written, which others may read then.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(path: Path) -> Owner | None:
    """Return who wrote the lock; ``None`` if that is not (yet) in it."""
    try:
        found = json.loads((path / LOCK).read_text(encoding="utf-8"))
        return Owner(int(found["process"]), str(found["machine"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
