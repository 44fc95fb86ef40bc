"""``--json``: the result of every command as one object on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from command_line import poems_here

import poems
from poems.cli.commands import COMMANDS, all_commands
from poems.cli.driver import add_command, json_text
from poems.cli.printing import output, say
from poems.cli.result import CommandResult
from poems.findings import Finding

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("json")
    options = ["--n-samples", 40, "--n-features", 20, "--n-factors", 3, "--n-views", 2]
    assert poems_here("simulate", "--out", path / "sim", *options) == 0
    return path


@pytest.fixture(scope="module")
def fitted(folder: Path) -> Path:
    tables = [folder / "sim" / f"view{i}.csv.gz" for i in (1, 2)]
    options = ["--obs", folder / "sim" / "obs.csv", "--epochs", 5, "-q", "--no-analysis"]
    assert poems_here("fit", *tables, *options, "--out", folder / "run") == 0
    return folder / "run"


def asked(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert poems_here(*arguments, "--json") == code
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["command", "poems", "summary", "findings", "tables", "written"]
    assert found["command"] == arguments[0]
    assert found["poems"] == poems.__version__
    return dict(found)


def test_check_says_whether_a_cohort_is_ready(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, "check", folder / "sim" / "view1.csv.gz")
    assert found["summary"] == {
        "ok": True, "n_errors": 0, "n_warnings": 0, "n_samples": 40, "obs_columns": [],
    }  # fmt: skip
    assert found["tables"]["views"][0]["view"] == "view1"
    found = asked(capsys, "check", folder / "absent.csv", code=1)
    assert found["summary"]["ok"] is False
    assert found["findings"][0]["code"] == "unreadable"
    assert found["findings"][0]["view"] == "absent"


def test_info_and_diagnose_say_what_is_stored(
    fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = poems.load(fitted / "model.poems")
    found = asked(capsys, "info", fitted)
    assert found["summary"]["n_samples"] == len(model.samples)
    assert found["summary"]["settings"] == model.settings.model_dump(mode="json")
    assert [row["name"] for row in found["tables"]["views"]] == list(model.view_names)
    checks = asked(capsys, "diagnose", fitted)["tables"]["checks"]
    assert len(checks) == len(model.diagnose().checks)


def test_evaluate_gives_scores_unrounded(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "evaluate", fitted, "--labels", "subtype", "--metric", "latent")
    rows = found["tables"]["embeddings"]
    assert [row["embedding"] for row in rows] == ["latent", "PCA"]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert found["summary"]["n_classes"] == 4
    pairs = found["tables"]["subtypes"]
    assert sum(row["n_samples"] for row in pairs) == 40
    assert {row["label"] for row in pairs} == set(pd.read_csv(fitted / "obs.csv")["subtype"])


def test_fit_prints_its_summary_and_nothing_else(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = folder / "again"
    fit = ["fit", folder / "sim" / "view1.csv.gz", "--out", out, "--epochs", 3, "--no-analysis"]
    assert poems_here(*fit, "--json") == 0
    captured = capfd.readouterr()
    found = json.loads(captured.out)
    told = json.loads((out / "run.json").read_text())
    assert found["summary"] == {"folder": str(out), **told}
    assert "MultiOmics: " in captured.err, "what people read goes to standard error"


def test_what_is_written_is_named(
    fitted: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "factors"
    found = asked(capsys, "factors", fitted, "--out", out)
    assert found["written"]["folder"] == str(out)
    assert set(found["written"]["files"]) >= {"effects.csv", "findings.csv"}
    assert all((out / name).exists() for name in found["written"]["files"])
    effects = pd.read_csv(out / "effects.csv")
    assert len(found["tables"]["effects"]) == len(effects)


def test_an_error_leaves_standard_output_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("info", folder / "nope", "--json") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


def test_every_command_takes_the_flag() -> None:
    assert list(all_commands()) == list(COMMANDS)
    for name, command in all_commands().items():
        assert any("--json" in parameter.opts for parameter in command.params), name


def test_what_json_has_no_name_for_is_null() -> None:
    table = pd.DataFrame({"a": [1.5, float("inf")], "b": ["x", None], "c": pd.array([1, None])})
    finding = Finding("note", "n", "said", items=("s1",))
    result = CommandResult(
        lambda console: None,
        {"path": Path("a"), "nan": float("nan"), "when": pd.Timestamp("2026-01-01")},
        tables={"t": table, "gone": None},
        findings=[finding],
    )
    found = json.loads(json_text("x", result, []))
    assert found["tables"] == {
        "t": [{"a": 1.5, "b": "x", "c": 1}, {"a": None, "b": None, "c": None}]
    }
    assert found["summary"] == {"path": "a", "nan": None, "when": "2026-01-01 00:00:00"}
    assert found["findings"][0]["items"] == ["s1"]


def test_a_new_command_is_one_function(capsys: pytest.CaptureFixture[str]) -> None:
    def greet(name: str, quiet: bool = False) -> CommandResult:
        """Greet."""
        say(output(), "working")
        return CommandResult(lambda console: say(console, f"hello {name}"), {"name": name})

    app = typer.Typer()
    add_command(app, greet)
    for arguments, out in (
        (["you"], "working\nhello you\n"),
        (["you", "--quiet"], "working\n"),
    ):
        with pytest.raises(SystemExit):
            app(arguments)
        assert capsys.readouterr().out == out
    with pytest.raises(SystemExit):
        app(["you", "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out)["summary"] == {"name": "you"}
    assert captured.err == "working\n"
