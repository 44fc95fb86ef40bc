"""``poems associations``, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here
from pictures import unrendered

HOSTILE = ["=cmd()", "<script>", "a,b", "naïve\u202e", "[red]"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two views with some hostile names, the same in both."""
    folder = tmp_path_factory.mktemp("associations") / "sim"
    options = ["--n-samples", 60, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    options += ["--density", 0.2, "--effect", 1.5, 2, "--missing-views", 0.05]
    assert poems_here("simulate", "--out", folder, *options) == 0
    for view in ("view1", "view2"):
        path = folder / f"{view}.csv.gz"
        table = pd.read_csv(path, index_col=0)
        loads = pd.read_csv(next(folder.glob(f"**/*loadings*/{view}.csv*")), index_col=0)
        driven = loads.index[(loads != 0).any(axis=1)][: len(HOSTILE)]
        table.rename(columns=dict(zip(driven, HOSTILE, strict=True))).to_csv(path)
    return folder


@pytest.fixture(scope="module")
def run_folder(simulated: Path) -> Path:
    run = simulated.parent / "run"
    options = ["--epochs", 40, "--batch-size", 24, "--n-latent", 6, "--quiet", "--no-analysis"]
    with unrendered():
        assert poems_here("fit", *tables(simulated), "--out", run, *options) == 0
    return run


def tables(simulated: Path) -> list[Path]:
    return [simulated / "view1.csv.gz", simulated / "view2.csv.gz"]


def test_pairs_are_printed_and_written(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pairs"
    command = ["associations", run_folder, *tables(simulated), "--top", 8]
    assert poems_here(*command, "--out", out) == 0
    text = capsys.readouterr().out
    assert re.search(r"^\d+ cross-omic pairs of 1600 tested pairs\.$", text, re.MULTILINE)
    assert "The 8 highest scores of" in text
    assert "1600 pairs were tested, all pairs of features" in " ".join(text.split())
    table = pd.read_csv(out / "cross_omic.csv", keep_default_na=False)
    assert (table["q"] <= 0.1).all()
    assert len(table) > 50
    assert set(HOSTILE) & set(table["feature_a"])
    nodes = pd.read_csv(out / "cross_omic_nodes.csv", keep_default_na=False)
    edges = pd.read_csv(out / "cross_omic_edges.csv", keep_default_na=False)
    assert len(edges) == len(table)
    assert set(edges["source"]) | set(edges["target"]) == set(nodes["id"])
    for name in ("cross_omic.graphml", "figures/circle.png", "figures/network.svg", "findings.csv"):
        assert (out / name).stat().st_size > 100
    about = json.loads((out / "association-table.json").read_text())
    assert about["complete"]
    assert about["n_significant"] == len(table)

    assert poems_here(*command, "--out", out) == 1
    assert "holds a POEMS association-table already" in capsys.readouterr().err
    before = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    assert poems_here(*command, "--out", out, "--overwrite") == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.csv")} == before


def test_restrictions(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_folder / "model.poems"
    command = ["associations", model, *tables(simulated), "--fdr", 1]
    assert poems_here(*command, "--feature", "a,b", "--out", tmp_path / "one") == 0
    assert " of 80 tested pairs" not in capsys.readouterr().out, "their own pair counts once"
    found = pd.read_csv(tmp_path / "one" / "cross_omic.csv")
    assert ((found["feature_a"] == "a,b") | (found["feature_b"] == "a,b")).all()
    assert poems_here(*command, "--cis", "names", "--factor", "factor_1") == 0
    assert "of 5 tested pairs" in capsys.readouterr().out
    pairs = pd.DataFrame({"one": ["view1:=cmd()"], "other": ["<script>"]})
    pairs.to_csv(tmp_path / "cis.tsv", sep="\t", index=False)
    assert poems_here(*command, "--cis", tmp_path / "cis.tsv") == 0
    assert "of 1 tested pair." in capsys.readouterr().out
    (tmp_path / "ragged.csv").write_text("a,b\none,two,three\n")
    assert poems_here(*command, "--cis", tmp_path / "ragged.csv") == 1
    assert "ragged.csv, row 2: 3 fields where the first line has 2" in " ".join(
        capsys.readouterr().err.split()
    )
    stability = tmp_path / "stability"
    options = ["--n-runs", 2, "--n-permutations", 0, "--quiet"]
    run = ["--run", run_folder, "--out", stability]
    assert poems_here("stability", *tables(simulated), *run, *options) == 0
    assert poems_here(*command, "--stability", stability, "--out", tmp_path / "two") == 0
    assert "support" in capsys.readouterr().out
    support = pd.read_csv(tmp_path / "two" / "cross_omic.csv")["support"]
    assert support.between(0, 1).all()
    assert support.max() == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["T", "--fdr", "0"], 2, "--fdr must be above 0"),
        (["T", "--feature", "absent"], 1, "no omic has the feature absent"),
        (["T", "--feature", "A,"], 1, "did you mean a,b?"),
        (["T", "--factor", "factor_99"], 1, "no factor 'factor_99'"),
        (["T", "--cis", "absent.csv"], 1, "absent.csv does not exist; check the path"),
        (["T", "--stability", "absent"], 1, "there is no folder absent"),
        (["T", "--out", "RUN"], 1, "is not a POEMS association-table"),
        (["T", "--top", "0"], 2, "--top"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    code: int,
    message: str,
    simulated: Path,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    given: list[object] = []
    for each in arguments:
        given += tables(simulated) if each == "T" else [run_folder if each == "RUN" else each]
    assert poems_here("associations", run_folder, *given) == code
    assert message in capsys.readouterr().err
