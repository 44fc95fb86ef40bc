"""The files that a run was fitted to: where they lay, and checksums that tell whether they changed.

A run keeps none of its data. With this in ``run.json`` its commands find the tables
again, and say which one has moved or changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from poems.errors import ReadError, StorageError

KEY: Final = "inputs"
# Above this a checksum takes longer than reading what is needed of a file that stays on disk.
_LARGEST: Final = 1 << 31
_PIECE: Final = 1 << 20
_N_PIECES: Final = 256

Problem = Literal["moved", "changed"]


@dataclass(frozen=True)
class InputFile:
    """A file, or a folder of the kind that is one table.

    Parameters
    ----------
    path
        Where it lay, from the root.
    relative
        The same from the run folder, so that both can move together; ``None`` where there
        is no such way.
    size
        Bytes, of a folder of all its files.
    checksum
        ``sha256:`` and the SHA-256 of the contents; ``sampled:`` and that of 256 pieces
        of it, where it has more than 2 GiB.
    """

    path: str
    relative: str | None
    size: int
    checksum: str


class _Options(BaseModel):
    """What :func:`poems.read` may be told by a run: what the commands tell it, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)
    features_in_rows: bool | list[str] = False
    samples: Literal["union", "intersection"] = "union"
    backed: bool = False
    layer: str | dict[str, str] | None = None


class _Record(BaseModel):
    """What ``run.json`` says of the inputs, which anyone may have edited."""

    model_config = ConfigDict(extra="forbid")
    views: dict[str, InputFile]
    obs: InputFile | None
    options: _Options


@dataclass(frozen=True)
class FoundInput:
    """An input as it is now: where it lies, or what is wrong with it."""

    file: InputFile
    path: Path
    problem: Problem | None


@dataclass(frozen=True)
class RunInputs:
    """What a cohort was read from, and how.

    Parameters
    ----------
    views
        Name of a view to its file; one file under ``""`` where it holds all of them.
    obs
        The table of the samples.
    options
        What else :func:`poems.read` was given.
    """

    views: Mapping[str, InputFile]
    obs: InputFile | None
    options: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "views": {name: asdict(file) for name, file in self.views.items()},
            "obs": None if self.obs is None else asdict(self.obs),
            "options": dict(self.options),
        }


def record_inputs(
    views: Mapping[str, Path] | Path,
    obs: Path | None,
    run: Path,
    options: Mapping[str, Any],
) -> RunInputs:
    """Look at the files of a cohort, after they were read.

    Parameters
    ----------
    views
        As :func:`poems.read` takes them.
    obs
        The table of the samples.
    run
        The run folder.
    options
        What else :func:`poems.read` was given.

    Raises
    ------
    ReadError
        If a file cannot be read any more.
    """
    files = views if isinstance(views, Mapping) else {"": views}
    return RunInputs(
        {name: _look(path, run) for name, path in files.items()},
        None if obs is None else _look(obs, run),
        dict(options),
    )


def read_inputs(summary: Mapping[str, Any], run: Path) -> RunInputs | None:
    """Return what ``run.json`` says of the inputs; ``None`` if it says nothing.

    Raises
    ------
    StorageError
        If it is not as it was written.
    """
    found = summary.get(KEY)
    if found is None:
        return None
    try:
        record = _Record.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (KEY, *first["loc"])))
        raise StorageError(
            f"{run / 'run.json'} does not say from which files the run was made ({where}: "
            f"{first['msg']}); was it edited? Give the tables by --view NAME=FILE"
        ) from error
    return RunInputs(record.views, record.obs, record.options.model_dump(exclude_unset=True))


def find_input(file: InputFile, run: Path) -> FoundInput:
    """Look where a file lay, from the root and then from the run folder, and whether it changed."""
    places = [Path(file.path)]
    if file.relative is not None:
        places.append(Path(os.path.normpath(run.resolve() / file.relative)))
    # Neither devices nor pipes, which never end: anyone may have edited where it lay.
    there = [path for path in places if path.is_file() or path.is_dir()]
    for path in there:
        try:
            same = _size(path) == file.size and _checksum(path) == file.checksum
        except OSError:
            continue
        if same:
            return FoundInput(file, path, None)
    return FoundInput(file, (there or places)[0], "changed" if there else "moved")


def _look(path: Path, run: Path) -> InputFile:
    try:
        full = path.resolve()
        try:
            relative = Path(os.path.relpath(full, run.resolve())).as_posix()
        except ValueError:
            relative = None  # on another drive
        return InputFile(str(full), relative, _size(full), _checksum(full))
    except OSError as error:
        raise ReadError(f"cannot read {path} any more: {error.strerror}") from error


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
    else:
        yield path


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path))


def _checksum(path: Path) -> str:
    """Return the checksum of a file, or of a folder: of its files' names and contents."""
    sampled = _size(path) > _LARGEST
    digest = hashlib.sha256()
    for file in _files(path):
        if path.is_dir():
            digest.update(f"\0{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as opened:
            for piece in _pieces(opened, file.stat().st_size, sampled):
                digest.update(piece)
    return f"{'sampled' if sampled else 'sha256'}:{digest.hexdigest()}"


def _pieces(file: BinaryIO, size: int, sampled: bool) -> Iterator[bytes]:
    """Yield all of a file, or pieces at even distances, the first and the last among them."""
    if not sampled or size <= _PIECE * _N_PIECES:
        while piece := file.read(_PIECE):
            yield piece
        return
    for at in range(_N_PIECES):
        file.seek((size - _PIECE) * at // (_N_PIECES - 1))
        yield file.read(_PIECE)
