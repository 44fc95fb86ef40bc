"""A fault of the library ends the child that looked, and nothing else."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hdf5_files import dense, read, write

from poems import ReadError
from poems.data.stored import child, hdf5
from poems.errors import PoemsError


def crash(path: Path) -> int:
    return len(ctypes.string_at(0))


def abort(path: Path) -> int:
    os.abort()


def circle(path: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def hog(path: Path) -> int:
    return len(bytearray(64 << 30))


def raises(path: Path) -> int:
    raise ReadError("the sentence of the error")


def fails(path: Path) -> int:
    raise KeyError("some\nlines")


@pytest.mark.skipif(sys.platform != "linux", reason="a fork")
@pytest.mark.parametrize(
    ("look", "text"),
    [
        (crash, "crashes the HDF5 library"),
        (abort, "crashes the HDF5 library"),
        (circle, "may run in circles"),
        (hog, "GB of memory"),
        (raises, "^the sentence of the error$"),
        (fails, "is a damaged HDF5 file"),
    ],
)
def test_whatever_happens_in_the_child_becomes_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: object, text: str
) -> None:
    monkeypatch.setattr(child, "_SECONDS", 1.0)
    path = tmp_path / "a"
    path.write_bytes(b"x")
    start = time.monotonic()
    with pytest.raises(ReadError, match=text) as caught:
        child.run_apart(look, path)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 20


def test_the_answer_of_the_child_is_that_of_this_process(tmp_path: Path) -> None:
    path = write(tmp_path, ".h5mu", dense())
    assert hdf5.inspect_hdf5(path) == hdf5._look(path) > dense().nbytes


@pytest.mark.parametrize("look", [hdf5._look, hdf5._look_at_all])
def test_a_new_interpreter_answers_as_a_fork_does(
    tmp_path: Path, look: Callable[[Path], int]
) -> None:
    path = write(tmp_path, ".h5ad", dense())
    answer = child._spawned(look, path, 60.0)
    assert answer is not None
    assert int(answer) == look(path)


@pytest.mark.skipif(sys.platform != "linux", reason="a fork")
def test_where_no_process_can_be_started_the_file_is_looked_at_in_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError("no more processes")

    path = write(tmp_path, ".h5ad", dense())
    monkeypatch.setattr(os, "fork", refuse)
    np.testing.assert_array_equal(read(path, False)["v"], dense())


@pytest.mark.parametrize("ending", [".h5ad", ".h5mu"])
@pytest.mark.parametrize("backed", [False, True])
def test_damaged_bytes_are_read_or_refused_with_one_sentence(
    tmp_path: Path, ending: str, backed: bool
) -> None:
    sound = write(tmp_path, ending, dense()).read_bytes()
    rng = np.random.default_rng(0)
    there = np.flatnonzero(np.frombuffer(sound, dtype=np.uint8))
    path = tmp_path / f"damaged{ending}"
    for n in range(25):
        changed = bytearray(sound if n % 5 else sound[: int(rng.integers(len(sound)))])
        for place in rng.choice(there, size=int(rng.integers(1, 12))):
            if place < len(changed):
                changed[place] = int(rng.integers(256))
        path.write_bytes(changed)
        text = refusal(path, backed)
        assert "\n" not in text or "problems" in text


def refusal(path: Path, backed: bool) -> str:
    """Say why a file is refused; nothing if it is read."""
    try:
        read(path, backed)
    except PoemsError as error:
        return str(error)
    return ""
