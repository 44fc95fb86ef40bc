"""A cohort without groups, through every command that speaks of subtypes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.analysis.subtypes.finding import form_subtypes
from poems.cli.commands.fit import show_fit
from poems.cli.printing import output
from poems.diagnosis.check import Diagnosis
from poems.files.csv_tables import read_csv
from poems.runs.fitting import FittedRun

pytestmark = pytest.mark.usefixtures("unrendered")

NONE = "No distinct groups"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("one_group")
    made = poems.simulate(80, 40, 3, n_views=2, density=0.3, n_subtypes=1, seed=2)
    paths = []
    for name, view in made.cohort.views.items():
        paths.append(folder / f"{name}.csv")
        values = pd.DataFrame(view.values, index=made.cohort.samples, columns=view.features)
        values.to_csv(paths[-1])
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"time": rng.exponential(9.0, 80), "event": rng.integers(0, 2, 80)})
    obs.set_axis(made.cohort.samples).to_csv(folder / "obs.csv")
    return paths


@pytest.fixture(scope="module")
def run(tables: list[Path]) -> Path:
    folder = tables[0].parent / "run"
    obs = tables[0].parent / "obs.csv"
    options = ["--epochs", 60, "--n-latent", 6, "--quiet"]
    assert poems_here("fit", *tables, "--obs", obs, "--out", folder, *options) == 0
    return folder


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_the_run_says_that_there_are_no_groups(run: Path) -> None:
    assert set(read_csv(run / "subtypes.csv")["subtype"]) == {"S1"}
    choice = read_csv(run / "subtype_choice.csv")
    assert choice.index.tolist() == [str(k) for k in range(2, 11)]
    assert not choice["holds"].astype(str).eq("True").any()
    findings = pd.read_csv(run / "findings.csv")
    assert "no-distinct-groups" in set(findings["code"])
    assert not findings["code"].str.endswith("-failed").any()


def test_every_command_works_on_one_group_and_invents_none(
    run: Path, tables: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("subtypes", run, *tables) == 0
    said = _said(capsys)
    assert NONE in said
    assert "all samples are in one group: there are no subtypes, and no markers" in said
    assert "one subtype" not in said
    assert "No feature is a marker" not in said
    assert poems_here("survival", run, "--time", "time", "--event", "event") == 0
    said = _said(capsys)
    assert "subtypes were not compared: all samples are in one group" in said
    assert "neither the subtypes" not in said
    for command in ("contributions", "factors"):
        assert poems_here(command, run, *tables) == 0
    assert poems_here("transform", run, *tables, "--out", run.parent / "new") == 0
    assert poems_here("export", run, "--to", "csv", "--out", run.parent / "export") == 0


def test_the_report_says_so_and_shows_the_numbers_tried(run: Path) -> None:
    assert poems_here("report", run, "--time", "time", "--event", "event") == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert NONE in page
    assert "Which numbers of subtypes hold." in page
    assert "left out of the report" not in page
    assert "set apart" not in page
    of_groups = (
        "Neither the subtypes",
        "Whether subtypes and factors",
        "Subtypes against",
        "one sub",
    )
    invented = ("Subtype switched", "by subtype and by", "S1 (", "or none were asked for")
    for of_subtypes in (*invented, *of_groups):
        assert of_subtypes not in page


def test_a_number_that_does_not_hold_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = poems.simulate(40, 12, 3, n_views=2, n_subtypes=1, seed=2)
    model = replace(poems.fit(made.cohort, epochs=2, progress=False), diagnosis=Diagnosis(()))
    subtypes = form_subtypes(model, 7, metric=None, method="kmeans", seed=0)
    show_fit(output(), FittedRun(tmp_path, model, subtypes, (), subtypes.findings), 1.0)
    said = _said(capsys)
    assert "The number of subtypes that was asked for does not hold. 7 subtypes, " in said
    assert said.count("7 subtypes, as asked for") == 1
    assert "warning the number" not in said


def test_contributions_speak_of_no_subtype(
    run: Path, tables: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("contributions", run, *tables) == 0
    said = _said(capsys)
    assert "switched" not in said
    assert "by subtype" not in said
