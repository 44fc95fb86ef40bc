"""``poems completion``: a script that completes commands and options in a shell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from poems.cli.driver import add_command
from poems.cli.result import CommandResult

if TYPE_CHECKING:
    from rich.console import Console

# zsh runs bash's completions once it is told to.
_ZSH = """autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""
_BASH = """# Completes the commands and options of poems; files elsewhere.
_poems() {
  local current="${COMP_WORDS[COMP_CWORD]}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "@COMMANDS@ --help --version" -- "$current"))
    return
  fi
  case "${COMP_WORDS[1]}" in
@CASES@
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _poems poems
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, completion)


def completion(
    shell: Annotated[Literal["bash", "zsh"], typer.Argument(help="bash or zsh.")],
) -> CommandResult:
    """Print what makes a shell complete commands and options.

    Of bash: poems completion bash >> ~/.bashrc; of zsh: poems completion zsh >> ~/.zshrc.
    """
    script = completion_script(shell)
    return CommandResult(partial(_show, script=script), {"shell": shell, "script": script})


def completion_script(shell: Literal["bash", "zsh"]) -> str:
    """Return the script, made from the commands and options that there are.

    Parameters
    ----------
    shell
        Which reads it.

    Examples
    --------
    >>> "--n-subtypes" in completion_script("bash")
    True
    """
    from poems.cli.commands import all_commands

    commands = all_commands()
    cases = "\n".join(
        f'    {name}) options="{" ".join(_options(command))}" ;;'
        for name, command in commands.items()
    )
    script = _BASH.replace("@COMMANDS@", " ".join(commands)).replace("@CASES@", cases)
    return f"{_ZSH}{script}" if shell == "zsh" else script


def _options(command: Any) -> list[str]:
    from poems.cli.settings_flags import SettingsCommand, settings_parameters

    settings = settings_parameters() if isinstance(command, SettingsCommand) else []
    flags = [
        flag
        for parameter in (*command.params, *settings)
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    ]
    return [*dict.fromkeys((*flags, "--help", "--help-all"))]


def _show(console: Console, script: str) -> None:
    # As it is: lines that a console wrapped would be no script.
    console.file.write(script)
