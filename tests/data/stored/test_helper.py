"""A fault of the library ends the process that looked, and nothing else."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdf5_files import dense, read, write
from helper_programs import ABORT, CIRCLE, CRASH, GONE, HALF, STARTED

from poems import ReadError
from poems.data.stored import hdf5
from poems.data.stored.helper import CrashError, Helper, NoHelperError
from poems.data.stored.parsed_apart import serve
from poems.data.stored.parsed_apart.values import look
from poems.errors import PoemsError

ECHO = """
import sys
for line in sys.stdin:
    print("started", flush=True)
    print(line.strip(), flush=True)
"""
ONCE = STARTED + "print('7', flush=True)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, ".h5ad", dense())


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (CRASH, "crashes the HDF5 library"),
        (ABORT, "crashes the HDF5 library"),
        (HALF, "crashes the HDF5 library"),
        (CIRCLE, "may run in circles"),
    ],
)
def test_whatever_happens_to_the_process_becomes_a_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch, program: str, text: str
) -> None:
    helper = Helper(program)
    monkeypatch.setattr(hdf5, "HELPER", helper)
    monkeypatch.setattr(hdf5, "_SECONDS", 2.0)
    start = time.monotonic()
    with pytest.raises(ReadError, match=text) as caught:
        hdf5.inspect_hdf5(path)
    assert "v.h5ad" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 20
    helper.end()


def test_after_a_crash_the_next_file_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = Helper(ONCE)
    for _ in range(2):  # it ends after each answer, and is started again
        assert helper.ask({}, 20.0) == b"7\n"
    crashing = Helper(CRASH)
    for _ in range(2):
        with pytest.raises(CrashError):
            crashing.ask({}, 20.0)
    np.testing.assert_array_equal(read(path, False)["v"], dense())
    helper.end()


def test_an_answer_is_that_to_the_question_also_after_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helper = Helper(ECHO)
    assert json.loads(helper.ask({"n": 1}, 20.0)) == {"n": 1}
    real = helper._exchange

    def interrupted(question: bytes, seconds: float) -> list[bytes]:
        with monkeypatch.context() as patch:
            patch.setattr("threading.Thread.join", raise_interrupt)
            return real(question, seconds)

    monkeypatch.setattr(helper, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        helper.ask({"n": 2}, 20.0)
    monkeypatch.undo()
    assert json.loads(helper.ask({"n": 3}, 20.0)) == {"n": 3}
    helper.end()


def raise_interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("program", [GONE, "not Python"])
def test_where_no_process_runs_the_file_is_looked_at_in_this_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    helper = Helper(program)
    with pytest.raises(NoHelperError):
        helper.ask({}, 20.0)
    monkeypatch.setattr(hdf5, "HELPER", helper)
    np.testing.assert_array_equal(read(path, False)["v"], dense())
    monkeypatch.setattr(subprocess, "Popen", refuse)
    np.testing.assert_array_equal(read(path, False)["v"], dense())


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("no more processes")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files there")
def test_what_cannot_be_started_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = Helper(GONE, payload=True)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(NoHelperError):
            helper.start()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("whole", [False, True])
def test_the_answer_of_the_process_is_that_of_this_one(path: Path, whole: bool) -> None:
    assert hdf5.inspect_hdf5(path, whole=whole) == look(path, whole=whole) > dense().nbytes


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "GB of memory"),
        (KeyError("some\nlines"), "is a damaged HDF5 file"),
        (RecursionError("too deep"), r"is a damaged HDF5 file \(too deep\)"),
    ],
)
def test_any_error_of_the_library_becomes_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise error

    monkeypatch.setattr(serve, "look", fail)
    found = json.loads(
        serve.answer({"path": "a.h5ad", "whole": False, "plugins": False, "seconds": None})
    )
    assert "a.h5ad" in found
    with pytest.raises(ReadError, match=text):
        raise ReadError(found)


@pytest.mark.skipif(sys.platform != "linux", reason="starts by a fork there")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_of_this_process_asks_a_process_of_its_own(path: Path) -> None:
    expected = hdf5.inspect_hdf5(path)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(hdf5.inspect_hdf5, [path] * 6) == [expected] * 6
    assert hdf5.inspect_hdf5(path) == expected


def test_nothing_is_said_and_no_process_left_when_the_program_ends(path: Path) -> None:
    code = (
        "import sys, poems\n"
        "poems.read(sys.argv[1])\n"
        "from poems.data.stored.helper import HELPER\n"
        "print(HELPER._process.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert not Path(f"/proc/{int(done.stdout)}").exists()


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
