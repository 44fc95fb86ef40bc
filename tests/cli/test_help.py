"""Help is short where options are many, and shells complete what there is."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from command_line import poems_here

from poems.cli.commands import COMMANDS, all_commands, commands_of_others
from poems.cli.commands.completion import completion_script
from poems.cli.everyday import EVERYDAY, MANY
from poems.cli.settings_flags import SettingsCommand, settings_parameters


def options_of(name: str) -> dict[str, list[str]]:
    """Names of a command's parameters to their flags."""
    command = all_commands()[name]
    settings = settings_parameters() if isinstance(command, SettingsCommand) else []
    return {each.name: list(each.opts) for each in (*command.params, *settings)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_many_options_has_everyday_ones(name: str) -> None:
    there = options_of(name)
    assert len(there) <= MANY or name in EVERYDAY
    if name in EVERYDAY:
        assert set(EVERYDAY[name].parameters) <= set(there)
        assert len(EVERYDAY[name].parameters) <= 11
        assert EVERYDAY[name].example.startswith(f"poems {name} ")


@pytest.mark.parametrize("name", EVERYDAY)
def test_the_example_names_flags_that_there_are(name: str) -> None:
    flags = {flag for opts in options_of(name).values() for flag in opts}
    assert set(re.findall(r"--[a-z-]+", EVERYDAY[name].example)) <= flags


def test_help_is_a_screen_and_help_all_is_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert poems_here("fit", "--help") == 0
    short = capsys.readouterr().out
    assert len(short.splitlines()) <= 50
    assert "Example: poems fit --view" in short
    assert "--help-all" in short
    assert "--lambda-slab" not in short
    assert poems_here("fit", "--help-all") == 0
    assert "--lambda-slab" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*COMMANDS, *commands_of_others()])
def test_every_command_shows_all_its_options(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert poems_here(name, "--help-all") == 0
    shown = capsys.readouterr().out
    command = {**all_commands(), **commands_of_others()}[name]
    for each in command.params:
        assert each.name == "help_all" or not each.opts[0].startswith("-") or each.opts[0] in shown


def test_hidden_options_work_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert poems_here("fit", "nope.csv", "--out", "o", "--lambda-slab", "x") == 2
    assert "--lambda-slab" in capsys.readouterr().err


def test_the_script_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert poems_here("completion", "zsh") == 0
    assert capsys.readouterr().out == completion_script("zsh")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["poems", "st"], ["stability"]),
        (["poems", "fit", "--n-sub"], ["--n-subtypes"]),
        (["poems", "report", "--bri"], ["--brief"]),
        (["poems", "nope", "--bri"], []),
    ],
)
def test_bash_completes_commands_and_options(words: list[str], expected: list[str]) -> None:
    typed = " ".join(f"'{word}'" for word in words)
    ask = (
        f"{completion_script('bash')}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _poems; "
        'printf "%s\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected
