"""Several files that take their place in a folder together, also where a process is killed.

They are written into a hidden folder within it. When they are whole a journal says
which they are, which of the earlier ones go, and from then on whoever opens the folder
next can bring the move to its end (:func:`finish_moving`). Before that, everything is as
it was. ``manifest.json`` lists what was written, with checksums: nothing else is ever
removed, and a file of somebody else that is in the way is kept under another name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Final

from poems.errors import SettingsError, StorageError
from poems.files.atomic import STAGING, clear_temporary, flush, full_disk_named, write_json

logger = logging.getLogger(__name__)

# How the names begin of what writers at work have in a folder.
AT_WORK: Final = ".poems-"
JOURNAL: Final = f"{AT_WORK}moving.json"
MANIFEST: Final = "manifest.json"
_FORMAT: Final = "poems-manifest"


@dataclass(frozen=True)
class _Move:
    """What takes its place: all paths relative to the folder, with slashes.

    ``keep`` pairs files of others with the names that they are kept under. ``last`` comes
    after all others; while it is not there yet, ``meanwhile`` stands in its place.
    """

    staging: str
    files: list[str]
    remove: list[str]
    keep: list[tuple[str, str]]
    last: str | None
    meanwhile: dict[str, Any] | None

    @property
    def placed(self) -> list[str]:
        return [*self.files, *([] if self.last is None else [self.last])]


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Yield a new, empty folder within ``folder``, which is gone when the block ends.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with staging_folder(folder) as fresh:
    ...     _ = (fresh / "a.txt").write_text("whole")
    ...     place(fresh, folder)
    >>> sorted(item.name for item in folder.iterdir())
    ['a.txt', 'manifest.json']
    """
    fresh = folder / f"{STAGING}{uuid.uuid4().hex[:12]}"
    with full_disk_named(folder):
        fresh.mkdir(parents=True)
    try:
        yield fresh
    finally:
        # Once the move has begun the files are needed, whatever came between. A folder that stays
        # behind is removed by the next writer.
        if not (folder / JOURNAL).exists():
            shutil.rmtree(fresh, ignore_errors=True)


def place(
    fresh: Path,
    folder: Path,
    *,
    replacing: bool = False,
    older: Iterable[str] = (),
    remove: Iterable[str] = (),
    last: str | None = None,
    meanwhile: Mapping[str, Any] | None = None,
) -> None:
    """Move every file of ``fresh``, a folder within ``folder``, to the same place in that.

    Parameters
    ----------
    fresh
        What :func:`staging_folder` yielded.
    folder
        The folder, whose lock is held.
    replacing
        Whether everything that was written there before goes; otherwise it stays.
    older
        Patterns of what an earlier version wrote, for folders without a manifest.
    remove
        Patterns of what goes in any case, of what was written before.
    last
        The file that makes the others valid.
    meanwhile
        What stands in its place while the others move.

    Raises
    ------
    SettingsError
        If a link or a folder is in the way; then everything is as it was.
    OSError
        If the disk is full; likewise.
    """
    files = sorted(p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file())
    known = read_manifest(folder)
    before = _found(folder, older) if known is None else list(known)
    _require_way(folder, files)
    gone = set(before) if replacing else set(_matching(before, remove))
    written = {name: _checksum(fresh / name) for name in files}
    kept = {} if known is None else {k: v for k, v in known.items() if k not in gone}
    manifest = dict(sorted({**kept, **written}.items()))
    with full_disk_named(folder / MANIFEST):
        write_json(fresh / MANIFEST, {"format": _FORMAT, "files": manifest})
        for name in (*files, MANIFEST):
            flush(fresh / name)
    move = _Move(
        staging=fresh.name,
        files=[*(name for name in files if name != last), MANIFEST],
        remove=sorted(gone - set(files)),
        keep=[
            (name, _free_name(folder, name))
            for name in files
            if name not in before and (folder / name).exists() and known is not None
        ],
        last=last,
        meanwhile=None if meanwhile is None else dict(meanwhile),
    )
    write_json(folder / JOURNAL, asdict(move))
    _carry_out(folder, move)


def finish_moving(folder: Path) -> bool:
    """Bring a move to its end that a killed process had begun; return whether there was one.

    The lock of the folder has to be held.

    Raises
    ------
    StorageError
        If the journal of the move is damaged.
    SettingsError
        If a link or a folder is in the way.
    OSError
        If files cannot be moved.
    """
    path = folder / JOURNAL
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return False
    move = _read_move(path, text)
    names = [*move.placed, *(name for pair in move.keep for name in pair)]
    _require_way(folder, [*names, *(f"{move.staging}/{name}" for name in names)])
    logger.warning("a result in %s whose writer was ended amid its last step was completed", folder)
    _carry_out(folder, move)
    return True


def clear_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left behind; the folder's lock has to be held."""
    for left in folder.glob(f"{STAGING}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    for path, _, _ in os.walk(folder):
        clear_temporary(Path(path))


def read_manifest(folder: Path) -> dict[str, str] | None:
    """Return the files that were written into a folder, with their SHA-256.

    ``None`` if there is no list, as in folders of an older version. What leads out of the
    folder is not on it, whatever the file says.
    """
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): str(value) for name, value in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if found.get("format") != _FORMAT:
        return None
    return {name: value for name, value in files.items() if is_inside(name)}


def is_inside(name: str) -> bool:
    """Return whether a path, as somebody may have edited it, is of a result's file in its folder.

    >>> [is_inside(name) for name in ("loadings/rna.csv", "../a", "/a", ".poems-lock", "")]
    [True, False, False, False, False]
    """
    path = PurePath(name)
    if not path.parts or path.anchor or ".." in path.parts or "\0" in name:
        return False
    return not path.parts[0].startswith(AT_WORK)


def _read_move(path: Path, text: bytes) -> _Move:
    from pydantic import TypeAdapter, ValidationError

    try:
        move = TypeAdapter(_Move).validate_json(text, strict=True)
    except ValidationError as error:
        raise _damaged(path, error.errors()[0]["msg"]) from error
    names = [*move.placed, *move.remove, *(name for pair in move.keep for name in pair)]
    if not all(map(is_inside, names)):
        raise _damaged(path, "a path in it leads out of the folder")
    if not move.staging.startswith(STAGING) or len(PurePath(move.staging).parts) > 1:
        raise _damaged(path, f"'{move.staging}' is no folder of new files")
    if move.last is not None and len(PurePath(move.last).parts) > 1:
        raise _damaged(path, f"'{move.last}' does not lie in the folder itself")
    return move


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} is damaged ({why}); remove it, and repeat the command")


def _carry_out(folder: Path, move: _Move) -> None:
    """Move the files; what was moved before by a process that was killed is passed over."""
    fresh = folder / move.staging
    if move.last is not None and move.meanwhile is not None and (fresh / move.last).exists():
        write_json(folder / move.last, move.meanwhile)
    for name, other in move.keep:
        if (fresh / name).exists() and (folder / name).exists() and not (folder / other).exists():
            (folder / name).rename(folder / other)
            logger.warning(
                "%s was there and is not of POEMS: it was kept as %s", folder / name, other
            )
    for name in move.remove:
        _remove(folder, name)
    for name in move.placed:
        if not (fresh / name).exists():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == move.last:
            flush(folder)
        (fresh / name).replace(target)
    flush(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    (folder / JOURNAL).unlink(missing_ok=True)


def _remove(folder: Path, name: str) -> None:
    """Remove a file that was written before, and folders that are empty then; no link's target."""
    target = folder / name
    if _linked(folder, name) or target.is_symlink() or not target.is_file():
        return
    target.unlink(missing_ok=True)
    for parent in PurePosixPath(name).parents:
        if parent.name:
            try:
                (folder / parent).rmdir()
            except OSError:
                return  # it holds something else


def _require_way(folder: Path, files: Iterable[str]) -> None:
    """Refuse to write through a link, or in the place of a folder."""
    for name in files:
        link = _linked(folder, name)
        if link is not None:
            raise SettingsError(
                f"{link} is a link, through which nothing is written; remove it, or choose "
                "another --out"
            )
        target = folder / name
        if target.is_dir() and not target.is_symlink():
            raise SettingsError(
                f"{target} is a folder where a file is to be written; move it away, or choose "
                "another --out"
            )
        for parent in PurePosixPath(name).parents:
            way = folder / parent
            if way.exists() and not way.is_dir():
                raise SettingsError(
                    f"{way} is a file where a folder is to be made; move it away, or choose "
                    "another --out"
                )


def _linked(folder: Path, name: str) -> Path | None:
    """Return the folder on the way to a file that is a link, if there is one."""
    for parent in PurePosixPath(name).parents:
        if parent.name and (folder / parent).is_symlink():
            return folder / parent
    return None


def require_no_links(folder: Path) -> None:
    """Refuse a folder in which folders are links: nothing is written through them.

    Raises
    ------
    SettingsError
        If there is one; the text names it.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and path.is_dir():
            raise SettingsError(
                f"{path} is a link to a folder, and nothing is written through links; remove it, "
                "or choose another --out"
            )


def _found(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files of a folder that match, but for those behind links."""
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if _linked(folder, name) is None]


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    wanted = list(patterns)
    return [name for name in names if any(PurePosixPath(name).match(each) for each in wanted)]


def _free_name(folder: Path, name: str) -> str:
    for at in range(1, 10_000):
        other = f"{name}.kept-{at}"
        if not (folder / other).exists():
            return other
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder / name))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
