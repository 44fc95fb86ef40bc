"""The command line, run in the tests' own process or in one other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from poems.cli import main


def poems_here(*arguments: object) -> int:
    """Run a command in this process, for speed; return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    code = stop.value.code
    assert code is None or isinstance(code, int)
    return code or 0


class Answer(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


_DRIVER = """
import contextlib, io, json, sys

from poems.cli import main

answers = []
for arguments in json.loads(sys.argv[1]):
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            main(arguments)
        except SystemExit as stop:
            code = stop.code or 0
    for each in streams:
        each.flush()
    answers.append([code, *(each.buffer.getvalue().decode() for each in streams)])
print(json.dumps(answers))
"""


def poems_elsewhere(
    *commands: Sequence[object], environment: Mapping[str, str] | None = None
) -> list[Answer]:
    """Run commands one after another in a process of their own, which may end badly."""
    given = json.dumps([[str(each) for each in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, given],
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Answer(*each) for each in json.loads(done.stdout)]


def without_memory(run: Path, folder: Path) -> Path:
    """Copy a run that does not say where its tables lie, as those of older versions."""
    copy = Path(shutil.copytree(run, folder / "older"))
    marker = json.loads((copy / "run.json").read_text())
    marker.pop("inputs")
    (copy / "run.json").write_text(json.dumps(marker))
    return copy
