from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_elsewhere, poems_here

from poems.errors import SettingsError
from poems_benchmark.command import parse_variant
from poems_benchmark.methods.registry import METHODS

VARIANT = ["--variant", "tiny:epochs=2,n_latent=3,encoder_layers=[4]"]
DESCRIPTION = """
[cohort.first]
labels = ["subtype"]
note = "The first."

[cohort.second]
folder = "second"
views = ["view1"]
labels = ["subtype"]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("first", "second")):
        options = ["--n-samples", 40, "--n-features", 15, "--n-views", 2, "--n-factors", 3]
        assert poems_here("simulate", "--out", folder / name, *options, "--seed", seed) == 0
        # The simulated subtypes are in the truth; a benchmark reads labels from obs.csv.
        truth = pd.read_csv(folder / name / "truth" / "subtypes.csv", index_col=0)
        truth.to_csv(folder / name / "obs.csv")
    (folder / "benchmark.toml").write_text(DESCRIPTION)
    return folder


@pytest.mark.slow
def test_from_start_to_end_and_again(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["benchmark", data, "--out", out, "--methods", "pca", *VARIANT, "--seeds", 2]
    assert poems_here(*call, "--choose-among", "pca,tiny") == 0
    said = capsys.readouterr().out
    assert "6 units" in said
    assert "[6/6] second  POEMS, tiny  seed 1" in said
    table = pd.read_csv(out / "results.csv")
    assert list(table["cohort"]) == ["first"] * 3 + ["second"] * 3
    assert list(table["method"]) == ["pca", "tiny", "tiny"] * 2
    assert table[["nmi", "accuracy", "ari", "silhouette", "knn", "knn_balanced"]].notna().all(None)
    assert (table["seconds"] > 0).all()
    text = (out / "summary.md").read_text()
    assert "## Chosen on the other cohorts" in text
    assert "- first: The first." in text
    assert (out / "summary.png").stat().st_size > 10_000
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json") if "seed" in path.name}
    assert len(before) == 6

    # Nothing is computed the second time; the tables are the same.
    assert poems_here(*call) == 0
    assert "6 units, 6 of them done already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    pd.testing.assert_frame_equal(pd.read_csv(out / "results.csv"), table)

    # A call for less shows what else is known of these cohorts by registered methods.
    less = ["benchmark", data, "--out", out, "--only", "first", "--methods", "pca"]
    assert poems_here(*less, "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert list(pd.read_csv(out / "results.csv")["method"]) == ["pca"]


@pytest.mark.slow
def test_a_failed_unit_is_told_and_the_rest_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    # Such a step through so many layers is beyond all numbers, whatever the processor.
    deep = ",".join(["100"] * 16)
    failing = ["--variant", f"wild:learning_rate=10,epochs=4,encoder_layers=[{deep}]", "--seeds", 1]
    call = ["benchmark", data, "--out", out, "--only", "first", "--methods", "pca", *failing]
    assert poems_here(*call) == 1
    found = capsys.readouterr()
    assert "failed: TrainingError" in found.out
    assert "failed: POEMS, wild on first, seed 0: TrainingError" in found.err
    assert "1 units failed" in found.err
    assert list(pd.read_csv(out / "results.csv")["method"]) == ["pca"]
    assert "## Failed" in (out / "summary.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished(
    data: Path, tmp_path: Path, request_to_end: signal.Signals
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "poems", "benchmark", str(data), "--out", str(out)]
    command += ["--methods", "pca", "--variant", "endless:epochs=1000000,stopping=none"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not list(out.rglob("pca-seed0-*.json")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        if request_to_end is signal.SIGINT:
            # As a terminal does it: to the whole group.
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 128 + request_to_end
    assert "interrupted: 1 of 12 units were finished and kept" in errors
    assert "Traceback" not in errors
    assert not list(out.rglob("endless*.json"))
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(("arguments", "message"), [
    (["--only", "third"], "--only names third; there are first, second"),
    (["--methods", "mofa2"], "no method 'mofa2'"),
    (["--variant", "a:n_latents=3"], "no setting 'n_latents'"),
    (["--variant", "a:n_latent=-3"], "model.n_latent"),
    (["--choose-among", "pca,unheard"], "cannot choose among unheard"),
    (["--labels", "pam50"], "has a column pam50"),
])  # fmt: skip
def test_what_cannot_be_done_is_told_before_anything_is_computed(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    out = tmp_path / "out"
    assert poems_here("benchmark", data, "--out", out, "--methods", "pca", *arguments) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_wrong_use_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["benchmark", data, "--out", tmp_path / "out"]
    assert poems_here(*call, "--variant", "pca:n_latent=3") == 2
    assert poems_here(*call, "--variant", "n_latent=3") == 2
    assert poems_here(*call, "--labels", "x", "--cohorts", "file.toml") == 2
    assert poems_here("benchmark", tmp_path / "absent", "--out", tmp_path / "out") == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious.txt").write_text("Mine.")
    assert poems_here("benchmark", data, "--out", tmp_path, "--methods", "pca") == 1
    assert "is not a POEMS benchmark" in " ".join(capsys.readouterr().err.split())


def test_a_named_method_must_be_installed_one_of_a_group_need_not(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib.metadata import PackageNotFoundError

    from poems.cli.printing import output
    from poems_benchmark.command import _methods

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("poems_benchmark.methods.interface.version", absent)
    call = ["benchmark", data, "--out", tmp_path / "out"]
    assert poems_here(*call, "--methods", "mofa") == 1
    assert "pip install 'poems-omics[benchmark]'" in " ".join(capsys.readouterr().err.split())
    chosen = _methods("tools", [], quick=True, console=output())
    assert list(chosen) == ["pca", "autoencoder", "poems"]
    assert "left out: MOFA+ needs mofapy2" in capsys.readouterr().out


def test_variants_are_parsed() -> None:
    name, overrides = parse_variant("a.1:encoder_layers=[50, 20],winsorise=none,gate=equal")
    assert name == "a.1"
    assert overrides == {"encoder_layers": [50, 20], "winsorise": None, "gate": "equal"}
    with pytest.raises(SettingsError, match="no setting 'gates'"):
        parse_variant("a:gates=equal")


PLUGIN = """
from functools import partial

from poems_benchmark.methods.registry import poems_variant

make = partial(poems_variant, "Mine", {"epochs": 2, "n_latent": 3})


def register(app):
    @app.command("greet")
    def greet() -> None:
        print("hello from outside")
"""
ENTRIES = """
[poems.commands]
greet = plugin:register
broken = no_such_module:register

[poems_benchmark.methods]
mine = plugin:make
"""


@pytest.mark.slow
def test_another_package_adds_a_command_and_a_method_by_its_entry_points(
    data: Path, tmp_path: Path
) -> None:
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    out = tmp_path / "out"
    mine = ["benchmark", data, "--out", out, "--only", "first", "--methods", "mine", "--seeds", 1]
    said, done = poems_elsewhere(["greet"], mine, environment={"PYTHONPATH": paths})
    assert said.out == "hello from outside\n"
    assert "cannot be loaded" in said.err
    assert "No module named 'no_such_module'" in said.err
    assert done.code == 0, done.err
    assert list(pd.read_csv(out / "results.csv")["name"]) == ["Mine"]


def test_the_help_names_the_methods() -> None:
    from typer.testing import CliRunner

    from poems.cli import app

    text = CliRunner().invoke(app, ["benchmark", "--help"], env={"COLUMNS": "200"}).output
    for key in ("pca", "snf", "mofa", "mofaflex", "autoencoder", "poems", "paper"):
        assert key in METHODS
        assert key in text
