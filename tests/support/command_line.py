"""The command line, run in the tests' own process."""

from __future__ import annotations

import pytest

from poems.cli import main


def poems_here(*arguments: object) -> int:
    """Run a command in this process, for speed; return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    code = stop.value.code
    assert code is None or isinstance(code, int)
    return code or 0
