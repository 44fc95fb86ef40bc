from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.errors import SettingsError
from poems.evaluation.paper.experiments import SCORES, PaperResult, paper_task, run_poems
from poems.simulation.cohort import simulate
from poems_benchmark.paper.folder import paper_figures, scores_markdown, write_paper
from poems_benchmark.paper.methods import compare_paper_methods

FIGURES = {
    "loadings",
    "top_features",
    "top_per_factor",
    "gates",
    "subtype_correlations",
    "subtype_correlations_centred",
    "sparsity_mask",
    "loading_histogram",
    "tsne",
    "umap",
    "history",
}


@pytest.fixture(autouse=True)
def no_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without umap-learn, whose first map takes half a minute to compile."""
    monkeypatch.setitem(sys.modules, "umap", None)


@pytest.fixture(scope="module")
def results() -> dict[str, PaperResult]:
    cohort = simulate(n_samples=80, n_features=15, n_subtypes=2, seed=0).cohort
    task = paper_task(cohort, "subtype")
    return {
        "pca": compare_paper_methods(task, methods=["pca"])["pca"],
        "poems": run_poems(task, settings="paper", epochs=3, n_latent=5, decoder_hidden=8),
    }


@pytest.fixture(scope="module")
def mogonet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mogonet") / "BRCA"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, n in (("tr", 50), ("te", 24)):
        labels = np.arange(n) % 2
        np.savetxt(folder / f"labels_{part}.csv", labels)
        for number, width in ((1, 8), (2, 6)):
            values = rng.random((n, width)) * 0.5 + 0.5 * labels[:, None]
            np.savetxt(folder / f"{number}_{part}.csv", values, delimiter=",")
    return folder


def test_the_folder_holds_what_was_measured(
    results: dict[str, PaperResult], tmp_path: Path
) -> None:
    undrawn = write_paper(tmp_path / "out", results)
    assert len(undrawn) == 1
    assert "poems-omics[umap]" in undrawn[0]
    drawn = {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert drawn == FIGURES - {"umap"}
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", index_col=["method", "embedding"])
    assert scores.index.tolist() == [("pca", "scores"), ("poems", "draw"), ("poems", "mean")]
    expected = results["poems"].scores
    np.testing.assert_allclose(scores.loc["poems", list(SCORES)], expected)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    means = runs[runs["method"] == "poems"].groupby(["embedding", "score"])["value"].mean()
    assert means["draw", "knn"] == pytest.approx(expected.loc["draw", "knn"])
    split = pd.read_csv(tmp_path / "out" / "split.csv", index_col="sample")
    assert split["part"].value_counts().to_dict() == {"train": 51, "test": 16, "validation": 13}
    points = pd.read_csv(tmp_path / "out" / "embeddings" / "poems.csv", index_col="sample")
    assert set(points.index) == set(split.index[split["part"] == "test"])
    assert poems.load(tmp_path / "out" / "model.poems").n_active == 5
    marker = json.loads((tmp_path / "out" / "paper.json").read_text())
    assert marker["complete"]
    assert marker["n_test"] == 16


def test_an_overwritten_folder_keeps_nothing_stale(
    results: dict[str, PaperResult], tmp_path: Path
) -> None:
    write_paper(tmp_path, results)
    write_paper(tmp_path, {"pca": results["pca"]})
    assert not list((tmp_path / "figures").glob("*.png"))
    assert not (tmp_path / "model.poems").exists()
    assert [path.name for path in (tmp_path / "embeddings").iterdir()] == ["pca.csv"]
    with pytest.raises(SettingsError, match="no result to write"):
        write_paper(tmp_path, {})


def test_the_markdown_table_has_a_row_an_embedding(results: dict[str, PaperResult]) -> None:
    lines = scores_markdown(results).splitlines()
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1
    score = results["pca"].scores.loc["scores", "accuracy"]
    assert f"| {score:.2f} ± " in lines[2]


def test_a_dense_decoder_has_every_figure_too(results: dict[str, PaperResult]) -> None:
    task = results["poems"].task
    dense = run_poems(task, settings="paper", decoder="dense", epochs=2, n_latent=3)
    assert dense.model is not None
    figures = paper_figures(dense, dense.model)
    assert set(figures) == FIGURES
    assert len(figures["sparsity_mask"]().axes) == 3
    assert len(figures["top_features"]().axes) == 3


def test_the_command_takes_a_mogonet_folder_and_its_split(
    mogonet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["benchmark", mogonet, "--protocol", "paper", "--out", tmp_path / "out"]
    command += ["--epochs", 3, "--methods", "poem-dense,pca"]
    assert poems_here(*command) == 0
    said = capsys.readouterr().out
    assert "BRCA: 40 samples to train, 10 to validate, 24 to test" in said
    assert re.search(r"^ *poem-dense +draw +0\.\d\d", said, re.MULTILINE)
    assert re.search(r"^ *pca +scores +1\.00 +1\.00", said, re.MULTILINE)
    assert "not drawn: umap" in said
    split = pd.read_csv(tmp_path / "out" / "split.csv", index_col="sample")
    assert split.index[split["part"] == "test"].tolist() == [f"test{i + 1}" for i in range(24)]
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", index_col=["method", "embedding"])
    assert scores.loc[("pca", "scores"), "accuracy"] == pytest.approx(1.0)
    model = poems.load(tmp_path / "out" / "model.poems")
    assert model.settings.training.epochs == 3
    assert model.settings.model.decoder == "dense"

    assert poems_here(*command) == 1
    assert "pass --overwrite to replace it" in capsys.readouterr().err
    assert poems_here(*command, "--overwrite", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_the_command_takes_cohorts_of_tables_and_patients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        cohort = simulate(n_samples=60, n_features=10, n_subtypes=2, seed=1).cohort
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for view in cohort.views:
            cohort.frame(view).to_csv(folder / f"{view}.csv")
        obs = cohort.obs[["subtype"]].assign(patient=[f"p{i // 2}" for i in range(60)])
        obs.to_csv(folder / "obs.csv")
    command = ["benchmark", tmp_path / "data", "--protocol", "paper", "--labels", "subtype"]
    command += ["--methods", "pca", "--groups", "patient", "--out", tmp_path / "out"]
    assert poems_here(*command) == 0
    for name in ("first", "second"):
        split = pd.read_csv(tmp_path / "out" / name / "split.csv")
        patient = [f"p{i // 2}" for i in range(60)]
        assert split.groupby(patient)["part"].nunique().max() == 1
        assert (split["part"] == "test").sum() == 12


def test_flags_of_another_protocol_are_refused(
    mogonet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*flags: object) -> str:
        assert poems_here("benchmark", mogonet, "--out", tmp_path / "x", *flags) == 2
        return " ".join(capsys.readouterr().err.split())

    assert "--seeds, --quick does not go with" in refused(
        "--protocol", "paper", "--seeds", 3, "--quick"
    )
    assert "--epochs does not go with --protocol all-samples" in refused("--epochs", 3)
    assert "--seed does not go with --protocol all-samples" in refused("--seed", 0)
    assert not (tmp_path / "x").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert poems_here("benchmark", empty, "--protocol", "paper", "--out", tmp_path / "x") == 2
    assert "MOGONET" in capsys.readouterr().err
    absent = tmp_path / "absent"
    assert poems_here("benchmark", absent, "--protocol", "paper", "--out", tmp_path / "x") == 1
    assert "there is no folder" in capsys.readouterr().err
