"""Text that ended the process in pandas' quick parsers, through the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HUGE = "5e12345678901"


@pytest.fixture
def rna(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(30, 6)).round(3)
    path = tmp_path / "rna.csv"
    index = [f"s{at}" for at in range(30)]
    pd.DataFrame(values, index=index, columns=list("abcdef")).to_csv(path, index_label="id")
    return path


def poems_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, which may end badly."""
    command = [sys.executable, "-m", "poems", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_a_cell_beyond_all_numbers_is_named(rna: Path, kind: str) -> None:
    table = pd.read_csv(rna, dtype=str, index_col=0)
    table.iloc[4, 1] = HUGE
    path = rna.with_name(f"new.{kind}")
    if kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="," if kind == "csv" else "\t")
    found = poems_process("check", f"rna={path}")
    assert found.returncode == 1
    text = " ".join((found.stdout + found.stderr).split())
    assert "infinite or too large" in text
    assert "sample 's4', feature 'b'" in text


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_barcode_goes_through_a_fit_and_what_follows(rna: Path, kind: str) -> None:
    obs = pd.DataFrame(
        {"barcode": [HUGE, "a91c0b", "77e013"] * 10, "hash": [HUGE, "77e013"] * 15},
        index=[f"s{at}" for at in range(30)],
    )
    path, run = rna.with_name(f"obs.{kind}"), rna.with_name("run")
    obs.to_csv(path, index_label="id") if kind == "csv" else obs.to_parquet(path)
    fit = poems_process(
        "fit", f"rna={rna}", "--obs", path, "--epochs", 5, "--n-subtypes", 2, "--out", run, "-q"
    )
    assert fit.returncode == 0, fit.stderr
    # What follows reads obs.csv of the run, whatever that was made of.
    after = (["report", run], ["associations", run]) if kind == "csv" else ()
    for command in after:
        found = poems_process(*command)
        assert found.returncode == 0, (command, found.stderr)
    kept = pd.read_csv(run / "obs.csv", dtype=str, index_col=0)
    assert kept["hash"].tolist() == obs["hash"].tolist()
    assert kept["barcode"].tolist() == obs["barcode"].tolist()
