"""Text that ended the process in pandas' quick parsers, through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_elsewhere

HUGE = "5e12345678901"
QUICK = ["--epochs", 5, "--n-subtypes", 2, "--no-analysis", "-q"]


@pytest.fixture
def rna(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(30, 6)).round(3)
    path = tmp_path / "rna.csv"
    index = [f"s{at}" for at in range(30)]
    pd.DataFrame(values, index=index, columns=list("abcdef")).to_csv(path, index_label="id")
    return path


def test_a_cell_beyond_all_numbers_is_named(rna: Path) -> None:
    table = pd.read_csv(rna, dtype=str, index_col=0)
    table.iloc[4, 1] = HUGE
    paths = [rna.with_name(f"new.{kind}") for kind in ("csv", "tsv", "parquet")]
    table.to_csv(paths[0])
    table.to_csv(paths[1], sep="\t")
    table.to_parquet(paths[2])
    for found in poems_elsewhere(*(["check", f"rna={path}"] for path in paths)):
        assert found.code == 1
        text = " ".join((found.out + found.err).split())
        assert "infinite or too large" in text
        assert "sample 's4', feature 'b'" in text


def test_a_barcode_goes_through_a_fit_and_what_follows(rna: Path) -> None:
    obs = pd.DataFrame(
        {"barcode": [HUGE, "a91c0b", "77e013"] * 10, "hash": [HUGE, "77e013"] * 15},
        index=[f"s{at}" for at in range(30)],
    )
    tables = {kind: rna.with_name(f"obs.{kind}") for kind in ("csv", "parquet")}
    obs.to_csv(tables["csv"], index_label="id")
    obs.to_parquet(tables["parquet"])
    runs = {kind: rna.with_name(f"run-{kind}") for kind in tables}
    fits = [
        ["fit", f"rna={rna}", "--obs", tables[kind], "--out", runs[kind], *QUICK] for kind in tables
    ]
    # What follows reads obs.csv of the run, whatever that was made of.
    after = [["report", runs["csv"]], ["associations", runs["csv"]]]
    for found in poems_elsewhere(*fits, *after):
        assert found.code == 0, found.err
    for run in runs.values():
        kept = pd.read_csv(run / "obs.csv", dtype=str, index_col=0)
        assert kept["hash"].tolist() == obs["hash"].tolist()
        assert kept["barcode"].tolist() == obs["barcode"].tolist()
