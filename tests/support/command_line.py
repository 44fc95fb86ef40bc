"""The command line, run in the tests' own process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from poems.cli import main


def poems_here(*arguments: object) -> int:
    """Run a command in this process, for speed; return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    code = stop.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def without_memory(run: Path, folder: Path) -> Path:
    """Copy a run that does not say where its tables lie, as those of older versions."""
    copy = Path(shutil.copytree(run, folder / "older"))
    marker = json.loads((copy / "run.json").read_text())
    marker.pop("inputs")
    (copy / "run.json").write_text(json.dumps(marker))
    return copy
