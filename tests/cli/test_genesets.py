"""``poems genesets``, end to end."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.files.csv_tables import read_csv


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, fitted: poems.FittedPoems) -> Path:
    path = tmp_path_factory.mktemp("genesets") / "model.poems"
    fitted.save(path)
    return path


@pytest.fixture(scope="module")
def gmt(model: Path, simulation: poems.simulation.cohort.Simulation) -> Path:
    truth = simulation.loadings["rna"]
    lines = []
    for at, factor in enumerate(truth.columns):
        genes = "\t".join(f"GENE_{name}" for name in truth.index[truth[factor] != 0])
        lines.append(f"<script>{at}\tdescription\t{genes}")
    path = model.parent / "sets.gmt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def gene_map(model: Path, fitted: poems.FittedPoems) -> Path:
    features = fitted.features("rna")
    table = pd.DataFrame({"feature": features, "gene": [f"GENE_{name}" for name in features]})
    path = model.parent / "map.csv"
    table.to_csv(path, index=False)
    return path


def test_sets_are_tested_by_the_ranking_of_all_features(
    model: Path, gmt: Path, gene_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [model, "--gmt", gmt, "--view-map", f"rna={gene_map}", "--min-size", "3"]
    assert poems_here("genesets", *given, "--by", "scores", "--out", tmp_path / "out") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "tests of a factor, omic, gene set" in text
    assert "taken to correlate by 0.01" in text
    table = pd.read_csv(tmp_path / "out" / "gene_sets.csv")
    assert len(table) == 3 * len(pd.unique(table["factor"]))
    assert table["auc"].between(0, 1).all()
    assert (tmp_path / "out" / "figures" / "gene_sets.png").exists()
    assert poems_here("genesets", *given, "--by", "size") == 2
    assert "--by is one of loadings, scores" in " ".join(capsys.readouterr().err.split())


def test_planted_sets_are_printed_and_written(
    model: Path, gmt: Path, gene_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = [model, "--gmt", gmt, "--view-map", f"rna={gene_map}", "--out", out]
    assert poems_here("genesets", *given) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "are significant at a false discovery rate of 10%" in text
    assert "<script>0" in text
    assert "protein: left out of the gene sets" in text
    table = pd.read_csv(out / "gene_sets.csv")
    assert set(table[table["q"] < 0.05]["gene_set"]) == {f"<script>{at}" for at in range(3)}
    assert (out / "figures" / "gene_sets.png").stat().st_size > 5000
    assert "gene-sets-no-overlap" in read_csv(out / "findings.csv")["code"].to_list()

    # One table for all views says the same, and more of the view that it does not know.
    given = [model, "--gmt", gmt, "--map", gene_map, "--out", out]
    assert poems_here("genesets", *given) == 1
    assert "pass --overwrite" in capsys.readouterr().err
    assert poems_here("genesets", *given, "--overwrite") == 0
    assert "names none of its features" in " ".join(capsys.readouterr().out.split())
    pd.testing.assert_frame_equal(pd.read_csv(out / "gene_sets.csv"), table)


@pytest.mark.parametrize("by", ["loadings", "scores"])
def test_a_gene_taken_for_the_description_of_its_set_is_said(
    by: str, model: Path, gene_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = pd.read_csv(gene_map)["gene"].tolist()
    path = tmp_path / "sets.gmt"
    lines = ["\t".join([f"S{at}", *genes[8 * at : 8 * at + 8]]) for at in range(2)]
    path.write_text("\n".join(lines), encoding="utf-8")
    given = [model, "--gmt", path, "--view-map", f"rna={gene_map}", "--by", by]
    assert poems_here("genesets", *given) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"the description of 2 of 2 gene sets is a gene that was measured ('{genes[0]}'" in text
    named = [line.replace("\t", "\twords\t", 1) for line in lines]
    named[1] = "\t".join([genes[8], *genes[8:16]])  # the targets of a gene, called after it
    path.write_text("\n".join(named), encoding="utf-8")
    assert poems_here("genesets", *given) == 0
    assert "description" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--gmt"),
        (["--gmt", "absent.gmt"], 1, "absent.gmt does not exist"),
        (["--gmt", "GMT"], 1, "none of 70 genes measured is in any of 3 gene sets"),
        (["--gmt", "GMT", "--view-map", "rna"], 2, "--view-map takes NAME=FILE, not 'rna'"),
        (["--gmt", "GMT", "--view-map", "dna=MAP"], 1, "given for dna, but the model has"),
        (["--gmt", "GMT", "--min-size", "9", "--max-size", "3"], 2, "--min-size 9 is above"),
        (["--gmt", "GMT", "--fdr", "0"], 2, "--fdr must be between"),
        (["--gmt", "MAP"], 1, "line 1: not a gene set of a GMT file (no tab)"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    code: int,
    message: str,
    model: Path,
    gmt: Path,
    gene_map: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    paths = {"GMT": str(gmt), "MAP": str(gene_map)}
    given = [each.replace("GMT", paths["GMT"]).replace("MAP", paths["MAP"]) for each in arguments]
    assert poems_here("genesets", model, *given) == code
    assert message in capsys.readouterr().err
