"""The command line: parse, then one public call.

What a command needs is imported when it runs, so that ``poems --help`` is quick.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from poems._version import __version__
from poems.cli.commands import COMMANDS, commands_of_others, own_command
from poems.errors import PoemsError


class _Commands(TyperGroup):
    """The commands, each imported when it is asked for.

    An interrupt is answered here: typer would end without a word.
    """

    _others_are_known = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, those of other packages last."""
        self._add_others()
        return [*COMMANDS, *(name for name in self.commands if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command: the program's own, or else one that a package adds."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        if cmd_name in COMMANDS:
            self.commands[cmd_name] = own_command(cmd_name)
        else:
            self._add_others()
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was typed; for one that there is not, the nearest is named."""
        if self.get_command(ctx, args[0]) is None:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def _add_others(self) -> None:
        if not self._others_are_known:
            self._others_are_known = True
            self.commands.update(commands_of_others())

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            typer.echo(f"interrupted: {str(interrupt) or 'nothing was kept'}", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="poems",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 data or settings at fault, 2 wrong usage, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"poems {__version__}")
        raise typer.Exit


@app.callback()
def _poems(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_print_version,
            is_eager=True,
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """Integrate a multi-omic cohort: subtypes, sparse biomarkers, contributions of each omic."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    A request to end (SIGTERM, which clusters send before they end a job) is answered
    as Ctrl-C is: what is there so far is kept, and no process is left behind.

    Parameters
    ----------
    arguments
        What follows the program's name; by default those it was started with.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Loading libraries makes a million objects that stay: looking through them again and again
    # takes a tenth of a short command's time.
    gc.set_threshold(100_000, 50, 50)
    for stream in (sys.stdout, sys.stderr):
        # A terminal without, say, '²' gets a question mark rather than a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(args=None if arguments is None else list(arguments), prog_name="poems")
    except PoemsError as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")


def _fail(message: str) -> None:
    from poems.cli.printing.console import clean
    from poems.cli.words import in_flags

    typer.echo(clean(f"error: {in_flags(message)}"), err=True)
    sys.exit(1)
