"""Wrong arguments are answered before torch, which takes seconds, is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import poems_here

import poems
from poems.cli.commands import COMMANDS

WRONG = {
    "demo": ["--out", "file.txt/run"],
    "simulate": ["--out", "file.txt/sim"],
    "check": ["nope.csv"],
    "fit": ["nope.csv", "--out", "o"],
    "transform": ["nope", "a.csv", "--out", "o"],
    "evaluate": ["nope", "--labels", "x"],
    "diagnose": ["nope"],
    "info": ["nope"],
    "factors": ["nope"],
    "subtypes": ["nope"],
    "contributions": ["nope", "a.csv"],
    "associations": ["nope", "a.csv"],
    "survival": ["nope", "--time", "t", "--event", "e"],
    "genesets": ["nope", "--gmt", "a.gmt"],
    "stability": ["nope.csv", "--out", "o"],
    "report": ["nope"],
    "verify": ["nope"],
    "export": ["nope", "--to", "csv", "--out", "o"],
}
OF_A_RUN = [
    (["evaluate", "run", "--labels", "nope"], "has no column 'nope'; there are: subtype"),
    (["report", "run", "--labels", "nope"], "has no column 'nope'"),
    (
        ["survival", "run", "--time", "subtype", "--event", "nope"],
        "has no column 'nope' for --event; there are: subtype; give another table with --obs",
    ),
    (
        ["survival", "run", "--obs", "obs.csv", "--time", "days", "--event", "days"],
        "the obs table obs.csv has no column 'days' for --time; there are: age",
    ),
    (
        ["report", "run", "--time", "subtype", "--event", "subtype", "--covariates", "subtype,x"],
        "has no column 'x' to adjust for (--covariates)",
    ),
    (["report", "run", "--obs", "nope.csv"], "nope.csv does not exist"),
    (["fit", "a.csv", "--obs", "nope.csv", "--out", "o"], "nope.csv does not exist"),
    (["fit", "a.csv", "--out", "run"], "holds a POEMS run already"),
    (["fit", "a.csv", "--config", "nope.toml", "--out", "o"], "nope.toml"),
    (["transform", "run", "a.csv", "nope.csv", "--out", "o"], "omic 'nope': nope.csv does not"),
    (["subtypes", "run", "--stability", "nope"], "there is no folder nope; give the --out of"),
    (["associations", "run", "a.csv", "--cis", "nope.csv"], "nope.csv does not exist"),
    (["genesets", "run", "--gmt", "nope.gmt"], "nope.gmt does not exist"),
    (["export", "run", "--to", "csv", "--out", "o", "--also", "nope"], "no tables (*.csv) in nope"),
    (["export", "run", "--to", "xlsx", "--out", "o.txt"], "o.txt does not end in .xlsx"),
    (["factors", "run", "--out", "file.txt"], "file.txt is a file, not a folder"),
]
PROGRAM = (
    "import sys\nfrom poems.cli import main\n"
    "for line in sys.stdin.read().splitlines():\n"
    "    try:\n        main(line.split(chr(31)))\n"
    "    except SystemExit as stop:\n"
    "        print('CODE', stop.code, *sorted({'torch', 'matplotlib'} & set(sys.modules)))\n"
    "        print('END', file=sys.stderr)\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("answers")
    options = ["--n-samples", 24, "--n-features", 12, "--n-factors", 2, "--n-subtypes", 2]
    assert poems_here("simulate", "--out", path / "sim", *options) == 0
    fit = ["fit", path / "sim" / "view1.csv.gz", "--obs", path / "sim" / "obs.csv"]
    assert poems_here(*fit, "--out", path / "run", "--epochs", 3, "-q", "--no-analysis") == 0
    (path / "a.csv").write_text("sample,g1,g2\ns1,1.5,2\ns2,2.5,1\n")
    (path / "obs.csv").write_text("sample,age\nsample_1,40\n")
    (path / "a.gmt").write_text("set\tabout\tg1\tg2\n")
    (path / "file.txt").write_text("")
    return path


def answers(folder: Path, commands: list[list[str]]) -> list[tuple[str, str]]:
    """Run commands, one after the other, in one child; return code and modules, and errors."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="\n".join("\x1f".join(command) for command in commands),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("CODE")]
    errors = done.stderr.split("END\n")
    return list(zip(codes, errors, strict=False))


def test_every_command_is_asked() -> None:
    assert set(WRONG) == set(COMMANDS) - {"completion"}, "which reads nothing"


def test_a_wrong_path_is_answered_by_every_command_before_torch_is_imported(folder: Path) -> None:
    commands = [[command, *arguments] for command, arguments in WRONG.items()]
    found = answers(folder, commands)
    assert len(found) == len(commands)
    for command, (code, error) in zip(commands, found, strict=True):
        assert code == "CODE 1", (command, code)
        assert error.startswith("error: ") or command[0] == "check", (command, error)
        assert "nope" in error or "file.txt" in error or command[0] == "check", (command, error)
    assert not (folder / "o").exists()


def test_what_is_wrong_beside_a_run_is_answered_before_torch_is_imported(folder: Path) -> None:
    found = answers(folder, [command for command, _ in OF_A_RUN])
    assert len(found) == len(OF_A_RUN)
    for (command, message), (code, error) in zip(OF_A_RUN, found, strict=True):
        assert code == "CODE 1", (command, code)
        assert message in error, (command, error)
    assert not (folder / "o").exists()


def test_info_on_a_run_needs_no_torch_and_says_what_the_model_says(folder: Path) -> None:
    [(code, error)] = answers(folder, [["info", "run"]])
    assert (code, error) == ("CODE 0", "")
    done = subprocess.run(
        [sys.executable, "-m", "poems", "info", "run"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "300"},
    )
    model = poems.load(folder / "run" / "model.poems")
    assert done.stdout.startswith(f"{model!r}\n")


def test_a_damaged_model_is_told_by_info(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (folder / "run" / "model.poems").read_bytes()
    damaged = folder / "damaged.poems"
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert poems_here("info", damaged) == 1
    assert "do not match their checksum" in capsys.readouterr().err
