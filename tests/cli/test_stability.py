"""``poems stability``, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.cli.commands.stability import ResampleName
from poems.errors import SettingsError
from poems.files.csv_tables import read_csv
from poems.resampling.draws import Resample
from poems.resampling.result import Stability

QUICK = ["--epochs", "40", "--encoder-layers", "16", "--n-latent", "5"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stability") / "sim"
    options = [
        "--n-samples",
        60,
        "--n-features",
        40,
        "--n-views",
        2,
        "--n-factors",
        2,
        "--n-subtypes",
        3,
    ]
    options += ["--density", 0.25, "--missing-views", 0.05]
    assert poems_here("simulate", "--out", folder, *options) == 0
    return folder


def tables(simulated: Path) -> list[Path]:
    return [simulated / "view1.csv.gz", simulated / "view2.csv.gz"]


def test_the_command_writes_what_the_library_reads(
    simulated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()
    options = ["--out", "s", "--n-runs", 3, "--fdr", 0.2, "--seed", 5, *QUICK]
    assert poems_here("stability", *tables(simulated), *options) == 0
    said = capsys.readouterr()
    assert max(map(len, said.out.splitlines())) <= 80
    assert "3 refits (subsample)" in said.out
    assert "at a false discovery rate of 20%" in said.out
    assert "R² of samples left out" in said.out
    assert said.err.splitlines()[-1] == "fits done: 8 of 8"
    found = Stability.load(tmp_path / "s")
    assert found.seed == 5
    assert found.reference.settings.training.epochs == 40
    biomarkers = pd.read_csv(tmp_path / "s" / "biomarkers.csv")
    assert len(biomarkers) == len(found.biomarkers(0.2)) > 0
    subtypes = read_csv(tmp_path / "s" / "subtypes.csv")
    assert list(subtypes["subtype"]) == list(found.consensus_subtypes().assignment)
    assert read_csv(tmp_path / "s" / "consensus_matrix.csv").shape == (60, 60)
    assert (tmp_path / "s" / "figures" / "consensus.png").stat().st_size > 1000
    assert "not measured on" in (tmp_path / "s" / "run.log").read_text(encoding="utf-8")


def test_a_run_brings_model_and_settings(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = tmp_path / "run", tmp_path / "s"
    assert poems_here("fit", *tables(simulated), "--out", run, "-q", *QUICK) == 0
    arguments = ["stability", *tables(simulated), "--run", run, "--out", out, "--n-runs", 2]
    assert poems_here(*arguments, "--epochs", 3) == 2
    assert "--run brings its own settings; leave out --epochs" in capsys.readouterr().err
    assert poems_here(*arguments, "--n-permutations", 0, "--n-subtypes", 3, "-q") == 0
    assert capsys.readouterr() == ("", "")
    found = Stability.load(out)
    model = poems.load(run / "model.poems")
    pd.testing.assert_frame_equal(found.reference.latent, model.latent)
    assert not (out / "biomarkers.csv").exists()
    assert read_csv(out / "subtypes.csv")["subtype"].nunique() == 3
    assert poems_here(*arguments) == 1
    assert "holds a POEMS stability already; pass --overwrite" in capsys.readouterr().err
    other = ["stability", tables(simulated)[0], "--run", run, "--out", tmp_path / "other"]
    assert poems_here(*other, "-q") == 1
    assert "give the tables that it was fitted on" in capsys.readouterr().err


def test_jobs_are_the_processes_of_the_library(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def enough(*_: object, **options: object) -> None:
        asked.append(options["n_jobs"])
        raise SettingsError("enough")

    monkeypatch.setattr("poems.resampling.stability.stability", enough)
    options = ["--out", tmp_path / "s", "--jobs", 2, *QUICK]
    assert poems_here("stability", *tables(simulated), *options) == 1
    assert asked == [2]


def test_wrong_use_is_refused_before_any_fit(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["stability", *tables(simulated), "--out", tmp_path / "s"]
    assert poems_here(*arguments, "--fdr", 10) == 2
    assert "--fdr must be between 0 and 1, not 10" in capsys.readouterr().err
    assert poems_here(*arguments, "--n-subtypes", 60) == 1
    assert "--n-subtypes is 60, but there are only 60 samples" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_choices_are_those_of_the_library() -> None:
    assert get_args(ResampleName) == get_args(Resample)
