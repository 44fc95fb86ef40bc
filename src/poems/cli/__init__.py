"""The command line: parse, then one public call.

What a command needs is imported when it runs, so that ``poems --help`` is quick.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from poems._version import __version__
from poems.cli.commands import COMMANDS, commands_of_others, own_command
from poems.errors import PoemsError, is_out_of_memory, out_of_memory
from poems.files.atomic import NO_SPACE
from poems.files.output_folder import release_folders
from poems.training.interrupts import answer_interrupts, exit_code


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
            typer.echo(f"interrupted: {str(interrupt) or _kept()}", err=True)
            raise typer.Exit(exit_code()) from None


def _kept() -> str:
    """Say what an interrupt left, of a command that does not say so itself."""
    from poems.files.output_folder import complete_results

    whole = complete_results()
    there = "".join(f"; the earlier result in {folder} is as it was" for folder in whole)
    return f"nothing was kept{there}"


app = typer.Typer(
    name="poems",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    # Of a command whose help is short `--help-all` is a flag of its own, which goes first.
    context_settings={"help_option_names": ["-h", "--help", "--help-all"]},
    epilog="Exit codes: 0 done, 1 data or settings at fault, 2 wrong usage; interrupted: 130 by "
    "Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.",
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

    A request to end (SIGTERM, which clusters send before they end a job, and SIGHUP of a
    terminal that is closed) is answered as Ctrl-C is: what is there so far is kept, and no
    process is left behind.

    Parameters
    ----------
    arguments
        What follows the program's name; by default those it was started with.
    """
    answer_interrupts()
    # Loading libraries makes a million objects that stay: looking through them again and again
    # takes a tenth of a short command's time.
    gc.set_threshold(1_000_000, 50, 50)
    # Nor once more when all is done, when the system takes everything back anyway.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # A terminal without, say, '²' gets a question mark rather than a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # What the library tells of its files while it works: a lock taken over, a file kept.
    told = logging.getLogger("poems.files")
    handler = _Notes(logging.WARNING)
    told.addHandler(handler)
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        app(args=given, prog_name="poems", obj=given)
    except PoemsError as error:
        _fail(str(error))
    except MemoryError as error:
        _fail(out_of_memory(error))
    except RuntimeError as error:
        # How torch says that memory, its own or a GPU's, does not suffice.
        if not is_out_of_memory(error):
            raise
        _fail(out_of_memory(error))
    except OSError as error:
        _fail(_of_system(error))
    finally:
        told.removeHandler(handler)
        release_folders()


class _Notes(logging.Handler):
    """Prints what is logged as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        from poems.cli.printing.console import aside

        aside(f"note: {record.getMessage()}")


def _of_system(error: OSError) -> str:
    """Say what the operating system did not do, and of a full disk what was lost by it."""
    where = f"{error.filename}: " if error.filename else ""
    said = f"{where}{error.strerror or error}"
    if error.errno not in NO_SPACE:
        return said
    return (
        f"{said}. It was not written, and what was there before is as it was; make room on its "
        "disk, or choose another place"
    )


def _fail(message: str) -> None:
    from poems.cli.printing.console import aside
    from poems.cli.words import in_words

    aside(f"error: {in_words(message)}")
    sys.exit(1)
