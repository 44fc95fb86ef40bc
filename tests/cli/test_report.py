"""``poems report`` and the report of ``poems demo``, end to end."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here

from poems.files.csv_tables import read_csv


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    options = ["--n-samples", 60, "--n-features", 30, "--epochs", 20, "--n-latent", 4, "--quiet"]
    assert poems_here("demo", "--out", folder, *options) == 0
    return folder


def test_the_demo_ends_with_its_report(run_folder: Path) -> None:
    assert (run_folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (run_folder / "report_tables" / "label_counts.csv").exists()


def test_what_is_found_is_printed(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    options = ["--labels", "subtype", "--title", "A <b>title</b>"]
    assert poems_here("report", run_folder, "--out", out, *options) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "60 samples measured with 3 omics" in words
    assert "What to distrust" in words
    assert f"Report written to {out}".replace(" ", "") in words.replace(" ", "")
    assert "<h1>A &lt;b&gt;title&lt;/b&gt;</h1>" in out.read_text(encoding="utf-8")
    assert poems_here("report", run_folder, "--out", out, "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent"], 1, "there is no folder absent"),
        (["RUN", "--labels", "absent"], 1, "has no column 'absent'"),
        (["RUN", "--time", "subtype"], 1, "give both, time and event"),
        (["RUN", "--out", "RUN"], 1, "is a folder"),
        (["RUN", "--gmt", "absent.gmt"], 1, "absent.gmt"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    code: int,
    message: str,
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    given = [str(run_folder) if each == "RUN" else each for each in arguments]
    extra = [] if "--out" in given else ["--out", tmp_path / "page.html"]
    assert poems_here("report", *given, *extra) == code
    assert message in capsys.readouterr().err


def test_another_table_of_the_samples_takes_the_place_of_the_runs(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obs = read_csv(run_folder / "obs.csv")
    obs.assign(centre=["north", "south"] * 30).drop(columns="subtype").iloc[1:].to_csv(
        tmp_path / "other.csv"
    )
    out = tmp_path / "page.html"
    options = ["--obs", tmp_path / "other.csv", "--out", out]
    assert poems_here("report", run_folder, *options, "--labels", "centre") == 0
    page = out.read_text(encoding="utf-8")
    assert "north" in page
    assert f"1 of 60 samples has no row in the obs table ({obs.index[0]})" in page
    computed = pd.read_csv(tmp_path / "page_tables" / "factor_obs.csv")
    assert computed["column"].unique().tolist() == ["centre"]
    assert poems_here("report", run_folder, *options, "--labels", "subtype") == 1
    pd.DataFrame({"centre": [1]}, index=["stranger"]).to_csv(tmp_path / "other.csv")
    assert poems_here("report", run_folder, *options) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "none of the 60 samples" in said
    assert "whose first column holds stranger" in said
