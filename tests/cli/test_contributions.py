"""``poems contributions``, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here, without_memory
from pictures import unrendered

from poems.files.csv_tables import read_csv


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contributions") / "sim"
    options = ["--n-samples", 72, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    options += ["--density", 0.2, "--effect", 1, 2, "--missing-views", 0.05]
    assert poems_here("simulate", "--out", folder, *options) == 0
    return folder


@pytest.fixture(scope="module")
def run_folder(simulated: Path) -> Path:
    run = simulated.parent / "run"
    options = ["--epochs", 40, "--batch-size", 24, "--n-latent", 6, "--quiet", "--n-subtypes", 3]
    options += ["--obs", simulated / "obs.csv", "--no-analysis"]
    with unrendered():
        assert poems_here("fit", *tables(simulated), "--out", run, *options) == 0
    return run


def tables(simulated: Path) -> list[Path]:
    return [simulated / "view1.csv.gz", simulated / "view2.csv.gz"]


def test_a_line_for_each_view_and_the_tables(
    simulated: Path,
    run_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "contributions"
    assert poems_here("contributions", run_folder, *tables(simulated), "--out", out) == 0
    text = capsys.readouterr().out
    by_view = pd.read_csv(out / "contributions_by_view.csv").set_index("view")
    for view, row in by_view.iterrows():
        numbers = f"{row['n_samples']:.0f} +{row['mean_gate']:.2f} +{row['mean_shift']:.2f}"
        assert re.search(rf"^  {view} +{numbers} +−?\d\.\d\d +[<>]?\d+%$", text, re.MULTILINE)
    for at in (1, 2, 3):
        pair = r"\d\.\d\d / \d\.\d\d"
        assert re.search(rf"^  S{at} +{pair} +{pair}$", text, re.MULTILINE)
    assert "2 pairs of an omic and a column of the obs table compared" in text
    assert max(map(len, text.splitlines())) <= 80
    by_sample = pd.read_csv(out / "contributions_by_sample.csv")
    assert by_sample.groupby("view").size().to_dict() == by_view["n_samples"].to_dict()
    known = read_csv(run_folder / "subtypes.csv")["subtype"]
    assert (by_sample["subtype"] == known.loc[by_sample["sample"]].to_numpy()).all()
    by_group = pd.read_csv(out / "contributions_by_group.csv")
    assert by_group["column"].unique().tolist() == ["subtype", "subtype (obs)"]
    assert (out / "figures" / "contributions.png").stat().st_size > 1000
    marker = json.loads((out / "contribution-table.json").read_text())
    assert marker["n_samples"] == by_sample["sample"].nunique()
    again = ("contributions", run_folder, *tables(simulated), "--out", out)
    assert poems_here(*again) == 1
    assert "holds a POEMS contribution-table already; pass --overwrite" in capsys.readouterr().err
    assert poems_here(*again, "--overwrite") == 0


def test_a_run_without_a_saved_assigner_gives_the_same(
    simulated: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("contributions", run_folder, *tables(simulated))
    assert poems_here(*command) == 0
    before = capsys.readouterr().out
    file = run_folder / "subtype_model.json"
    text = file.read_text()
    try:
        file.unlink()
        assert poems_here(*command) == 0
        assert capsys.readouterr().out == before
        file.write_text(text.replace('"limit"', '"limits"'))
        assert poems_here(*command) == 1
        assert "Delete it, and subtypes are learnt" in capsys.readouterr().err
    finally:
        file.write_text(text)


def test_a_given_table_takes_the_place_of_the_runs(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obs = read_csv(simulated / "obs.csv")
    pd.DataFrame({"centre [red]": ["a,b", "=c()"] * 36}, index=obs.index).to_csv(tmp_path / "o.csv")
    out = tmp_path / "out"
    options = ["--obs", tmp_path / "o.csv", "--out", out]
    assert poems_here("contributions", run_folder, *tables(simulated), *options) == 0
    by_group = pd.read_csv(out / "contributions_by_group.csv")
    assert by_group["column"].unique().tolist() == ["subtype", "centre [red]"]
    assert set(by_group["group"]) == {"S1", "S2", "S3", "a,b", "=c()"}


def test_one_view_is_said_and_no_view_refused(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert poems_here("contributions", run_folder, tables(simulated)[0], "--out", out) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"(\d+) of \1 samples have one omic alone", text)
    assert len(pd.read_csv(out / "contributions_by_sample.csv")) == 0
    assert poems_here("contributions", without_memory(run_folder, tmp_path)) == 2
    assert "no table given; pass --view NAME=FILE for each omic" in " ".join(
        capsys.readouterr().err.replace("│", " ").split()
    )
