"""Fits that go on from their checkpoint, runs that remember their tables and can be repeated."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here

import poems
import poems.training.loop
from poems.cli.cohort_tables import Tables
from poems.files.markers import CHECKPOINT
from poems.runs.folder import read_run
from poems.runs.verifying import changed_files, compare_runs

pytestmark = pytest.mark.usefixtures("unrendered")

QUICK = ["--epochs", 10, "--n-latent", 3, "--no-analysis", "-q", "--checkpoint-every", 4]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """Tables and a run of them, which tests leave alone."""
    folder = tmp_path_factory.mktemp("resume")
    sizes = {"rna": 14, "protein": 10}
    cohort = poems.simulate(30, sizes, 2, n_subtypes=2, density=0.4, seed=0).cohort
    tables = []
    for name in cohort:
        cohort.frame(name).to_csv(folder / f"{name}.csv")
        tables.append(folder / f"{name}.csv")
    assert poems_here("fit", *tables, "--out", folder / "run", *QUICK) == 0
    return tables, folder / "run"


def _at_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int, do: Callable[[], None]) -> None:
    before = poems.training.loop._train_epoch

    def interrupted(*given: object) -> object:
        if given[5] == epoch:
            do()
        return before(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("poems.training.loop._train_epoch", interrupted)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_training_is_a_run_and_goes_on_to_the_same_result(
    made: tuple[list[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables, whole = made
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        _at_epoch(patch, 7, _interrupt)
        assert poems_here("fit", *tables, "--out", run, *QUICK) == 130
    said = capsys.readouterr().err
    assert f"interrupted: training ended after epoch 6; the run in {run} is whole" in said
    assert f"poems fit --resume {run}" in said
    assert read_run(run).summary["status"].startswith("Interrupted")
    assert (run / CHECKPOINT).exists()
    assert poems_here("fit", "--resume", run, "-q") == 0
    assert (run / "model.poems").read_bytes() == (whole / "model.poems").read_bytes()
    assert not (run / CHECKPOINT).exists()
    assert compare_runs(whole, run).same
    assert poems_here("fit", "--resume", run, "-q") == 1
    assert "is whole, and there is no checkpoint in it" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="takes SIGHUP")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_requests_to_end_do_the_same_and_exit_with_their_own_code(
    made: tuple[list[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    tables, _ = made
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, number)}
    try:
        _at_epoch(monkeypatch, 3, lambda: os.kill(os.getpid(), number))
        assert poems_here("fit", *tables, "--out", tmp_path / "run", *QUICK) == code
    finally:
        for each, answer in before.items():
            signal.signal(each, answer)
    assert len(read_run(tmp_path / "run").model.history) == 2


def test_a_checkpoint_goes_on_with_nothing_but_the_data_it_was_of(
    made: tuple[list[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = [Path(shutil.copy2(path, tmp_path)) for path in made[0]]
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("poems.runs.writing.write_core", lambda *_, **__: _interrupt())
        assert poems_here("fit", *own, "--out", run, *QUICK) == 130
    expected = f"only {run / CHECKPOINT} was kept; to go on from there: poems fit --resume {run}"
    assert expected in capsys.readouterr().err
    assert poems_here("info", run) == 1
    assert "go on with it by `poems fit --resume" in capsys.readouterr().err
    for flags in (["--seed", 1], ["--out", run], ["--n-latent", 4], [own[0]]):
        assert poems_here("fit", "--resume", run, *flags) == 2
        assert "takes everything from the fit that was interrupted" in capsys.readouterr().err
    text = own[0].read_text()
    own[0].write_text(text.replace("0.", "1."))
    assert poems_here("fit", "--resume", run) == 1
    assert f"the table of omic 'rna', {own[0]}, is not what it was" in capsys.readouterr().err
    own[0].unlink()
    assert poems_here("fit", "--resume", run) == 1
    assert f"omic 'rna' is no longer at {own[0]}" in capsys.readouterr().err
    # Folder and tables may move together.
    own[0].write_text(text)
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert poems_here("fit", "--resume", moved / "run", "-q") == 0
    assert (moved / "run" / "model.poems").read_bytes() == (made[1] / "model.poems").read_bytes()


@pytest.mark.parametrize("place", ["absent", "."])
def test_where_there_is_nothing_to_go_on_from_is_said(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("fit", "--resume", tmp_path / place) == 1
    said = capsys.readouterr().err
    assert ("there is no folder" in said) == (place == "absent")
    assert ("there is no checkpoint in" in said) == (place == ".")


def test_a_run_is_repeated_and_what_differs_is_named(
    made: tuple[list[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [Path(shutil.copy2(path, tmp_path)) for path in made[0]]
    run = tmp_path / "run"
    assert poems_here("fit", *own, "--out", run, *QUICK) == 0
    assert poems_here("verify", run) == 0
    assert "came out the same" in capsys.readouterr().out
    table = pd.read_csv(run / "latent.csv", index_col=0)
    table.iloc[2, 0] += 0.25
    table.to_csv(run / "latent.csv")
    assert poems_here("verify", run, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["code"] for each in found["findings"]] == ["run-changed"]
    assert found["findings"][0]["items"] == ["latent.csv was changed"]
    (row,) = [each for each in found["tables"]["files"] if each["verdict"] != "same"]
    assert row["file"] == "latent.csv"
    assert row["largest_difference"] == pytest.approx(0.25, abs=0.2)
    assert row["where"].startswith("line 4, column 'factor_1': ")
    own[1].write_text(own[1].read_text() + "\n")
    assert poems_here("verify", run) == 1
    assert f"the table of omic 'protein', {own[1]}, is not what it was" in capsys.readouterr().err


def test_runs_are_compared_file_by_file(made: tuple[list[Path], Path], tmp_path: Path) -> None:
    run, again = made[1], tmp_path / "again"
    shutil.copytree(run, again)
    assert changed_files(again) == []
    assert compare_runs(run, again).same
    # What reports add to a run later is no part of its fit, whatever they are called.
    manifest = json.loads((again / "manifest.json").read_text())
    (again / "brief_tables").mkdir()
    for name in ("report.html", "brief.html", "brief_tables/summary.csv"):
        (again / name).write_text("added")
        manifest["files"][name] = hashlib.sha256(b"added").hexdigest()
    (again / "manifest.json").write_text(json.dumps(manifest))
    assert compare_runs(again, run).same
    (again / "r2.csv").unlink()
    text = (again / "gates.csv").read_text().splitlines()
    (again / "gates.csv").write_text("\n".join(text[:-1]) + "\n")
    (again / "subtypes.csv").write_text((again / "subtypes.csv").read_text().replace("S1", "S9"))
    (again / "model.poems").write_bytes(b"other")
    latent = pd.read_csv(again / "latent.csv", index_col=0)
    (latent * (1 + 1e-9)).to_csv(again / "latent.csv")
    expected = {"r2.csv", "gates.csv", "subtypes.csv", "model.poems", "latent.csv"}
    for tolerance, within in ((0.0, set()), (1e-6, {"latent.csv", "model.poems"})):
        table = compare_runs(run, again, tolerance=tolerance).table.set_index("file")
        assert set(table.index[table["verdict"] != "same"]) == expected - within
    assert table.loc["gates.csv", "where"] == f"line {len(text)}: not as many cells"
    assert "S1 and S9" in table.loc["subtypes.csv", "where"]
    assert {each.split(" ")[0] for each in changed_files(again)} == expected
    for text in (b"sample,\xe9\n", b"x" * 200_000):
        (again / "gates.csv").write_bytes(text)
        table = compare_runs(run, again).table.set_index("file")
        assert table.loc["gates.csv", "where"] == "it is no table any more"


def test_a_run_is_repeated_with_what_was_recorded_and_nothing_else(
    made: tuple[list[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(made[1], run)
    marker = json.loads((run / "run.json").read_text())
    for name in ("out", "command", "resume", "profile", "other"):
        edited = {**marker, "request": {**marker["request"], name: 3}}
        (run / "run.json").write_text(json.dumps(edited))
        assert poems_here("verify", run) == 1
        assert f"asks for what is not known: {name}; was it edited?" in capsys.readouterr().err


def test_commands_find_the_tables_of_the_fit_again(
    made: tuple[list[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    own = [Path(shutil.copy2(path, tmp_path)) for path in made[0]]
    run = tmp_path / "run"
    shutil.copytree(made[1], run)
    marker = json.loads((run / "run.json").read_text())
    for path, view in zip(own, marker["inputs"]["views"].values(), strict=True):
        view["path"] = str(path)
    (run / "run.json").write_text(json.dumps(marker))
    assert poems_here("contributions", run) == 0
    with_tables = capsys.readouterr().out
    views = [f"--view={path.stem}={path}" for path in own]
    assert poems_here("contributions", run, *views) == 0
    assert capsys.readouterr().out == with_tables
    assert poems_here("factors", run) == 0
    assert "R² of all factors: rna" in capsys.readouterr().out
    own[1].rename(own[1].with_suffix(".tsv"))
    assert poems_here("contributions", run) == 1
    said = capsys.readouterr().err
    assert f"the table of omic 'protein' is no longer at {own[1]}" in said
    assert f"give the tables to use: --view rna={own[0]} --view protein=FILE" in said
    own[1].write_text(own[0].read_text())
    assert poems_here("associations", run) == 1
    said = capsys.readouterr().err
    assert f"the table of omic 'protein', {own[1]}, is not what it was at the fit" in said
    assert poems_here("factors", run) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "R² of all factors" not in told
    assert "is not what it was at the fit" in told
    assert "What takes the tables is left out" in told


@pytest.mark.parametrize(
    "flag", [["--features-in-rows"], ["--features-in-rows-of", "rna"], ["--layer", "raw"]]
)
@pytest.mark.parametrize("command", ["contributions", "factors", "subtypes", "diagnose"])
def test_how_to_read_tables_is_not_said_where_none_is_given(
    command: str,
    flag: list[str],
    made: tuple[list[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    assert poems_here(command, made[1], *flag) == 2
    assert f"{flag[0]} says how tables are read, and none is given" in capsys.readouterr().err


def test_tables_are_read_as_the_fit_did_unless_a_command_asks_for_more(tmp_path: Path) -> None:
    then = Tables(tmp_path, None, ["rna"], "raw", "intersection")
    as_then = {"features_in_rows": ["rna"], "layer": "raw", "samples": "intersection"}
    assert then.options() == {**as_then, "backed": False}
    assert then.options(backed=True) == {**as_then, "backed": True}
    assert (
        Tables(tmp_path, None, False).options(samples="intersection")["samples"] == "intersection"
    )


def test_a_run_without_its_tables_asks_for_them_as_before(
    made: tuple[list[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(made[1], run)
    marker = json.loads((run / "run.json").read_text())
    inputs = marker.pop("inputs")
    (run / "run.json").write_text(json.dumps(marker))
    assert poems_here("contributions", run) == 2
    assert "no table given; pass --view NAME=FILE" in capsys.readouterr().err
    assert poems_here("verify", run) == 1
    assert "does not say what it was fitted to and how" in capsys.readouterr().err
    marker["inputs"] = {**inputs, "views": {"rna": 3}}
    (run / "run.json").write_text(json.dumps(marker))
    assert poems_here("contributions", run) == 1
    assert "does not say from which files the run was made" in capsys.readouterr().err


def test_a_run_says_from_what_and_how_it_was_made(made: tuple[list[Path], Path]) -> None:
    tables, run = made
    marker = json.loads((run / "run.json").read_text())
    assert marker["command"][:2] == ["poems", "fit"]
    assert [each["path"] for each in marker["inputs"]["views"].values()] == list(map(str, tables))
    assert marker["request"]["threads"] == 1
    assert {"torch", "numpy"} <= set(marker["versions"])
    assert marker["machine"]["python"]
