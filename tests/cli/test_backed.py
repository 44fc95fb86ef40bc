"""The command line on cohorts that stay on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.data.container import MultiOmics
from poems.runs.folder import read_run

pytestmark = pytest.mark.usefixtures("unrendered")

Write = Callable[[MultiOmics, Path, str], Any]
QUICK = ["--epochs", "6", "--n-latent", "4", "--encoder-layers", "16"]


def test_fit_transform_and_diagnose(
    incomplete: MultiOmics,
    write_backed: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("poems.runs.figures.MOST_DRAWN", 50)
    path, run = write_backed(incomplete, tmp_path, "h5mu"), tmp_path / "run"
    assert poems_here("fit", path, "--backed", "--out", run, *QUICK) == 0
    assert "72 samples" in capsys.readouterr().out
    found = read_run(run)
    assert found.pca is None
    assert list(found.model.samples) == list(poems.read(path).samples)
    findings = pd.read_csv(run / "findings.csv")
    assert "pca-left-out" in set(findings["code"])
    assert (run / "figures" / "latent.png").exists()

    out = tmp_path / "new"
    assert poems_here("transform", run, path, "--backed", "--out", out) == 0
    latent = pd.read_csv(out / "latent.csv", index_col=0)
    pd.testing.assert_frame_equal(
        latent, found.model.latent, check_names=False, check_dtype=False, atol=1e-5
    )
    assert poems_here("diagnose", run, path, "--backed") == 0
    assert "samples named in training" in capsys.readouterr().out


def test_one_parquet_a_view(incomplete: MultiOmics, write_backed: Write, tmp_path: Path) -> None:
    paths = write_backed(incomplete, tmp_path, "parquet")
    views = [f"--view={name}={path}" for name, path in paths.items()]
    assert poems_here("fit", *views, "--backed", "--out", tmp_path / "run", *QUICK, "-q") == 0


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["{csv}"], "cannot be read in parts"),
        (["{path}", "--features-in-rows"], "have to stand in rows"),
        (["{path}.zarr"], "does not exist"),
    ],
)
def test_what_cannot_be_read_in_parts_is_said(
    incomplete: MultiOmics,
    write_backed: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    text: str,
) -> None:
    path = write_backed(incomplete, tmp_path, "h5mu")
    csv = tmp_path / "rna.csv"
    incomplete.frame("rna").to_csv(csv)
    filled = [flag.format(path=path, csv=csv) for flag in flags]
    assert poems_here("fit", *filled, "--backed", "--out", tmp_path / "run") != 0
    assert text in " ".join(capsys.readouterr().err.split())


def test_a_zarr_store_without_the_flag_says_which_it_needs(
    incomplete: MultiOmics,
    write_backed: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_backed(incomplete, tmp_path, "zarr")
    assert poems_here("fit", path, "--out", tmp_path / "run") != 0
    assert "--backed" in capsys.readouterr().err
    assert poems_here("fit", path, "--backed", "--out", tmp_path / "run", *QUICK, "-q") == 0
