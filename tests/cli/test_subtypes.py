"""``poems subtypes``, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here, without_memory

from poems.files.csv_tables import read_csv

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subtypes") / "sim"
    options = ["--n-samples", 72, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    options += ["--n-subtypes", 3, "--density", 0.3, "--effect", 1, 2, "--missing-views", 0.05]
    assert poems_here("simulate", "--out", folder, *options) == 0
    table = pd.read_csv(folder / "view1.csv.gz", index_col=0)
    hostile = ["=cmd()", "<script>[red]", "a,b", "γ\x1b[2J"]
    table.columns = [*hostile, *table.columns[4:]]
    table.to_csv(folder / "view1.csv.gz")
    return folder


@pytest.fixture(scope="module")
def run_folder(simulated: Path) -> Path:
    run = simulated.parent / "run"
    options = ["--epochs", 60, "--n-latent", 6, "--n-subtypes", 3, "--quiet"]
    assert poems_here("fit", *tables(simulated), "--out", run, *options) == 0
    return run


def tables(simulated: Path) -> list[Path]:
    return [simulated / "view1.csv.gz", simulated / "view2.csv.gz"]


def test_numbers_certainty_markers_and_the_tables(
    simulated: Path,
    run_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "subtypes"
    assert poems_here("subtypes", run_folder, *tables(simulated), "--out", out, "--top", 2) == 0
    text = capsys.readouterr().out
    words = " ".join(text.split())
    assert "3 subtypes, as asked for" in words
    assert re.search(r"^  S1 +\d+ +\d+ +[01]\.\d\d +[01]\.\d\d", text, re.MULTILINE)
    assert re.search(r"S1 \d+ markers; view[12]: \S+ [-+]\d\.\d", words)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80

    markers = pd.read_csv(out / "markers.csv")
    columns = ["view", "feature", "subtype", "effect", "direction", "mean_in", "mean_out", "p", "q"]
    assert set(columns) <= set(markers.columns)
    assert len(markers) == 80 * 3
    assert "=cmd()" in set(markers["feature"])
    samples = pd.read_csv(out / "subtype_samples.csv")
    reported = read_csv(run_folder / "subtypes.csv")["subtype"]
    assert samples["subtype"].tolist() == reported.tolist()
    assert samples["sample"].tolist() == reported.index.tolist()
    fitted = pd.read_csv(run_folder / "analysis" / "subtype_samples.csv")
    pd.testing.assert_frame_equal(samples, fitted)  # as the fit found them
    numbers = pd.read_csv(out / "subtype_numbers.csv")
    assert numbers.loc[numbers["chosen"], "n_subtypes"].tolist() == [3]
    assert read_csv(out / "consensus.csv").shape == (72, 72)
    assert {path.stem for path in (out / "figures").iterdir()} == {
        "numbers", "consensus", "markers",
    }  # fmt: skip
    assert "markers-" in (out / "findings.csv").read_text(encoding="utf-8")
    assert json.loads((out / "subtype-table.json").read_text())["complete"] is True

    assert poems_here("subtypes", run_folder, "--out", out) == 1
    assert "holds a POEMS subtype-table already; pass --overwrite" in capsys.readouterr().err
    older = without_memory(run_folder, tmp_path)
    assert poems_here("subtypes", older, "--out", out, "--overwrite") == 0
    assert "Markers" not in capsys.readouterr().out
    assert not (out / "markers.csv").exists(), "without tables nothing is known of them"
    assert not (out / "figures" / "markers.png").exists()


def test_refits_of_a_stability_analysis(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stability = tmp_path / "stability"
    options = ["--n-runs", 3, "--n-permutations", 0, "--epochs", 10, "--quiet"]
    assert poems_here("stability", *tables(simulated), "--out", stability, *options) == 0
    out = tmp_path / "subtypes"
    assert poems_here("subtypes", run_folder, "--stability", stability, "--out", out) == 0
    assert "Found again by refits (Jaccard): S1 0." in " ".join(capsys.readouterr().out.split())
    table = pd.read_csv(out / "subtype_stability.csv")
    assert table["refit_jaccard"].between(0, 1).all()
    assert (out / "figures" / "consensus_refits.png").exists()
    assert (out / "consensus_refits.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent"], 1, "absent"),
        (["RUN", "--top", "0"], 2, "--top"),
        (["RUN", "--stability", "absent"], 1, "absent"),
        (["RUN", "--view", "rna=absent.csv"], 1, "absent.csv"),
        (["RUN", "--out", "RUN"], 1, "is not a POEMS subtype-table"),
    ],
)
def test_faults(
    arguments: list[str],
    code: int,
    message: str,
    run_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(run_folder) if each == "RUN" else each for each in arguments]
    assert poems_here("subtypes", *given) == code
    assert message in capsys.readouterr().err


def test_an_edited_run_is_refused(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    edited = tmp_path / "run"
    shutil.copytree(run_folder, edited)
    (edited / "silhouette.csv").write_text("n_subtypes,other\n2,1\n")
    assert poems_here("subtypes", edited) == 1
    assert "does not say how its subtypes were found" in capsys.readouterr().err
