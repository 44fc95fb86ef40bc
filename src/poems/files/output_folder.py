"""Folders that commands write into: claimed before computing, replaced as a whole at the end."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from poems.errors import SettingsError
from poems.files.atomic import NO_SPACE, atomic_path
from poems.files.locks import (
    held_folders,
    lock_depth,
    release_lock,
    require_unlocked,
    take_lock,
)
from poems.files.markers import (
    CHECKPOINT,
    COMMANDS,
    Kind,
    find_marker,
    holds_complete,
    marker_head,
    remove_markers,
    write_marker,
)
from poems.files.placing import (
    AT_WORK,
    JOURNAL,
    clear_leftovers,
    finish_moving,
    place,
    require_no_links,
    staging_folder,
)

logger = logging.getLogger(__name__)

# Folders that were empty when they were claimed, and whether they were made then.
_made: dict[Path, bool] = {}


def claim_folder(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Path:
    """Make sure that ``folder`` may be written to, and be its only writer from now on.

    A new folder is marked as a ``kind`` not yet complete. An earlier result of
    the same kind stays as it is until it is replaced. What did not finish and
    left no checkpoint needs no leave to be replaced. What killed writers left
    behind is cleared. :func:`release_folder` ends the claim, and so does the
    end of the process.

    Raises
    ------
    SettingsError
        If the folder holds such a result, or a checkpoint, and ``overwrite``
        is not asked for, if it holds anything else, cannot be made, holds a
        link to a folder, or if another process is writing into it.
    """
    path = require_free(folder, kind, overwrite=overwrite)
    try:
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        take_lock(path)
        try:
            finish_moving(path)
            clear_leftovers(path)
            # Another may have been here in the meantime.
            _require_free(path, kind, overwrite)
            if _is_free(path):
                remove_markers(path)
                write_marker(path, kind, {}, complete=False)
                _made[path.resolve()] = made
        # Interrupts too: whatever keeps the claim from being made, it is not held.
        except BaseException:
            release_folder(path)
            raise
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def release_folder(folder: Path) -> None:
    """End a claim; a folder that nothing was written into is as it was before it."""
    empty = False
    try:
        # While it is held: whoever claims the folder next writes a marker of the same name.
        if lock_depth(folder) == 1:
            made = _made.pop(folder.resolve(), None)
            if made is not None and folder.is_dir() and _is_free(folder):
                remove_markers(folder)
                empty = made
    finally:
        release_lock(folder)
    if empty:
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    """Remove a folder that was made for a result which did not come."""
    try:
        folder.rmdir()
    except OSError as error:
        # Somebody has put something there, or was faster.
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            return
        # Not raised: what ended the claim says more, and an empty folder is in nobody's way.
        logger.warning("the folder %s is empty, but cannot be removed: %s", folder, error.strerror)


def complete_results() -> list[Path]:
    """Return the folders claimed by this thread that hold a complete result."""
    return [folder for folder in held_folders() if holds_complete(folder)]


def release_folders() -> None:
    """End all claims of this thread."""
    for folder in held_folders():
        while lock_depth(folder):
            release_folder(folder)


@contextmanager
def claimed_folder(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Iterator[Path]:
    """Claim a folder for the time of a block, see :func:`claim_folder`."""
    path = claim_folder(folder, kind, overwrite=overwrite)
    try:
        yield path
    finally:
        release_folder(path)


@contextmanager
def replaced_folder(
    folder: str | Path, kind: Kind, *, overwrite: bool = True, older: Iterable[str] = ()
) -> Iterator[Path]:
    """Yield an empty folder; what is written there replaces a result of this kind as a whole.

    The block ends by marking it (:func:`write_marker`). If it raises, or the
    process is killed at any moment, the earlier result is there, or else the
    new one.

    Parameters
    ----------
    folder
        The folder, claimed before or not.
    kind
        Of the result.
    overwrite
        As in :func:`claim_folder`.
    older
        Patterns of files that earlier versions wrote, which kept no list of them.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "out"
    >>> with replaced_folder(out, "survival") as fresh:
    ...     _ = (fresh / "a.csv").write_text("1")
    ...     write_marker(fresh, "survival", {})
    >>> sorted(path.name for path in out.iterdir())
    ['a.csv', 'manifest.json', 'survival.json']
    """
    with (
        claimed_folder(folder, kind, overwrite=overwrite) as path,
        staging_folder(path) as fresh,
    ):
        yield fresh
        place(
            fresh,
            path,
            replacing=True,
            older=older,
            last=f"{kind}.json",
            meanwhile=marker_head(kind, complete=False),
        )


@contextmanager
def added_to_folder(
    folder: Path, *, remove: Iterable[str] = (), older: Iterable[str] = ()
) -> Iterator[Path]:
    """Yield an empty folder; what is written there is added to ``folder``, all or nothing.

    Parameters
    ----------
    folder
        A folder of ours, claimed before or not.
    remove
        Patterns of what goes at the same time, of what was written by POEMS.
    older
        Patterns of that, for folders of earlier versions.

    Raises
    ------
    SettingsError
        If another process is writing into the folder.
    """
    take_lock(folder)
    try:
        # What another had begun, and did not end, would be lost otherwise.
        finish_moving(folder)
        with staging_folder(folder) as fresh:
            yield fresh
            place(fresh, folder, remove=remove, older=older)
    finally:
        release_lock(folder)


def require_free(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Path:
    """Refuse what :func:`claim_folder` would refuse, and leave everything as it is.

    Raises
    ------
    SettingsError
        As there; whether the disk takes what is written is found out by writing.
    """
    path = Path(folder)
    try:
        if path.is_dir():
            require_unlocked(path)
        _require_free(path, kind, overwrite)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def require_space(folder: Path, n_bytes: int) -> None:
    """Refuse, before anything is computed, a disk that will not hold the result.

    Raises
    ------
    SettingsError
        If so many bytes cannot be had there; the text says how many are free.
    """
    free = shutil.disk_usage(folder).free
    if free >= n_bytes and _can_have(folder, n_bytes):
        return
    raise SettingsError(
        f"the result takes at least {n_bytes / 1e6:.0f} MB, and on the disk of {folder} there are "
        f"{free / 1e6:.1f} MB for it (quotas counted in); make room, or choose another --out"
    )


def _can_have(folder: Path, n_bytes: int) -> bool:
    """Ask for the space and give it back: quotas are not told otherwise."""
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is None:
        return True
    try:
        # Under this name it is cleared should the process end here.
        with atomic_path(folder / "space") as temporary, temporary.open("wb") as file:
            allocate(file.fileno(), 0, n_bytes)
            temporary.unlink()
    except OSError as error:
        # A file system that cannot be asked is no reason to refuse it.
        return error.errno not in NO_SPACE
    return True


def _unusable(path: Path, error: OSError) -> SettingsError:
    what = "written to" if path.is_dir() else "made"
    return SettingsError(
        f"the folder {path} cannot be {what} ({error.strerror}); choose another --out"
    )


def _require_free(path: Path, kind: Kind, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise SettingsError(f"{path} is a file, not a folder; choose another --out")
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if nearest != path:
        return
    require_no_links(path)
    # Of a move that is to be finished the marker is the new one's, or says that it is amiss.
    if _is_free(path) or (path / JOURNAL).exists():
        return
    found = find_marker(path, kind)
    if found is None:
        raise SettingsError(
            f"the folder {path} is not empty and is not a POEMS {kind}, so nothing in it will "
            "be overwritten; choose another --out"
        )
    if not overwrite and (found.get("complete") or (path / CHECKPOINT).exists()):
        raise SettingsError(
            f"the folder {path} holds a POEMS {kind} already; pass --overwrite to replace it, "
            "or choose another --out"
        )


def _is_free(path: Path) -> bool:
    """Return whether a folder has nothing but what a writer that was killed at once has left."""
    names = {each.name for each in path.iterdir() if not each.name.startswith(AT_WORK)}
    begun = {f"{kind}.json" for kind in COMMANDS if _has_only_begun(path, kind)}
    return names <= begun


def _has_only_begun(path: Path, kind: Kind) -> bool:
    found = find_marker(path, kind)
    return found is not None and not found.get("complete")
