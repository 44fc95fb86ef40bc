"""Markers: the file ``<kind>.json`` that says what a folder of ours holds, and whether all of it.

A marker tells a folder of ours from one that holds something else, which is never overwritten.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from poems.errors import ReadError, SettingsError, StorageError
from poems.files.atomic import write_json
from poems.files.locks import release_lock, take_lock
from poems.files.placing import JOURNAL, finish_moving

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

_VERSION: Final = 1
# Seconds to wait for a writer that is moving files, which takes an instant.
_LONGEST_MOVE: Final = 10.0
# The command that makes each kind.
COMMANDS: Final[Mapping[Kind, str]] = {
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


def write_marker(
    folder: Path, kind: Kind, contents: Mapping[str, Any], *, complete: bool = True
) -> None:
    """Mark ``folder`` as a ``kind``, complete or about to be written."""
    write_json(folder / f"{kind}.json", {**marker_head(kind, complete=complete), **contents})


def marker_head(kind: Kind, *, complete: bool) -> dict[str, Any]:
    """Return what every marker of a ``kind`` begins with."""
    return {"format": f"poems-{kind}", "version": _VERSION, "complete": complete}


def read_marker(folder: Path, kind: Kind) -> dict[str, Any]:
    """Return what the marker of a complete ``kind`` says.

    Raises
    ------
    ReadError
        If the folder does not exist, is not of this kind, or is not complete.
    StorageError
        If it is of a format that this version does not read.
    """
    remedy = f"give the --out of an earlier `poems {COMMANDS[kind]}`"
    if not folder.is_dir():
        raise ReadError(f"there is no folder {folder}; {remedy}")
    _finish(folder)
    found = find_marker(folder, kind)
    if found is None:
        raise ReadError(f"{folder} is not a POEMS {kind} (no valid {kind}.json in it); {remedy}")
    if found.get("version") != _VERSION:
        raise StorageError(
            f"{folder} is a {kind} of format {found.get('version')}, but this POEMS reads format "
            f"{_VERSION}; use the version that wrote it, or make it again"
        )
    if not found.get("complete"):
        again = f"repeat it with `poems {COMMANDS[kind]} --overwrite`"
        if (folder / CHECKPOINT).exists():
            again = f"go on with it by `poems fit --resume {folder}`, or {again}"
        raise ReadError(f"the {kind} in {folder} did not finish; {again}")
    return found


def _finish(folder: Path) -> None:
    """Bring a move to its end whose process was killed; wait for one that goes on.

    Raises
    ------
    ReadError
        If the files cannot be moved.
    """
    until = time.monotonic() + _LONGEST_MOVE
    while (folder / JOURNAL).exists():
        try:
            take_lock(folder)
        except SettingsError as error:
            if time.monotonic() > until:
                raise ReadError(str(error)) from error
            time.sleep(0.05)
            continue
        except OSError as error:
            raise _not_finished(folder, error) from error
        try:
            finish_moving(folder)
        except OSError as error:
            raise _not_finished(folder, error) from error
        finally:
            release_lock(folder)


def _not_finished(folder: Path, error: OSError) -> ReadError:
    return ReadError(
        f"the result in {folder} is whole, but its writer was ended before all files were in "
        f"their place, and they cannot be moved now ({error.strerror}); open it once with leave "
        "to write there"
    )


def remove_markers(folder: Path) -> None:
    """Take the markers away, of whatever kind."""
    for kind in COMMANDS:
        (folder / f"{kind}.json").unlink(missing_ok=True)


def holds_complete(folder: Path) -> bool:
    """Return whether a folder is marked as a complete result of any kind."""
    return any((find_marker(folder, kind) or {}).get("complete") for kind in COMMANDS)


def find_marker(folder: Path, kind: Kind) -> dict[str, Any] | None:
    """Return what the marker of a ``kind`` says, whole or not; ``None`` where there is none."""
    try:
        found = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("format") == f"poems-{kind}" else None
