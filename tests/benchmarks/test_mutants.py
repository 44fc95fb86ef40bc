"""The faults of mutants.py can be put into the code as it is now."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_fault_has_its_place_and_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("mutants")
    # Ends with what stands in its file no more.
    named = {test.split("::")[0] for place in script.places() for test in place.tests}
    assert [test for test in sorted(named) if not (ROOT / "tests" / test).exists()] == []
