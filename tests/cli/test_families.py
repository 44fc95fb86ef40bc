"""The command line on a cohort of Gaussian values, calls and counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.runs.folder import read_run

pytestmark = pytest.mark.usefixtures("unrendered")

KINDS = {"mutations": "bernoulli", "taxa": "negative_binomial"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of 90 samples to fit, and of 20 others in ``new``."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "new").mkdir()
    cohort = poems.simulate(
        n_samples=110,
        n_features={"rna": 30, "mutations": 30, "taxa": 30},
        n_factors=3,
        density=0.3,
        kinds=KINDS,
        seed=0,
    ).cohort
    for name in cohort.views:
        frame = cohort.frame(name)
        frame.iloc[:90].to_csv(folder / f"{name}.csv")
        frame.iloc[90:].to_csv(folder / "new" / f"{name}.csv")
    cohort.obs.iloc[:90].to_csv(folder / "obs.csv")
    return folder


@pytest.fixture(scope="module")
def run(tables: Path) -> Path:
    folder = tables / "run"
    files = [tables / f"{name}.csv" for name in ("rna", *KINDS)]
    flags = ["-q", "--n-subtypes", "2"]
    assert poems_here("fit", *files, "--obs", tables / "obs.csv", "--out", folder, *flags) == 0
    return folder


def test_check_says_what_the_fit_chooses_by_itself(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("check", *(tables / f"{name}.csv" for name in ("rna", *KINDS))) == 0
    said = " ".join(capsys.readouterr().out.split())
    for view, name in KINDS.items():
        assert f"its likelihood is {name}" in said
        assert f"--likelihood {view}=gaussian" in said
    assert "--likelihood rna" not in said


def test_a_run_holds_what_was_fitted(run: Path) -> None:
    model = read_run(run).model
    # Nobody said so: they were chosen, and are kept by name with the reason.
    assert model.settings.model.likelihood == {"rna": "gaussian", **KINDS}
    assert (model.r2 > 0.03).all()
    findings = pd.read_csv(run / "findings.csv")
    assert {"size-factors", "likelihood-chosen"} <= set(findings["code"])
    shares = pd.read_csv(run / "r2.csv", index_col=0)
    assert shares["share_of"].to_dict() == {"rna": "variance", **dict.fromkeys(KINDS, "deviance")}
    assert (shares["r2_of_values"] > 0.03).all()
    marker = json.loads((run / "run.json").read_text())
    assert marker["likelihood"] == model.settings.model.likelihood
    # What is wrong with counts and calls as Gaussian values is not said of them.
    assert not set(findings["code"]) & {"unlogged-values", "discrete-values", "view-scales"}
    assert not findings["code"].str.endswith("-failed").any()


def test_report_transform_diagnose_and_export(
    run: Path, tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = [tables / "new" / f"{name}.csv" for name in ("rna", *KINDS)]
    out = tmp_path / "new"
    assert poems_here("transform", run, *new, "--out", out) == 0
    latent = pd.read_csv(out / "latent.csv", index_col=0)
    assert len(latent) == 20
    assert latent.notna().all(axis=None)
    assert poems_here("diagnose", run, *new) == 0
    assert poems_here("report", run) == 0
    page = (run / "report.html").read_text()
    assert "Effect (log odds)" in page
    assert "Effect (sd)" in page
    assert "of the deviance of mutations" in page
    assert poems_here("export", run, "--to", "csv", "--out", tmp_path / "out") == 0
    capsys.readouterr()
    assert poems_here("info", run / "model.poems", "--json") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said


def test_markers_are_in_the_units_of_the_input(run: Path) -> None:
    (path,) = list(run.glob("**/markers.csv"))
    markers = pd.read_csv(path).set_index("view")
    calls = markers.loc["mutations", ["mean_in", "mean_out"]].to_numpy()
    assert np.all((calls >= 0) & (calls <= 1))
    counts = markers.loc["taxa", ["mean_in", "mean_out"]].to_numpy()
    assert counts.min() >= 0
    assert counts.max() > 3


def test_simulated_views_of_a_kind_come_with_the_flag_that_fits_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, quick = tmp_path / "sim", ["--n-samples", "30", "--n-features", "8", "--n-factors", "4"]
    kinds = ["--kind", "view1=bernoulli", "--kind", "view3=poisson"]
    assert poems_here("simulate", "--out", out, *quick, *kinds) == 0
    assert "--likelihood view1=bernoulli,view3=poisson" in capsys.readouterr().out
    calls = pd.read_csv(out / "view1.csv.gz", index_col=0).to_numpy()
    assert set(np.unique(calls)) == {0, 1}
    assert poems_here("simulate", "--out", tmp_path / "bad", *quick, "--kind", "bernoulli") == 1
    assert "is not OMIC=NAME" in capsys.readouterr().err


def test_counts_on_disk_are_checked_and_chosen_a_likelihood_as_in_memory(
    tables: Path, write_backed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taxa = poems.read({"taxa": tables / "taxa.csv"})
    path = write_backed(taxa, tmp_path, "h5mu-csr")
    assert poems_here("check", path, "--backed") == 0
    on_disk = " ".join(capsys.readouterr().out.split()).partition("note")[2]
    assert "its likelihood is negative_binomial" in on_disk
    assert poems_here("check", tables / "taxa.csv") == 0
    assert on_disk == " ".join(capsys.readouterr().out.split()).partition("note")[2]
    calls = {"taxa": 0.5 * taxa.frame("taxa")}
    (tmp_path / "half").mkdir()
    path = write_backed(poems.read(calls), tmp_path / "half", "h5mu")
    assert (
        poems_here("fit", path, "--backed", "--out", tmp_path / "run", "--likelihood", "poisson")
        == 1
    )
    assert "its likelihood takes whole numbers" in " ".join(capsys.readouterr().err.split())


def test_a_value_that_is_no_count_is_answered_by_name(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = pd.read_csv(tables / "taxa.csv", index_col=0).astype(float)
    bad.iloc[4, 2] = -3
    bad.to_csv(tmp_path / "taxa.csv")
    files = [tables / "rna.csv", tmp_path / "taxa.csv"]
    flag = ["--likelihood", "taxa=poisson"]
    assert poems_here("fit", *files, "--out", tmp_path / "run", *flag) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"-3 in feature {bad.columns[2]} of sample {bad.index[4]}" in said
    assert "neither logged nor normalised" in said
