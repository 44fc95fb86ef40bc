"""The null of the survival analysis runs, and says what is reported."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
def test_every_setting_has_a_row_for_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    script = importlib.import_module("null_survival")
    table = script.null_survival(2, seed=3, out=tmp_path / "null.csv")
    assert table.groupby("setting").size().to_dict() == dict.fromkeys(script.SETTINGS, 2)
    assert set(table.dtypes[["reports", "log-rank", "Cox", "factors", "crossing"]]) == {
        np.dtype(bool)
    }
    assert table["n_events"].between(10, 150).all()
    assert len((tmp_path / "null.csv").read_text(encoding="utf-8").splitlines()) == 9
