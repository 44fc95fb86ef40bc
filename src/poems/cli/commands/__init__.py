"""The commands, one module each: its parameters, what it computes, how that is shown.

A module defines ``register(app)``, which adds what it brings to a typer app. It is
imported when its command is asked for. A package of its own adds commands by an entry
point of the group ``poems.commands`` that names such a function (``package.module:register``).
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# The order of the help. A new command is a module here and a line in this list.
COMMANDS: Final = (
    "demo",
    "simulate",
    "check",
    "fit",
    "transform",
    "evaluate",
    "diagnose",
    "info",
    "verify",
    "factors",
    "subtypes",
    "contributions",
    "associations",
    "survival",
    "genesets",
    "stability",
    "report",
    "export",
    "completion",
)
ENTRY_POINTS: Final = "poems.commands"
_OPTIONS: Final[Mapping[str, Any]] = {
    "rich_markup_mode": "rich",
    "add_completion": False,
    "context_settings": {"help_option_names": ["-h", "--help", "--help-all"]},
}


def own_command(name: str) -> Any:
    """Return a command of :data:`COMMANDS`."""
    return _registered(importlib.import_module(f"{__name__}.{name}").register)[name]


def all_commands() -> dict[str, Any]:
    """Return all commands of this package, in the order of the help."""
    return {name: own_command(name) for name in COMMANDS}


def commands_of_others() -> dict[str, Any]:
    """Return the commands that other packages add.

    One that cannot be loaded is said on standard error and left out: the others work.
    """
    found: dict[str, Any] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        found |= _loaded(entry)
    return {name: command for name, command in found.items() if name not in COMMANDS}


def _loaded(entry: EntryPoint) -> dict[str, Any]:
    try:
        return _registered(entry.load())
    # Whatever is wrong with another package must not take the program's own commands away.
    except Exception as error:
        package = "" if entry.dist is None else f" of the package {entry.dist.name}"
        reason = f"{type(error).__name__}: {error}"
        typer.echo(f"warning: '{entry.value}'{package} cannot be loaded ({reason})", err=True)
        return {}


def _registered(register: Callable[[typer.Typer], None]) -> dict[str, Any]:
    """Return what a function adds to an app, by name."""
    app = typer.Typer(**_OPTIONS)
    register(app)
    return dict(typer.main.get_group(app).commands)
