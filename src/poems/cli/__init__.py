"""The command line: parse, then one public call.

What a command needs is imported when it runs, so that ``poems --help`` is quick.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from poems._version import __version__
from poems.cli import (
    commands_associations,
    commands_cohort,
    commands_contributions,
    commands_demo,
    commands_export,
    commands_factors,
    commands_fit,
    commands_genesets,
    commands_report,
    commands_run,
    commands_stability,
    commands_subtypes,
    commands_survival,
)
from poems.errors import PoemsError


class _Commands(TyperGroup):
    """The commands; an interrupt is answered here, for typer would end without a word."""

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
for _module in (
    commands_demo,
    commands_cohort,
    commands_fit,
    commands_run,
    commands_factors,
    commands_subtypes,
    commands_contributions,
    commands_associations,
    commands_survival,
    commands_genesets,
    commands_stability,
    commands_report,
    commands_export,
):
    _module.register(app)


def _add_installed(to: typer.Typer) -> None:
    """Add the commands of other packages, each a function that is given the app."""
    for entry in entry_points(group="poems.commands"):
        try:
            entry.load()(to)
        except (ImportError, AttributeError) as error:
            # The others work without it; one that is asked for is then unknown.
            typer.echo(f"the command '{entry.name}' cannot be loaded: {error}", err=True)


_add_installed(app)


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
    from poems.cli.console import clean

    typer.echo(clean(f"error: {message}"), err=True)
    sys.exit(1)
