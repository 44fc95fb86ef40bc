"""The documents are the list of measurements: what they quote runs, and every script is quoted."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from poems_benchmark.digest import source_digest

FOLDER = Path(__file__).parents[2] / "benchmarks"
#: What runs the others, and what makes a cohort for README: no measurements.
OTHERS = {"all.py", "readme_cohort.py"}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("all")


@pytest.fixture
def quoted(runner: ModuleType) -> list[str]:
    return [
        command
        for document in runner.DOCUMENTS
        for command in runner.commands(document.read_text("utf-8"))
    ]


def scripts() -> set[str]:
    """Paths below the folder of those that are run, and not only imported."""
    found = (path for path in FOLDER.rglob("*.py") if "__main__" in path.read_text("utf-8"))
    return {path.relative_to(FOLDER).as_posix() for path in found} - OTHERS


def test_every_script_is_run_by_a_command_of_a_document(quoted: list[str]) -> None:
    run = {each.split()[1].removeprefix("benchmarks/") for each in quoted if each[:6] == "python"}
    assert scripts() - run == set()
    assert run - scripts() == set()


def test_options_that_a_document_quotes_are_those_of_the_script(quoted: list[str]) -> None:
    for command in quoted:
        program, path, *rest = command.split()
        if program == "python":
            text = (FOLDER.parent / path).read_text("utf-8") + (
                (FOLDER / "speed" / "measuring.py").read_text("utf-8") if "speed" in path else ""
            )
            assert [each for each in rest if each[:2] == "--" and f'"{each}"' not in text] == []


def test_commands_are_found_in_blocks_and_between_backticks(runner: ModuleType) -> None:
    text = (
        "```\npython benchmarks/a.py --x \\\n    1\npoems fit b.csv\n```\n"
        "`python\nbenchmarks/b.py`, `benchmarks/c.py`, `poems benchmark DATA_DIR --out d`,\n"
        "`poems benchmark DATA_DIR --cohorts benchmarks/d.toml`\n"
    )
    assert runner.commands(text) == [
        "python benchmarks/a.py --x 1",
        "python benchmarks/b.py",
        "poems benchmark DATA_DIR --cohorts benchmarks/d.toml",
    ]


def test_what_was_measured_is_kept_and_not_measured_again(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmarks").mkdir()
    script = tmp_path / "benchmarks" / "one.py"
    script.write_text("import sys; print('measured', sys.argv[1]); open('mark', 'a').write('x')")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    command = "python benchmarks/one.py DATA_DIR"
    out = tmp_path / "out"
    for _ in range(2):
        assert runner.run("one", command, tmp_path, out)
    text = (out / "one.txt").read_text("utf-8")
    assert text.startswith(f"$ {command}\n")
    assert text.endswith(f"measured {tmp_path.resolve()}\n")
    assert (out / "one" / "mark").read_text("utf-8") == "x"
    assert runner.run("one", f"{command} more", tmp_path, out)
    assert (out / "one" / "mark").read_text("utf-8") == "xx"


def test_a_failure_is_kept_apart_and_tried_again(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmarks").mkdir()
    script = tmp_path / "benchmarks" / "two.py"
    script.write_text("raise SystemExit('no such cohort')")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    command, out = "python benchmarks/two.py", tmp_path / "out"
    assert not runner.run("two", command, tmp_path, out)
    assert "no such cohort" in (out / "two.failed.txt").read_text("utf-8")
    script.write_text("print('well')")
    assert runner.run("two", command, tmp_path, out)
    assert not (out / "two.failed.txt").exists()


@pytest.mark.slow
def test_every_script_finds_what_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a change of the package breaks a script that nobody has run since."""
    for folder in (FOLDER, FOLDER / "speed"):
        monkeypatch.syspath_prepend(str(folder))
    for script in sorted(scripts()):
        name = f"script_{Path(script).stem}"
        spec = importlib.util.spec_from_file_location(name, FOLDER / script)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        if hasattr(module, "MEASURES"):
            assert source_digest(*module.MEASURES)
