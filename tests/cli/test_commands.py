"""Where commands come from: modules of the package, and entry points of others."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_line import poems_here

import poems.cli.commands
from poems.cli.commands import COMMANDS, ENTRY_POINTS

Install = Callable[..., None]


def test_every_module_of_a_command_is_in_the_list() -> None:
    modules = [each.name for each in pkgutil.iter_modules(poems.cli.commands.__path__)]
    assert sorted(COMMANDS) == sorted(modules)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Install modules with commands, as far as entry points can tell."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(**sources: str) -> None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
            monkeypatch.delitem(sys.modules, name, raising=False)
        entries = [EntryPoint(name, f"{name}:register", ENTRY_POINTS) for name in sources]
        monkeypatch.setattr(
            "importlib.metadata.entry_points",
            lambda *, group: entries if group == ENTRY_POINTS else [],
        )

    return installed


GREET = '''
import typer

def register(app):
    @app.command()
    def greet(name: str) -> None:
        """Greet somebody."""
        typer.echo(f"hello {name}")
'''


def test_another_package_adds_a_command(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(poems_greeting=GREET)
    assert poems_here("greet", "you") == 0
    assert capsys.readouterr().out == "hello you\n"
    assert poems_here("--help") == 0
    text = capsys.readouterr().out
    assert "Greet somebody." in text
    assert text.index("greet") > text.index("export"), "after the program's own"


def test_commands_of_others_are_not_loaded_for_an_own_one(install: Install) -> None:
    install(poems_greeting=GREET)
    assert poems_here("info", "nope") == 1
    assert "poems_greeting" not in sys.modules


def test_a_broken_package_takes_nothing_away(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(poems_broken="raise RuntimeError('no such library')", poems_greeting=GREET)
    assert poems_here("greet", "you") == 0
    captured = capsys.readouterr()
    assert captured.out == "hello you\n"
    assert "'poems_broken:register' cannot be loaded (RuntimeError: no such" in captured.err


def test_an_own_command_cannot_be_replaced(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(poems_greeting=GREET.replace("greet(", "info("))
    assert poems_here("--help") == 0
    text = capsys.readouterr().out
    assert "Greet somebody." not in text
    assert "Say what a run folder or a saved model holds." in text


def test_the_nearest_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert poems_here("facotrs", "x") == 2
    assert "Did you mean 'factors'" in capsys.readouterr().err
