"""Folders that commands write into: claimed before computing, marked complete at the end.

A marker ``<kind>.json`` tells a folder of ours from one that holds something
else, which is never overwritten.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from poems.errors import ReadError, SettingsError, StorageError
from poems.files.atomic import write_json

Kind = Literal[
    "run",
    "projection",
    "simulation",
    "benchmark",
    "paper",
    "stability",
    "factor-table",
    "survival",
    "gene-sets",
    "export",
    "contribution-table",
    "subtype-table",
    "association-table",
]

CHECKPOINT = "checkpoint.poems"

_VERSION = 1
_COMMANDS = {
    "run": "fit",
    "projection": "transform",
    "simulation": "simulate",
    "benchmark": "benchmark",
    "paper": "benchmark --protocol paper",
    "stability": "stability",
    "factor-table": "factors",
    "survival": "survival",
    "gene-sets": "genesets",
    "export": "export",
    "contribution-table": "contributions",
    "subtype-table": "subtypes",
    "association-table": "associations",
}


def claim_folder(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Path:
    """Make sure that ``folder`` may be written to, and mark it as a ``kind`` not yet complete.

    An earlier result of the same kind stays as it is until it is replaced. What
    did not finish and left no checkpoint needs no leave to be replaced.

    Raises
    ------
    SettingsError
        If the folder holds such a result, or a checkpoint, and ``overwrite``
        is not asked for, if it holds anything else, or cannot be made.
    """
    path = require_free(folder, kind, overwrite=overwrite)
    try:
        if not path.is_dir() or not any(path.iterdir()):
            write_marker(path, kind, {}, complete=False)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def require_free(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Path:
    """Refuse what :func:`claim_folder` would refuse, and leave everything as it is.

    Raises
    ------
    SettingsError
        As there; whether the disk takes what is written is found out by writing.
    """
    path = Path(folder)
    try:
        _require_free(path, kind, overwrite)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


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
    if nearest != path or not any(path.iterdir()):
        return
    found = _read(path, kind)
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


def write_marker(
    folder: Path, kind: Kind, contents: Mapping[str, Any], *, complete: bool = True
) -> None:
    """Mark ``folder`` as a ``kind``, complete or about to be written."""
    head = {"format": f"poems-{kind}", "version": _VERSION, "complete": complete}
    write_json(folder / f"{kind}.json", {**head, **contents})


def read_marker(folder: Path, kind: Kind) -> dict[str, Any]:
    """Return what the marker of a complete ``kind`` says.

    Raises
    ------
    ReadError
        If the folder does not exist, is not of this kind, or is not complete.
    StorageError
        If it is of a format that this version does not read.
    """
    remedy = f"give the --out of an earlier `poems {_COMMANDS[kind]}`"
    if not folder.is_dir():
        raise ReadError(f"there is no folder {folder}; {remedy}")
    found = _read(folder, kind)
    if found is None:
        raise ReadError(f"{folder} is not a POEMS {kind} (no valid {kind}.json in it); {remedy}")
    if found.get("version") != _VERSION:
        raise StorageError(
            f"{folder} is a {kind} of format {found.get('version')}, but this POEMS reads format "
            f"{_VERSION}; use the version that wrote it, or make it again"
        )
    if not found.get("complete"):
        raise ReadError(
            f"the {kind} in {folder} did not finish; repeat it with `poems {_COMMANDS[kind]} "
            "--overwrite`"
        )
    return found


def _read(folder: Path, kind: Kind) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == f"poems-{kind}" else None
