"""The driver: runs a command, then prints, writes and exports what it found.

Every command is a function that returns a :class:`~poems.cli.result.CommandResult`. How
results become files, text or JSON is decided here, for all of them.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from poems.cli.everyday import EVERYDAY, EverydayCommand, HelpAll
from poems.cli.printing.console import output, say, standard_output_kept_for_data
from poems.cli.result import CommandResult

if TYPE_CHECKING:
    from typer.core import TyperCommand

_Json = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print the result as JSON, and nothing else."),
]


def add_command(
    app: typer.Typer,
    function: Callable[..., CommandResult],
    *,
    cls: type[TyperCommand] | None = None,
) -> None:
    """Add a function to ``app`` as a command of its name.

    Its parameters become flags, its docstring the help; ``--json`` comes with it. A
    parameter called ``quiet`` holds for what is printed of the result, too.

    Parameters
    ----------
    app
        The program.
    function
        What computes the result.
    cls
        A class of commands that adds flags of its own.
    """
    everyday = EVERYDAY.get(function.__name__)
    epilog = None if everyday is None else f"Example: {everyday.example}"
    app.command(function.__name__, cls=cls or EverydayCommand, epilog=epilog)(_driven(function))


def _driven(function: Callable[..., CommandResult]) -> Callable[..., None]:
    """Return a function that runs the command and emits its result."""

    @functools.wraps(function)
    def run(*, as_json: bool, help_all: bool = False, **given: Any) -> None:
        with (
            standard_output_kept_for_data() if as_json else nullcontext(),
            _steps_shown(function.__name__, quiet=bool(given.get("quiet"))),
        ):
            result = function(**given)
            written = _write(result)
        if as_json:
            typer.echo(json_text(function.__name__, result, written))
        elif not given.get("quiet"):
            _show(result, written)
        if result.exit_code:
            raise typer.Exit(result.exit_code)

    # typer reads flags off the signature, which has one more than the function's.
    signature = inspect.signature(function, eval_str=True)
    flag = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_Json
    )
    parameters = [*signature.parameters.values(), flag]
    if function.__name__ in EVERYDAY:
        parameters.append(
            inspect.Parameter(
                "help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=HelpAll
            )
        )
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=None
    )
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _steps_shown(command: str, *, quiet: bool) -> AbstractContextManager[None]:
    """Show what the command is doing, unless it is to be quiet."""
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    from poems.cli.printing.steps import steps_shown

    return steps_shown(command)


def _write(result: CommandResult) -> list[str]:
    """Write the result into its folder, if it has one; return the names of the files."""
    if result.folder is None:
        return []
    from poems.cli.writing import write_result

    return write_result(result, result.folder)


def _show(result: CommandResult, written: list[str]) -> None:
    console = output()
    result.show(console)
    if result.folder is not None:
        say(console, f"Written to {result.folder.path}: {', '.join(written)}")


def json_text(command: str, result: CommandResult, written: list[str]) -> str:
    """Return a result as one JSON object.

    ``command`` and ``poems`` (the version), ``summary``, ``findings`` (as in
    ``findings.csv``), ``tables`` (name to a list of rows), and ``written``: the folder and
    the files in it, or null. What JSON has no name for, NaN and infinities, is null.

    Examples
    --------
    >>> result = CommandResult(print, {"n_samples": 3, "r2": float("nan")})
    >>> found = json.loads(json_text("info", result, []))
    >>> found["summary"], found["written"]
    ({'n_samples': 3, 'r2': None}, None)
    """
    from dataclasses import asdict

    from poems._version import __version__

    folder = result.folder
    content = {
        "command": command,
        "poems": __version__,
        "summary": dict(result.summary),
        "findings": [asdict(finding) for finding in result.findings],
        "tables": {
            name: table.to_dict(orient="records")
            for name, table in result.tables.items()
            if table is not None
        },
        "written": None if folder is None else {"folder": folder.path, "files": written},
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value of what JSON knows: text, finite numbers, truth values, null.

    >>> import numpy as np
    >>> _plain({"a": (np.float32(0.5), np.int64(3)), 2: float("inf")})
    {'a': [0.5, 3], '2': None}
    """
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):  # a number of numpy, or an array
        return _plain(value.tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    # pandas' own missing values differ from everything, themselves among it.
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)
